# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What readers make of the rows that servers return."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    StatementFailed,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres import catalog
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed import read
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.plan import (
    PairState,
    TypeFacts,
)
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils._seed.made import (
    index,
    name,
    table,
)
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils.fake_session import (
    FakeSession,
)

LOCK_TIMEOUT = StatementFailed("canceling statement due to lock timeout", sqlstate="55P03")


def state(oid, filenode=10, count=0, queues=True, always=()):
    return {
        "oid": oid,
        "filenode": filenode,
        "bytes": count,
        "queues": queues,
        "always_triggers": [list(one) for one in always],
    }


class TestTypes:
    ROW = ("oid", "by_oid", "no_binary", "user_defined", "extensions")

    def session(self, version):
        row = dict(zip(self.ROW, (55, False, True, True, ["citext 1.6"])))
        return FakeSession({"WITH RECURSIVE walk": [row]}, server_version=version)

    def test_facts_by_oid(self):
        assert read.read_type_facts(self.session(150000)) == {
            55: TypeFacts(False, True, True, frozenset({"citext 1.6"}))
        }

    @pytest.mark.parametrize(("version", "asked"), [(130000, False), (140000, True)])
    def test_multiranges_where_there_are_any(self, version, asked):
        session = self.session(version)
        read.read_type_facts(session)
        assert ("rngmultitypid" in session.texts[0]) is asked


class TestStates:
    def test_of_both_sides(self):
        source = FakeSession({"pg_trigger": [state(1), state(2, 11, queues=False)]})
        target = FakeSession(
            {
                "pg_trigger": [
                    state(3, 90, 8192, always=[("audit", "A")]),
                    state(4, 91, 0, queues=False),
                ],
                "AS oid WHERE EXISTS": [{"oid": 3}],
            }
        )
        pairs = [(table("a", oid=1), table("a", oid=3)), (table("b", oid=2), table("b", oid=4))]
        found = read.read_states(source, target, pairs, {name("b")}, {name("a"): "why"})
        assert found == {
            name("a"): PairState(10, True, True, True, 8192, False, "why", (("audit", "A"),)),
            name("b"): PairState(11, False, False, False, 0, True),
        }
        # Whether a file without blocks holds rows needs no look.
        [look] = [text for text in target.texts if "AS oid WHERE EXISTS" in text]
        assert '"b"' not in look
        assert [ran.params["sizes"] for ran in (source.ran[0], target.ran[0])] == [False, True]

    def test_without_a_target(self):
        source = FakeSession({"pg_trigger": [state(1)]})
        found = read.read_states(source, None, [(table("a", oid=1), None)], (), {})
        assert found == {name("a"): PairState(10, True, False)}

    def test_a_table_that_is_missing_on_either_side(self):
        source, target = FakeSession({"pg_trigger": []}), FakeSession({"pg_trigger": []})
        pairs = [(table("a", oid=1), None), (table("b", oid=2), table("b", oid=4))]
        found = read.read_states(source, target, pairs, (), {})
        assert found[name("a")] == found[name("b")] == PairState(0, False, False)

    def test_very_many_tables_are_looked_into_by_several_statements(self):
        source = FakeSession({"pg_trigger": []})
        target = FakeSession(
            {
                "pg_trigger": [state(oid, 9, 8192) for oid in range(1, 1101)],
                "AS oid WHERE EXISTS": [{"oid": 7}],
            }
        )
        pairs = [(table(f"t{oid}", oid=oid), table(f"t{oid}", oid=oid)) for oid in range(1, 1101)]
        found = read.read_states(source, target, pairs, (), {})
        looks = [text for text in target.texts if "AS oid WHERE EXISTS" in text]
        assert [text.count("AS oid") for text in looks] == [500, 500, 100]
        assert [str(one) for one, made in found.items() if made.has_rows] == ["public.t7"]


class TestSizes:
    ANSWER = [{"oid": 1, "bytes": 16384, "pages": 2}]  # noqa: RUF012

    def test_by_the_servers_functions(self):
        session = FakeSession({"pg_table_size": self.ANSWER})
        assert read.read_sizes(session, [table()], 5000) == {1: (16384, 2)}
        assert session.texts[0] == "BEGIN READ ONLY"
        assert session.ran[1].params == ("5000",)
        assert session.texts[-1] == "COMMIT"

    def test_by_the_planners_figures_where_a_table_is_locked(self):
        session = FakeSession({"pg_table_size": LOCK_TIMEOUT, "c.relpages": self.ANSWER})
        assert read.read_sizes(session, [table()], 5000) == {1: (16384, 2)}
        assert "ROLLBACK" in session.texts

    def test_other_errors_are_none_of_that(self):
        session = FakeSession({"pg_table_size": StatementFailed("no", sqlstate="42501")})
        with pytest.raises(StatementFailed, match="no"):
            read.read_sizes(session, [table()], 5000)


def test_indexes_by_table():
    def row(oid, text):
        return {
            "table_oid": 1,
            "oid": oid,
            "schema": "public",
            "name": text,
            "method": "btree",
            "valid": True,
            "plain": True,
            "definition": f"CREATE INDEX {text} ON t (id)",
            "late": False,
        }

    session = FakeSession({"pg_catalog.pg_index i": [row(7, "i"), row(8, "j")]})
    assert read.read_indexes(session, [table()], True) == {1: [index("i", 7), index("j", 8)]}
    assert session.ran[0].params == {"oids": [1], "definitions": True}


def test_materialized_views():
    row = {
        "schema": "public",
        "name": "v",
        "populated": False,
        "depends": [["public", "w"]],
        "reads": [["public", "t"]],
    }
    found = read.read_materialized_views(FakeSession({"relkind = 'm'": [row]}))
    assert found == {
        name("v"): read.MaterializedView(False, frozenset({name("w")}), frozenset({name("t")}))
    }


@pytest.mark.parametrize(
    ("reader", "answer", "found"),
    [
        (catalog.is_superuser, True, True),
        (catalog.is_superuser, None, False),
        (read.others_connected, False, False),
        (read.knows_lz4, None, False),
        (read.knows_lz4, True, True),
        (read.queued_rows, 7, 7),
    ],
)
def test_single_answers(reader, answer, found):
    assert reader(FakeSession({"SELECT": [{"answer": answer}]})) is found
