# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables that change after they were enrolled: judged by what is there, not by a name.

One pair of masters with a table for each case: a bootstrap, all changes, a bootstrap, and then
writes on both masters.
"""

from __future__ import annotations

import pytest
from site_of_tests import same_rows

# It takes longer than others, and is begun before them.
WEIGHT = 95

# Case -> what happens to the table t_<case> on both masters (or where it says so).
ON_BOTH = {
    "renamed": "ALTER TABLE t_renamed RENAME TO t_other_name",
    "moved": "CREATE SCHEMA elsewhere; ALTER TABLE t_moved SET SCHEMA elsewhere",
    "key_renamed": "ALTER TABLE t_key_renamed RENAME COLUMN id TO number",
    "key_changed": "ALTER TABLE t_key_changed DROP CONSTRAINT t_key_changed_pkey,"
    " ADD PRIMARY KEY (tenant, id)",
    "grown": "ALTER TABLE t_grown ALTER COLUMN id TYPE bigint",
    "longer": "ALTER TABLE t_longer ALTER COLUMN id TYPE varchar(40)",
    "remade": "DROP TABLE t_remade;"
    " CREATE TABLE t_remade (id integer PRIMARY KEY, tenant integer NOT NULL, v text)",
    "dropped": "DROP TABLE t_dropped",
    "born": "CREATE TABLE t_born (id integer PRIMARY KEY, tenant integer NOT NULL, v text)",
}
ON_LEFT = {
    "untriggered": "DROP TRIGGER bucardo_delta ON t_untriggered",
    "repointed": "DROP TRIGGER bucardo_delta ON t_repointed; CREATE TRIGGER bucardo_delta"
    " AFTER INSERT OR UPDATE OR DELETE ON t_repointed FOR EACH ROW"
    " EXECUTE FUNCTION bucardo.delta_public_t_plain()",
    "emptied": "CREATE OR REPLACE FUNCTION bucardo.delta_public_t_emptied() RETURNS trigger"
    " LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN NULL; END'",
}
ON_RIGHT = {
    "disabled": "ALTER TABLE t_disabled DISABLE TRIGGER bucardo_delta",
    "replica": "ALTER TABLE t_replica ENABLE REPLICA TRIGGER bucardo_delta",
    "untruncated": "DROP TRIGGER bucardo_note_trunc_multimaster ON t_untruncated",
}
# How to write id 7 of a case afterwards: (table, name of the key's column).
NOW = {
    "renamed": ("t_other_name", "id"),
    "moved": ("elsewhere.t_moved", "id"),
    "key_renamed": ("t_key_renamed", "number"),
}
CASES = [case for case in (*ON_BOTH, *ON_LEFT, *ON_RIGHT, "plain") if case != "dropped"]
OF_BEFORE = """
CREATE OR REPLACE FUNCTION bucardo.delta_public_t_plain() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    INSERT INTO "bucardo"."delta_public_t_plain" VALUES (OLD."id");
  END IF;
  IF TG_OP = 'INSERT' THEN
    INSERT INTO "bucardo"."delta_public_t_plain" VALUES (NEW."id");
  ELSIF TG_OP = 'UPDATE' THEN
    IF OLD."id" <> NEW."id" THEN
      INSERT INTO "bucardo"."delta_public_t_plain" VALUES (NEW."id");
    END IF;
  END IF;
  RETURN NULL;
END;
$$;
ALTER FUNCTION bucardo.bucardo_note_truncation() RESET search_path;
ALTER FUNCTION bucardo.bucardo_delta_check(text, text) RESET enable_nestloop;
"""


WRITER = r"""
\set id random(1001, 3000)
UPDATE t_plain SET v = v || '.' WHERE id = :id;
"""


def table_of(case):
    table, key = NOW.get(case, (f"t_{case}", "id"))
    return (table if "." in table else f"public.{table}"), key


def schema():
    kinds = {"longer": "varchar(3)"}
    lines = []
    for case in (*ON_BOTH, *ON_LEFT, *ON_RIGHT, "plain", "wide", "shrinks", "single"):
        if case != "born":
            kind = kinds.get(case, "integer")
            lines.append(
                f"CREATE TABLE t_{case} (id {kind} PRIMARY KEY, tenant integer NOT NULL, v text);"
                f" INSERT INTO t_{case} SELECT i::text::{kind}, 1, 'row ' || i"
                " FROM generate_series(1, 50) i;"
            )
    return "\n".join(lines)


@pytest.fixture(scope="module")
def masters(site):
    return [site.master("left", schema=schema()), site.master("right")]


def preflight(site, inventory):
    """What preflight finds, as (severity, check, object, master, message)."""
    found = site.module(
        "preflight",
        inventory,
        user="root",
        masters=site.masters_option(inventory),
        control={},
        fail_on_blockers=False,
    )
    return {
        (severity, one["check"], one["object"], one["master"], one["message"])
        for severity in ("blockers", "cautions")
        for one in found[severity]
    }


def sync(site, inventory, **options):
    """What bucardo_sync did."""
    return site.module(
        "bucardo_sync",
        inventory,
        name="multimaster",
        relgroup="multimaster",
        dbgroup="multimaster",
        masters=site.masters_option(inventory),
        **options,
    )


@pytest.fixture(scope="module")
def changed(site, masters, inventory):
    """All cases at once, the bootstrap, and what preflight had said before it."""
    left, right = masters
    sync(site, inventory, status="held")
    # These wait in the queue while their tables change.
    left.sql("UPDATE t_renamed SET v = 'waits' WHERE id = 1; DELETE FROM t_moved WHERE id = 1")
    right.sql("UPDATE t_grown SET v = 'waits' WHERE id = 1")
    for master in masters:
        master.sql("".join(f"{text};" for text in ON_BOTH.values()))
    left.sql("".join(f"{text};" for text in (*ON_LEFT.values(), OF_BEFORE)))
    right.sql("".join(f"{text};" for text in ON_RIGHT.values()))
    # Goes into the queue of the old name.
    left.sql("UPDATE t_other_name SET v = 'late' WHERE id = 2")
    said = preflight(site, inventory)
    play = site.play("bootstrap", inventory)
    return said, play


def test_preflight_names_what_is_not_as_it_must_be(changed):
    said, _play = changed
    assert {severity for severity, *_rest in said} <= {"cautions"}
    named = {(object_, master) for _s, check, object_, master, _m in said if check == "enrolment"}
    for case in ("renamed", "moved", "key_changed", "grown", "longer"):
        table, _key = table_of(case)
        assert {(table, "left"), (table, "right")} <= named, case
    for case in ON_LEFT:
        assert (f"public.t_{case}", "left") in named, case
    for case in ON_RIGHT:
        assert (f"public.t_{case}", "right") in named, case
    gone = {object_ for _s, check, object_, *_rest in said if check == "relgroup-stale"}
    assert gone == {"public.t_renamed", "public.t_moved", "public.t_dropped"}


@pytest.mark.parametrize("case", CASES)
def test_what_both_masters_write_arrives(masters, changed, case):
    table, key = table_of(case)
    for number, master in enumerate(masters, start=1):
        master.sql(
            f"INSERT INTO {table} ({key}, tenant, v) VALUES (10{number}, 1, 'of {number}');"
            f" UPDATE {table} SET v = 'by {number}' WHERE {key}::text = '2{number}';"
            f" DELETE FROM {table} WHERE {key}::text = '3{number}'"
        )
    assert same_rows(masters, table)
    here = f"SELECT count(*) FROM {table} WHERE v LIKE"
    assert masters[0].value(f"{here} 'of _'") == "2"
    if case not in ("remade", "born"):
        assert masters[0].value(f"{here} 'by _'") == "2"


def test_what_waited_was_not_lost(masters, changed):
    assert same_rows(masters, "public.t_other_name", "elsewhere.t_moved", "public.t_grown")
    left, right = masters
    query = "SELECT v FROM t_other_name WHERE id IN (1, 2) ORDER BY id"
    assert right.sql(query) == [["waits"], ["late"]]
    assert left.value("SELECT v FROM t_grown WHERE id = 1") == "waits"
    assert right.value("SELECT count(*) FROM elsewhere.t_moved WHERE id = 1") == "0"


def test_rows_of_one_old_key_and_two_new_ones_stay_apart(masters, changed):
    for tenant, master in enumerate(masters, start=2):
        master.sql(f"INSERT INTO t_key_changed VALUES (7, {tenant}, 'of tenant {tenant}')")
    assert same_rows(masters, "public.t_key_changed")
    query = "SELECT count(*) FROM t_key_changed WHERE id = 7"
    assert [master.value(query) for master in masters] == ["3", "3"]


def test_keys_take_what_the_type_of_today_takes(masters, changed):
    masters[0].sql("INSERT INTO t_grown VALUES (3000000000, 1, 'big')")
    masters[1].sql("INSERT INTO t_longer VALUES (repeat('x', 40), 1, 'long')")
    assert same_rows(masters, "public.t_grown", "public.t_longer")


def test_a_truncate_is_replicated_again(masters, changed):
    masters[1].sql("TRUNCATE t_untruncated")
    assert same_rows(masters, "public.t_untruncated")
    assert masters[0].value("SELECT count(*) FROM t_untruncated") == "0"


def test_an_installation_of_before_is_mended(masters, changed):
    left, _right = masters
    text = left.value(
        "SELECT replace(prosrc, chr(10), ' ') FROM pg_proc WHERE proname = 'delta_public_t_plain'"
    )
    assert "OPERATOR(pg_catalog.<>)" in text
    assert "txid_current()" in text
    settings = "SELECT proconfig FROM pg_proc WHERE proname = 'bucardo_note_truncation'"
    assert left.value(settings).startswith('{"search_path=pg_catalog')
    settings = "SELECT proconfig FROM pg_proc WHERE proname = 'bucardo_delta_check'"
    assert "enable_nestloop=off" in left.value(settings)


def test_no_two_transactions_have_one_time(site, masters, changed):
    """What is done is known to Bucardo by its time: a change that commits later would be lost."""
    left, _right = masters
    with left.unpurged("public.t_plain"):
        left.sql("INSERT INTO t_plain SELECT i, 2, 'row ' || i FROM generate_series(1001, 3000) i")
        site.run(
            left.host,
            'cd /tmp && echo "$SCRIPT" > times.sql && runuser -u postgres --'
            f" pgbench -n -c 16 -j 2 -t 1000 -f times.sql {left.database}",
            SCRIPT=WRITER,
        )
        noted = "SELECT count(*) FROM bucardo.delta_public_t_plain WHERE id > 1000"
        assert int(left.value(noted)) >= 16000
        assert (
            left.sql(
                "SELECT txntime FROM bucardo.delta_public_t_plain"
                " GROUP BY 1 HAVING min(xmin::text) <> max(xmin::text)"
            )
            == []
        )
        # Nor is it much earlier than it was, or later; a transaction has one.
        with left.connected() as session:
            session.sql(
                "BEGIN; UPDATE t_plain SET v = 'x' WHERE id = 1001; SAVEPOINT s;"
                " DELETE FROM t_plain WHERE id = 1002; INSERT INTO t_plain VALUES (3001, 2, 'y')"
            )
            assert session.sql(
                "SELECT count(DISTINCT txntime), count(*), min(now() - txntime) >= '0 s',"
                " max(now() - txntime) <= '0.2 s' FROM bucardo.delta_public_t_plain"
                " WHERE id IN (1001, 1002, 3001) AND txntime > now() - interval '0.2 s'"
            ) == [["1", "3", "t", "t"]]
            session.sql("COMMIT")
        assert same_rows(masters, "public.t_plain")


def test_nothing_of_the_old_names_is_left(masters, changed):
    for master in masters:
        assert (
            master.sql(
                "SELECT relname FROM pg_class WHERE relnamespace = 'bucardo'::regnamespace"
                " AND relname ~ '(t_renamed|public_t_moved|t_dropped)'"
                " UNION ALL SELECT proname FROM pg_proc"
                " WHERE pronamespace = 'bucardo'::regnamespace"
                " AND proname ~ '(t_renamed|public_t_moved|t_dropped)'"
                " UNION ALL SELECT tablename FROM bucardo.bucardo_delta_names"
                " WHERE tablename ~ '(t_renamed|public.t_moved|t_dropped)'"
                " UNION ALL SELECT tablename::text FROM bucardo.bucardo_delta_targets d"
                " WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = d.tablename)"
            )
            == []
        )


def test_the_next_run_changes_nothing(site, inventory, changed):
    assert site.play("bootstrap", inventory).changes == []
    assert not [one for one in preflight(site, inventory) if one[1] in ("enrolment", "unproven")]


def test_columns_that_came_on_all_masters_are_replicated_after_a_run(
    site, masters, inventory, changed
):
    """The running controller knows the columns of before, and a table that is gone."""
    for master in masters:
        master.sql("ALTER TABLE t_wide ADD COLUMN note text; DROP TABLE t_shrinks")
    masters[0].sql("UPDATE t_wide SET note = 'x' WHERE id = 1")
    site.play("bootstrap", inventory)
    masters[1].sql("UPDATE t_wide SET note = 'y' WHERE id = 2")
    masters[0].sql("UPDATE t_plain SET v = 'after the drop' WHERE id = 5")
    assert same_rows(masters, "public.t_wide", "public.t_plain")
    assert masters[1].value("SELECT note FROM t_wide WHERE id = 1") == "x"
    assert not sync(site, inventory)["changed"]


def test_a_column_of_one_master_is_a_blocker(site, masters, inventory, changed):
    masters[0].sql("ALTER TABLE t_single ADD COLUMN note text, ALTER COLUMN tenant TYPE bigint")
    try:
        found = [one for one in preflight(site, inventory) if one[1] == "columns-differ"]
        assert [one[:4] for one in found] == [
            ("blockers", "columns-differ", "public.t_single", "right")
        ]
        assert "note text" in found[0][4]
        assert "tenant" in found[0][4]
    finally:
        masters[0].sql("ALTER TABLE t_single DROP COLUMN note, ALTER COLUMN tenant TYPE integer")


def test_what_was_missed_is_refused_by_name(site, masters, inventory, changed):
    """A change that no trigger saw, and a table that only the origin made anew."""
    left, right = masters
    right.sql(
        "ALTER TABLE t_disabled DISABLE TRIGGER bucardo_delta;"
        " UPDATE t_disabled SET v = 'missed' WHERE id = 40"
    )
    left.sql(
        "DROP TRIGGER bucardo_delta ON t_untriggered;"
        " UPDATE t_untriggered SET v = 'unseen' WHERE id = 42;"
        f"{ON_BOTH['remade']}; INSERT INTO t_remade VALUES (1, 1, 'anew')"
    )
    play = site.play("bootstrap", inventory, check=False)
    assert play.code != 0
    for text in (
        "public.t_disabled on right",
        "public.t_untriggered on right",
        "public.t_remade on right",
        "id=40",
        "reseed",
    ):
        assert text in play.error, text
    # What is written meanwhile waits.
    left.sql("UPDATE t_disabled SET v = 'later' WHERE id = 41")
    assert right.value("SELECT v FROM t_disabled WHERE id = 41") != "later"
    right.sql(
        "SET session_replication_role = replica; UPDATE t_disabled SET v = 'row 40' WHERE id = 40;"
        " UPDATE t_untriggered SET v = 'unseen' WHERE id = 42; DELETE FROM t_remade"
    )
    site.play("bootstrap", inventory)
    assert same_rows(masters, "public.t_disabled", "public.t_remade")
    assert right.value("SELECT v FROM t_disabled WHERE id = 41") == "later"
    assert right.value("SELECT v FROM t_remade WHERE id = 1") == "anew"
