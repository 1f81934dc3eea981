# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a master is still the one that was last seen, and how that is remembered."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._ledger import sightings
from ansible_collections.multimaster.bucardo.plugins.module_utils._ledger.sightings import (
    PLACED,
    WENT_BACK,
    Sighting,
)

from ..fake_session import FakeSession

PLACE = "00000001/7/16400/shop"
LAST = Sighting(PLACE, "token")
SIGHTED = "to_regclass('multimaster.sighted')"


@pytest.mark.parametrize(
    ("last", "place", "token", "why"),
    [
        (None, PLACE, "", ""),
        (LAST, PLACE, "token", ""),
        # Its server is on another timeline, or is another server.
        (LAST, "00000002/7/16400/shop", "token", PLACED),
        # A backup was started: it knows what it was given before.
        (LAST, PLACE, "older", WENT_BACK),
        (LAST, PLACE, "", WENT_BACK),
        # The run that gave it a token was killed, before or after.
        (Sighting(PLACE, "token", "next"), PLACE, "token", ""),
        (Sighting(PLACE, "token", "next"), PLACE, "next", ""),
        (Sighting(PLACE, "token", "next"), PLACE, "older", WENT_BACK),
        # The first one was promised, and never kept: the place is only known since.
        (Sighting("somewhere", "", "next"), PLACE, "next", ""),
        (Sighting("somewhere", "", "next"), PLACE, "", ""),
    ],
)
def test_what_has_happened_since(last, place, token, why):
    assert sightings.changed(last, place, token) == why


def master(name="here", token="token", timeline="00000001", sighted=True):
    return FakeSession(
        {
            SIGHTED: [{"is": sighted}],
            "SELECT token FROM multimaster.sighted": [{"token": token}] if token else [],
            "pg_is_in_recovery": [{"is": False}],
            "pg_walfile_name": [{"timeline": timeline}],
            "system_identifier": [{"identity": "7/16400/shop"}],
            "WITH ours AS": [],
            "SELECT EXISTS (SELECT FROM multimaster.sighted)": [{"is": False}],
        },
        name,
    )


def control(*rows, there=True):
    return FakeSession(
        {
            "to_regclass('multimaster.sighting')": [{"is": there}],
            "FROM multimaster.sighting": [dict(row) for row in rows],
            "WITH ours AS": [],
            "gen_random_uuid": [{"token": "new"}],
        }
    )


def row(db, token="token", next_token=None):
    return {"db": db, "place": PLACE, "token": token, "next_token": next_token}


def test_only_masters_that_changed_are_named():
    seen = control(row("here"), row("there"), row("third"))
    masters = {
        "here": master(),
        "there": master(timeline="00000002"),
        "third": master(token="older"),
        "new": master(token="", sighted=False),
    }
    assert sightings.look(seen, "shop", masters) == {"there": PLACED, "third": WENT_BACK}


def test_where_nothing_was_ever_noted_nothing_has_changed():
    assert sightings.look(control(there=False), "shop", {"here": master()}) == {}


def test_a_token_is_promised_given_and_kept_in_this_order():
    log = []

    class Logged(FakeSession):
        def execute(self, query, params=None):
            log.append((self.conninfo.name, query.split()[0], params))
            return super().execute(query, params)

        def execute_script(self, text):
            log.append((self.conninfo.name, "CREATE", None))

    here = Logged(master().answers | {SIGHTED: [{"is": False}]}, "here")
    known = Logged(control(there=False).answers, "control")
    sightings.note(known, "shop", {"here": here})
    said = {"dbgroup": "shop", "db": "here", "place": PLACE, "token": "new"}
    assert log == [
        ("control", "CREATE", None),
        ("control", "INSERT", said),
        ("here", "CREATE", None),
        ("here", "INSERT", ("shop", "new")),
        ("control", "UPDATE", said),
    ]


def given(session):
    return [ran.params for ran in session.ran if ran.text.startswith("INSERT")]


def test_those_who_stay_get_one_token_unless_one_of_them_went_back():
    here, there = master(), master()
    seen = control(row("here"), row("there"), row("third"))
    sightings.renew(seen, "shop", {"here": here, "there": there})
    assert given(here) == given(there) == [("shop", "new")]
    here, third = master(), master(token="older")
    sightings.renew(seen, "shop", {"here": here, "third": third})
    assert given(here) == given(third) == []


def test_a_master_that_leaves_forgets_and_keeps_no_empty_table():
    here = master()
    sightings.forget(here, "shop")
    assert here.ran[1][:] == ("DELETE FROM multimaster.sighted WHERE dbgroup = %s", ("shop",))
    assert here.texts[-1] == "DROP TABLE multimaster.sighted"
    here = master(sighted=False)
    sightings.forget(here, "shop")
    assert len(here.ran) == 1
