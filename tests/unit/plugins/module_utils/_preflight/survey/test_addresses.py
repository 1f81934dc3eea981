# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose configuration a host has, and what it cannot pass on."""

from __future__ import annotations

import pathlib

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.survey import addresses

TEMPLATE = pathlib.Path(__file__).parents[6] / "roles/bucardo/templates/bucardorc.j2"


PACKAGED = (
    "dbport = 5432\ndbhost = localhost\ndbname = bucardo\ndbuser = bucardo\ndbpass = bucardo\n"
)


@pytest.mark.parametrize(
    ("text", "whose"),
    [
        (TEMPLATE.read_text("utf-8"), "ours"),
        (PACKAGED, "packaged"),
        ("# nothing\n", "packaged"),
        (PACKAGED.replace("localhost", "db9"), "foreign"),
        ("dbname = bucardo\n", "foreign"),
    ],
)
def test_whose_configuration_it_is(tmp_path, text, whose):
    file = tmp_path / "bucardorc"
    file.write_text(text, "utf-8")
    assert addresses.read_rc(str(file)) == whose


def test_a_configuration_that_is_not_there(tmp_path):
    assert addresses.read_rc(str(tmp_path / "none")) == "absent"


def test_what_an_rc_file_cannot_say():
    told = ConnInfo("", {"host": "h", "port": "1", "user": "u", "password": "p", "dbname": "d"})
    assert addresses.not_passed_on(told) == ()
    assert addresses.not_passed_on(told.with_params(sslmode="require")) == ("sslmode",)
