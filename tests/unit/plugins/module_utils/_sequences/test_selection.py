# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which sequences take part."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import Refused
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.names import TableName
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.tables import (
    Selection,
    Table,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._sequences import (
    selection as sequences_selection,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._sequences.facts import (
    Sequence,
    Survey,
)


def name(text):
    return TableName.parse(text)


def table(text, kind="r", persistence="p", extension=""):
    return Table(name(text), 1, kind, persistence, (), extension=extension)


def sequence(text, **values):
    return Sequence(name(text), 1, 1, 1, 1, 2**63 - 1, False, 1, False, **values)


TABLES = [
    table("orders"),
    table("audit.log"),
    table("parted", kind="p"),
    table("scratch", persistence="u"),
    table("cron.job", extension="cron"),
]
OWNED = {
    "orders_id_seq": "orders",
    "audit.log_id_seq": "audit.log",
    "parted_id_seq": "parted",
    "scratch_id_seq": "scratch",
    "cron.job_id_seq": "cron.job",
    "shared_seq": "audit.log",
}
SURVEY = Survey(
    sequences={
        found.name: found
        for found in (
            *map(sequence, ("orders_id_seq", "audit.log_id_seq", "parted_id_seq", "shared_seq")),
            sequence("scratch_id_seq", persistence="u"),
            sequence("cron.job_id_seq", extension=True),
            sequence("hibernate_sequence"),
            sequence("Näme.x"),
            sequence("lost", persistence="u"),
            sequence("cron.runs", extension=True),
        )
    },
    users={
        **{name(one): frozenset({name(owner)}) for one, owner in OWNED.items()},
        # Owned by a table that is left out, and the default of one that takes part.
        name("shared_seq"): frozenset({name("audit.log"), name("orders")}),
    },
    owned=frozenset(map(name, OWNED)),
)


def chosen(include=("*.*",), exclude=("audit.*",), sequences=(), **options):
    found = sequences_selection.choose(
        SURVEY, TABLES, Selection(tuple(include), tuple(exclude)), sequences, **options
    )
    return {str(one) for one in found.shared}, {str(one) for one in found.excluded}


def test_all_permanent_ones_but_those_of_tables_left_out():
    assert chosen() == (
        {
            "public.orders_id_seq",
            "public.parted_id_seq",
            "public.shared_seq",
            "public.hibernate_sequence",
            "Näme.x",
        },
        set(),
    )


def test_unlogged_ones_and_those_of_extensions_where_a_table_uses_them():
    shared, _excluded = chosen(include=("*.*", "public.scratch", "cron.job"))
    assert {"public.scratch_id_seq", "cron.job_id_seq"} <= shared
    assert not {"public.lost", "cron.runs"} & shared


def test_only_those_of_columns():
    assert chosen(owned_only=True)[0] == {"public.orders_id_seq", "public.shared_seq"}


@pytest.mark.parametrize("pattern", ["hibernate_sequence", "public.hibernate*", "*.hib?rnate_*"])
def test_excluded_by_name_or_pattern(pattern):
    shared, excluded = chosen(sequences=(pattern,))
    assert excluded == {"public.hibernate_sequence"}
    assert not shared & excluded


def test_a_pattern_that_matches_nothing_is_refused_with_the_nearest():
    with pytest.raises(Refused, match="Did you mean") as caught:
        chosen(sequences=("public.hibernate_sequense",))
    assert "public.hibernate_sequence?" in caught.value.cure
    assert "exclude_sequences: 'public.hibernate_sequense'" in caught.value.one_line
