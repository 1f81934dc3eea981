# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables that leave a sync which goes on with the others."""

from __future__ import annotations

import pytest
from site_of_tests import eventually, same_rows

# See CONTRIBUTING.md.
LONG = True

TABLES = ("note", "item", "apple", "pear", "quince")
SCHEMA = "".join(
    f"CREATE TABLE public.{name} (id serial PRIMARY KEY, body text NOT NULL);"
    f"INSERT INTO public.{name} (body) SELECT 'row ' || i FROM generate_series(1, 50) i;"
    for name in TABLES
)
LEDGER = "SELECT table_name FROM multimaster.seed ORDER BY 1"
TRIGGERS = (
    "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE tgname ~ '^bucardo' ORDER BY 1"
)


@pytest.fixture(scope="module")
def masters(site):
    return [site.master("left", schema=SCHEMA), site.master("right")]


@pytest.fixture(scope="module")
def narrow(site, inventory):
    """Leave just these tables in the sync, as the role does, without starting the daemon."""

    def run(*tables, check=True, **options):
        group = {"relgroup": "multimaster", "dbgroup": "multimaster"}
        site.module(
            "bucardo_relgroup",
            inventory,
            name="multimaster",
            db="left",
            tables=[f"public.{table}" for table in tables],
            exclusive=True,
        )
        return site.module(
            "bucardo_sync",
            inventory,
            check=check,
            name="multimaster",
            masters=site.masters_option(inventory),
            **group,
            **options,
        )

    return run


def test_what_waits_of_an_excluded_table_is_replicated_first(masters, narrow):
    left, right = masters
    left.sql("UPDATE quince SET body = 'changed'")
    right.sql("INSERT INTO quince (body) VALUES ('of the right')")
    assert narrow("note", "item", "apple", "pear")["lost"] == []
    assert left.rows("quince") == right.rows("quince")
    assert "quince" not in str(left.sql(TRIGGERS))


def test_without_the_daemon_it_is_named_and_kept(site, inventory, masters, narrow):
    left, right = masters
    site.module("bucardo_daemon", inventory, state="stopped")
    left.sql("UPDATE item SET body = 'changed' WHERE id <= 12; DELETE FROM note WHERE id = 50")
    refused = narrow("note", "apple", "pear", check=False)
    assert "12 on left (public.item 12)" in refused["msg"]
    assert "daemon is not running" in refused["msg"]
    assert [row["changes"] for row in refused["lost"]] == [12]
    assert ["item"] in left.sql(TRIGGERS)
    # A daemon that starts now leaves it out, which must not make anybody forget its queue.
    site.module("bucardo_daemon", inventory, state="started")
    refused = narrow("note", "apple", "pear", check=False, drain_timeout=20)
    assert "12 on left (public.item 12)" in refused["msg"]
    # Taken back, it is replicated like any other.
    narrow(*TABLES[:4])
    assert same_rows(masters, "public.item", "public.note")
    assert ["item"] in right.sql(LEDGER)


def test_with_consent_it_is_lost_and_counted(site, inventory, masters, narrow):
    left, _right = masters
    site.module("bucardo_daemon", inventory, state="stopped")
    left.sql("UPDATE item SET body = 'lost' WHERE id <= 12")
    done = narrow("note", "apple", "pear", discard_queue=True)
    lost = [(row["master"], row["table"], row["changes"]) for row in done["lost"]]
    assert lost == [("left", "public.item", 12)]
    assert "12 on left (public.item 12)" in str(done["warnings"])
    assert ["item"] not in left.sql(TRIGGERS)
    site.module("bucardo_daemon", inventory, state="started")


def test_no_ledger_vouches_for_a_table_whose_trigger_is_gone_elsewhere(
    site, inventory, masters, narrow
):
    """The run ends at the second lock on the first master."""
    left, right = masters
    with left.connected() as reader:
        reader.sql("BEGIN; SELECT FROM pear WHERE id = 1")
        assert eventually(
            lambda: (
                left.value(
                    "SELECT count(*) > 0 FROM pg_stat_activity WHERE state = 'idle in transaction'"
                    " AND now() - xact_start > interval '1 s'"
                )
                == "t"
            )
        )
        failed = narrow("note", check=False, enrol_timeout=4)
    assert "public.pear" in failed["msg"]
    assert ["apple"] not in left.sql(TRIGGERS)
    assert ["apple"] in right.sql(TRIGGERS)
    assert right.sql(LEDGER) == [["note"]]
    # Written while nobody took note of it, then the exclusion is taken back.
    left.sql("UPDATE apple SET body = 'unseen' WHERE id = 1")
    inventory["all"]["vars"]["multimaster_exclude"] = ["public.item", "public.quince"]
    play = site.play("bootstrap", inventory, check=False)
    if play.code:
        assert "public.apple" in play.text
        assert "Hold | " not in play.text
    else:
        assert left.rows("apple") == right.rows("apple")
