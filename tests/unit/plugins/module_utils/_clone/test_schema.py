# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parsing and comparing what pg_dump prints."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._clone import (
    schema as clone_schema,
)

# As pg_dump 15.14 and 17.6 print it.
PREAMBLE = """--
-- PostgreSQL database dump
--

\\restrict aBcD

-- Dumped from database version 15.14
-- Dumped by pg_dump version 17.6

SET statement_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';

"""
END = """
--
-- PostgreSQL database dump complete
--

\\unrestrict aBcD

"""


def entry(kind: str, name: str, body: str, schema: str = "public", before: str = "") -> str:
    header = f"-- Name: {name}; Type: {kind}; Schema: {schema}; Owner: app"
    return f"{before}--\n{header}\n--\n\n{body}\n\n\n"


def dump(*entries: str) -> str:
    return PREAMBLE + "".join(entries) + END


TABLE = entry("TABLE", "t", "CREATE TABLE public.t (\n    a integer\n);")
INDEX = entry("INDEX", "t_a_idx", "CREATE INDEX t_a_idx ON public.t USING btree (a);")


def blocks(*entries: str) -> list[clone_schema.Block]:
    return clone_schema.parse_script(dump(*entries))


def test_blocks_carry_what_they_are_about() -> None:
    table, index = blocks(TABLE, INDEX)
    assert table.title == "TABLE public.t"
    assert table.body == "CREATE TABLE public.t (\n    a integer\n);"
    assert index.label == "INDEX public t_a_idx app"


def test_equal_whatever_the_order() -> None:
    assert clone_schema.compare(blocks(TABLE, INDEX), blocks(INDEX, TABLE)).equal


def test_preamble_and_restrict_keys_do_not_count() -> None:
    other = dump(TABLE).replace("aBcD", "XyZ").replace("version 15.14", "version 13.2")
    assert clone_schema.compare(blocks(TABLE), clone_schema.parse_script(other)).equal


def test_missing_extra_and_changed_are_told_apart() -> None:
    wider = TABLE.replace("    a integer\n", "    a integer,\n    b text\n")
    view = entry("VIEW", "v", "CREATE VIEW public.v AS\n SELECT 1;")
    found = clone_schema.compare(blocks(TABLE, INDEX), blocks(wider, view))
    assert [b.title for b in found.missing] == ["INDEX public.t_a_idx"]
    assert [b.title for b in found.extra] == ["VIEW public.v"]
    assert [b.title for b, _their in found.changed] == ["TABLE public.t"]
    assert not found.only_missing
    assert "TABLE public.t (differs)" in found.titles()
    lines = found.lines("here", "there", 100)
    assert "-    b text" in lines
    assert "+++ here: INDEX public.t_a_idx" in lines


def test_a_long_diff_is_cut() -> None:
    found = clone_schema.compare(blocks(TABLE, INDEX), [])
    lines = found.lines("here", "there", 3)
    assert len(lines) == 4
    assert lines[-1] == "... cut after 3 lines"


SEQUENCE = """CREATE SEQUENCE public.s
    START WITH {start}
    INCREMENT BY {step}
    NO MINVALUE
    NO MAXVALUE
    CACHE {cache};"""


@pytest.mark.parametrize(
    ("start", "step", "cache", "equal"),
    [(1, 1, 1, True), (7, 2, 1, True), (1, -1, 1, False), (1, 1, 20, False)],
)
def test_the_step_of_sequences_does_not_count(
    start: int, step: int, cache: int, equal: bool
) -> None:
    ours = entry("SEQUENCE", "s", SEQUENCE.format(start=1, step=1, cache=1))
    theirs = entry("SEQUENCE", "s", SEQUENCE.format(start=start, step=step, cache=cache))
    assert clone_schema.compare(blocks(ours), blocks(theirs)).equal is equal


def test_the_order_of_grants_does_not_count() -> None:
    one, two = "GRANT SELECT ON TABLE public.t TO a;", "GRANT SELECT ON TABLE public.t TO b;"
    left = entry("ACL", "TABLE t", f"{one}\n{two}")
    right = entry("ACL", "TABLE t", f"{two}\n{one}")
    assert clone_schema.compare(blocks(left), blocks(right)).equal
    assert not clone_schema.compare(blocks(left), blocks(entry("ACL", "TABLE t", one))).equal


def test_tablespaces_belong_to_the_object_that_follows() -> None:
    other = entry("TABLE", "u", "CREATE TABLE public.u (\n);")
    moved = "SET default_tablespace = fast;\n\n"
    back = "SET default_tablespace = '';\n\n"
    one = blocks(TABLE, moved + other)
    two = blocks(moved + other, back + TABLE)
    assert clone_schema.compare(one, two).equal
    found = clone_schema.compare(one, blocks(TABLE, other))
    assert [b.title for b, _their in found.changed] == ["TABLE public.u"]


def test_a_body_that_imitates_comments_is_alike_on_both_sides() -> None:
    fake = "--\n-- Name: x; Type: TRIGGER; Schema: public; Owner: app\n--\n"
    function = entry("FUNCTION", "f()", f"CREATE FUNCTION public.f() AS $$\n{fake}$$;")
    assert clone_schema.compare(blocks(function, TABLE), blocks(TABLE, function)).equal
    other = function.replace("$$;", "\n-- more\n$$;")
    assert not clone_schema.compare(blocks(function), blocks(other)).equal


@pytest.mark.parametrize(
    "owned",
    [
        entry("INDEX", "t_pkey", "CREATE ..."),
        entry("CONSTRAINT", "t t_pkey", "ALTER TABLE ..."),
        entry("INDEX ATTACH", "t_pkey", "ALTER INDEX ..."),
        entry("COMMENT", "INDEX t_pkey", "COMMENT ..."),
        entry("COMMENT", "CONSTRAINT t_pkey ON t", "COMMENT ..."),
    ],
)
def test_invalid_indexes_count_as_there(owned: str) -> None:
    pending = [clone_schema.IndexName("public", "t", "t_pkey")]
    assert clone_schema.compare(blocks(TABLE, owned), blocks(TABLE), pending).equal
    elsewhere = [clone_schema.IndexName("sales", "t", "t_pkey")]
    assert not clone_schema.compare(blocks(TABLE, owned), blocks(TABLE), elsewhere).equal


STUB = entry("VIEW", "v", "CREATE VIEW public.v AS\nSELECT\n    NULL::integer AS id;\n\n\nOWNER;")
RULE = entry("RULE", "v _RETURN", "CREATE OR REPLACE VIEW public.v AS\n SELECT id GROUP BY id;")
WHOLE = entry("VIEW", "v", "CREATE VIEW public.v AS\n SELECT id GROUP BY id;\n\n\nOWNER;")


def test_a_view_printed_in_two_pieces_equals_the_whole() -> None:
    in_two = clone_schema.with_views(blocks(STUB, RULE))
    assert clone_schema.compare(in_two, clone_schema.with_views(blocks(WHOLE))).equal
    other = RULE.replace("GROUP BY id", "GROUP BY x")
    assert not clone_schema.compare(
        clone_schema.with_views(blocks(STUB, other)), blocks(WHOLE)
    ).equal


def test_stubs_are_blank_while_their_rule_is_to_come() -> None:
    later = blocks(RULE)
    ours, theirs = (clone_schema.without_stubs(b, later) for b in (blocks(STUB), blocks(WHOLE)))
    assert clone_schema.compare(ours, theirs).equal


def test_an_ordinary_rule_is_no_view() -> None:
    rule = entry("RULE", "t r", "CREATE RULE r AS\n    ON UPDATE TO public.t DO NOTHING;")
    assert len(clone_schema.with_views(blocks(TABLE, rule))) == 2


def test_texts_are_never_compared_loosely() -> None:
    old = entry("VIEW", "v", "CREATE VIEW public.v AS\n SELECT t.a\n   FROM public.t;")
    new = entry("VIEW", "v", "CREATE VIEW public.v AS\n SELECT a\n   FROM public.t;")
    assert not clone_schema.compare(blocks(old), blocks(new)).equal
    wide = TABLE.replace("integer", "character(20)")
    narrow = TABLE.replace("integer", "character20")
    assert not clone_schema.compare(blocks(wide), blocks(narrow)).equal


def test_schema_public_differs_across_its_change() -> None:
    public = entry("SCHEMA", "public", "ALTER SCHEMA public OWNER TO app;", schema="-")
    assert clone_schema.comparable(blocks(public, TABLE), (14, 17)) == blocks(TABLE)
    assert len(clone_schema.comparable(blocks(public, TABLE), (13, 14))) == 2


def test_a_database_with_only_the_same_extensions_is_empty() -> None:
    extension = entry("EXTENSION", "hstore", "CREATE EXTENSION hstore;", schema="-")
    source = blocks(extension, TABLE)
    assert clone_schema.is_empty([], source)
    assert clone_schema.is_empty(blocks(extension), source)
    assert not clone_schema.is_empty(blocks(TABLE), source)
    other = entry("EXTENSION", "hstore", "CREATE EXTENSION hstore WITH SCHEMA x;", schema="-")
    assert not clone_schema.is_empty(blocks(other), source)


def test_objects_are_counted_per_type() -> None:
    assert clone_schema.summary(blocks(INDEX, TABLE, TABLE)) == {"index": 1, "table": 2}


def test_the_script_for_a_server_has_nothing_for_psql() -> None:
    for major, there in ((16, False), (17, True)):
        script = clone_schema.restore_script(dump(TABLE, INDEX), major)
        assert "restrict" not in script
        assert ("transaction_timeout" in script) is there
        assert "CREATE TABLE public.t" in script
        assert "CREATE INDEX" in script
        assert "SET client_encoding = 'UTF8';" in script


def test_a_function_may_speak_of_restrict() -> None:
    function = entry("FUNCTION", "f()", "AS $$\n\\restrict x\nSET transaction_timeout = 0;\n$$;")
    script = clone_schema.restore_script(dump(function), 15)
    assert "\\restrict x\nSET transaction_timeout = 0;\n$$;" in script


def test_differing_secrets_are_reported_but_not_shown() -> None:
    ours, theirs = (
        entry("USER MAPPING", "USER MAPPING app SERVER s", f"OPTIONS (password '{p}');", "-")
        for p in ("one", "two")
    )
    found = clone_schema.compare(blocks(ours), blocks(theirs))
    assert not found.equal
    lines = found.lines("here", "there", 10)
    assert lines[-1] == "(a secret differs)"
    assert lines[0] == "--- there: USER MAPPING app SERVER s"


ATTVER = """--
-- Name: a; Type: TABLE; Schema: public; Owner: app
--

CREATE TABLE public.a (
    id integer NOT NULL
);
ALTER TABLE ONLY public.a ALTER COLUMN id SET (pg_attver=32199016);
ALTER TABLE ONLY public.a ALTER COLUMN x SET (n_distinct=5, pg_attver=32199016);
ALTER TABLE ONLY public.a ALTER COLUMN y SET (pg_attver=3, n_distinct=-1);
"""


def test_an_option_that_one_server_keeps_for_itself_is_neither_compared_nor_restored() -> None:
    plain = """--
-- Name: a; Type: TABLE; Schema: public; Owner: app
--

CREATE TABLE public.a (
    id integer NOT NULL
);
ALTER TABLE ONLY public.a ALTER COLUMN x SET (n_distinct=5);
ALTER TABLE ONLY public.a ALTER COLUMN y SET (n_distinct=-1);
"""
    assert clone_schema.parse_script(ATTVER) == clone_schema.parse_script(plain)
    end = "--\n-- PostgreSQL database dump complete\n--\n"
    script = "SET x = 1;\n\n" + ATTVER + "\n" + end
    restored = clone_schema.restore_script(script, 18)
    assert "pg_attver" not in restored
    assert "x SET (n_distinct=5);" in restored
