# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What pg_restore lists of an archive, and secrets in what it prints."""

from __future__ import annotations

from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres import dump


def test_the_table_of_contents_keeps_ids_and_labels() -> None:
    text = ";\n; Archive created\n;\n3361; 2620 16555 TRIGGER public my t bucardo_delta app\n"
    (only,) = dump.parse_toc(text)
    assert (only.dump_id, only.class_oid, only.oid) == (3361, 2620, 16555)
    assert only.label == "TRIGGER public my t bucardo_delta app"
    assert only.line in text


def test_entries_are_left_out_by_catalog_and_oid() -> None:
    entries = dump.parse_toc("1; 2620 7 TRIGGER a\n2; 1259 7 TABLE b\n3; 2620 8 TRIGGER c\n")
    assert [e.dump_id for e in dump.without(entries, 2620, {7})] == [2, 3]


def test_passwords_are_masked() -> None:
    text = "OPTIONS (\n    password 'it''s secret',\n    \"user\" 'u'\n)"
    assert dump.redact(text) == "OPTIONS (\n    password '********',\n    \"user\" 'u'\n)"
