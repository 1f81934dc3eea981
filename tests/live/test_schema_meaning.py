# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A clone is judged by what its objects mean, however the server prints them."""

from __future__ import annotations

import pytest
from site_of_tests import same_rows

# Each of these is printed otherwise once its printed form was read back.
SCHEMA = """
CREATE DOMAIN public.level AS varchar(8) CHECK (VALUE IN ('low', 'high'));
CREATE TABLE public.ticket (
    id integer PRIMARY KEY,
    status varchar(20) NOT NULL CHECK (status IN ('open', 'closed')),
    urgency public.level DEFAULT 'low'
);
CREATE INDEX ticket_open ON public.ticket (id) WHERE status IN ('open', 'stuck');
CREATE VIEW public.open_tickets AS SELECT id FROM public.ticket WHERE status IN ('open', 'new');
CREATE MATERIALIZED VIEW public.closed_tickets AS
    SELECT id FROM public.ticket WHERE status IN ('closed', 'dropped');
ALTER TABLE public.ticket ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON public.ticket FOR SELECT USING (status IN ('open', 'closed'));
CREATE FUNCTION public.is_open(s varchar) RETURNS boolean LANGUAGE sql IMMUTABLE
    BEGIN ATOMIC SELECT s IN ('open', 'new'); END;
CREATE FUNCTION public.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER on_status AFTER UPDATE ON public.ticket FOR EACH ROW
    WHEN (NEW.status IN ('open', 'closed')) EXECUTE FUNCTION public.nothing();
INSERT INTO public.ticket VALUES (1, 'open'), (2, 'closed');
"""


@pytest.fixture(scope="module")
def masters(site):
    return [site.master("left", schema=SCHEMA), site.master("right")]


def clone(site, inventory, check=True, turned=False, **options):
    source, target = site.masters_option(inventory)[:: -1 if turned else 1]
    for one in (source, target):
        del one["origin"]
    return site.module(
        "schema_clone", inventory, "postgres", check, source=source, target=target, **options
    )


def databases(site):
    return site.psql("db", "postgres", "SELECT datname FROM pg_database ORDER BY 1").split()


def test_the_servers_really_print_it_differently(site, masters, inventory):
    """Or nothing below would show anything."""
    left, right = (
        master.value(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'c'"
            " AND conrelid = 'public.ticket'::regclass"
        )
        for master in masters
    )
    assert left != right


def test_such_a_schema_is_cloned_and_the_rows_replicate(masters, inventory):
    masters[1].sql("UPDATE public.ticket SET status = 'closed' WHERE id = 1")
    assert same_rows(masters, "public.ticket")


def test_a_second_run_changes_nothing_and_needs_no_scratch_database(site, masters, inventory):
    result = clone(site, inventory)
    assert (result["state"], result["changed"]) == ("identical", False)
    assert not any("CREATE DATABASE" in command for command in result["commands"])
    assert site.play("bootstrap", inventory).changes == []


def test_a_clone_of_the_clone_is_equal_as_well(site, inventory):
    """As after the origin was switched: now the target prints the older form."""
    assert clone(site, inventory, turned=True)["state"] == "identical"
    assert not [name for name in databases(site) if name.startswith("multimaster_")]


@pytest.mark.parametrize(
    ("change", "back", "says"),
    [
        (
            "DROP INDEX public.ticket_open",
            "CREATE INDEX ticket_open ON public.ticket (id) WHERE status IN ('open', 'stuck')",
            "INDEX public.ticket_open (missing)",
        ),
        (
            "ALTER TABLE public.ticket ALTER status SET DEFAULT 'open'",
            "ALTER TABLE public.ticket ALTER status DROP DEFAULT",
            "TABLE public.ticket (differs)",
        ),
        (
            "ALTER TABLE public.ticket DROP CONSTRAINT ticket_status_check, ADD CONSTRAINT"
            " ticket_status_check CHECK (status IN ('open', 'closed', 'lost'))",
            "ALTER TABLE public.ticket DROP CONSTRAINT ticket_status_check, ADD CONSTRAINT"
            " ticket_status_check CHECK (status IN ('open', 'closed'))",
            "TABLE public.ticket (differs)",
        ),
        (
            "GRANT SELECT ON public.ticket TO pg_monitor",
            "REVOKE ALL ON public.ticket FROM pg_monitor",
            "ACL public.TABLE ticket (not in the source)",
        ),
        (
            "ALTER VIEW public.open_tickets OWNER TO pg_monitor",
            "ALTER VIEW public.open_tickets OWNER TO postgres",
            "VIEW public.open_tickets (differs)",
        ),
    ],
)
def test_a_real_difference_is_found_among_them(site, masters, inventory, change, back, says):
    masters[1].sql(change)
    result = clone(site, inventory, check=False)
    masters[1].sql(back)
    assert result["failed"]
    assert says in result["msg"], result["msg"]
    assert result["msg"].count("(differs)") + result["msg"].count("missing)") <= 1, result["msg"]
    assert result["differences"]


def test_the_same_schema_made_by_hand_on_both_sides_is_equal(site, masters, inventory):
    by_hand = [site.master("hand1", schema=SCHEMA), site.master("hand2", schema=SCHEMA)]
    by_hand[1].sql("TRUNCATE public.ticket")
    both = site.inventory(by_hand)
    assert clone(site, both)["state"] == "identical"
    # One of both reads its own printed form back.
    printed = by_hand[1].value(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ticket_status_check'"
    )
    by_hand[1].sql(
        "ALTER TABLE public.ticket DROP CONSTRAINT ticket_status_check,"
        f" ADD CONSTRAINT ticket_status_check {printed}"
    )
    assert clone(site, both)["state"] == "identical"
    assert clone(site, both, turned=True)["state"] == "identical"
