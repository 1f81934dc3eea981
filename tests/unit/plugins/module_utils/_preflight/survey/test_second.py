# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is tried on a target, because lists do not tell whether it works."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    ConnectionFailed,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.facts import (
    Database,
    Server,
    SurveyedMaster,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.needs import Offers
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.survey import second

from ...fake_session import FakeSession

OPTIONS = {"name": "there", "login_host": "there", "login_db": "shop", "maintenance_db": "admin"}
LOCALES = frozenset({"de_de.utf8"})
ORIGIN = SurveyedMaster(
    "here",
    origin=True,
    server=Server(offers=Offers(preloaded=("timescaledb", "pg_cron")), locales=LOCALES),
    database=Database(
        "shop",
        extensions={"timescaledb": "2", "hstore": "1"},
        locale=("de_DE.UTF-8", "de_DE.UTF-8", "c", ""),
    ),
)
TARGET = SurveyedMaster(
    "there",
    server=Server(available={"timescaledb": "2", "hstore": "1"}, locales=LOCALES),
    database=Database("shop"),
)


@pytest.fixture(name="tried")
def _tried(monkeypatch):
    """What is tried where."""
    found = []

    def session(conninfo):
        if conninfo.name == "down":
            raise ConnectionFailed("Cannot connect to there")
        found.append(conninfo.dbname)
        return FakeSession(name=conninfo.name)

    def extensions(_session, names):
        found.append(("extensions", list(names)))
        return dict.fromkeys(names, "must be preloaded")

    def locales(_session, names):
        found.append(("locales", list(names)))
        return {name for name in names if name.startswith("fr")}

    monkeypatch.setattr(second.pg, "Session", session)
    monkeypatch.setattr(second.trials, "refused_extensions", extensions)
    monkeypatch.setattr(second.trials, "known_locales", locales)
    return found


def test_an_extension_whose_library_only_the_origin_preloads(tried):
    found = second.look_again(OPTIONS, TARGET, ORIGIN)
    # Not pg_cron, which its database does not have; nor hstore, which needs no preloading.
    assert tried == ["shop", ("extensions", ["timescaledb"]), ("locales", [])]
    assert found.server.offers.refused_extensions == {"timescaledb": "must be preloaded"}


def test_a_locale_that_was_generated_later_is_in_no_list(tried):
    french = dataclasses.replace(
        ORIGIN.database, extensions={}, locale=("fr_FR.UTF-8", "xx_XX.UTF-8", "c", "")
    )
    found = second.look_again(OPTIONS, TARGET, dataclasses.replace(ORIGIN, database=french))
    assert tried[-1] == ("locales", ["fr_FR.UTF-8", "xx_XX.UTF-8"])
    assert found.server.locales == {"de_de.utf8", "fr_fr.utf8"}


def test_where_the_database_is_still_to_be_cloned_another_one_is_asked(tried):
    second.look_again(OPTIONS, dataclasses.replace(TARGET, database=None), ORIGIN)
    assert tried[0] == "admin"


def test_where_there_is_nothing_to_try_nothing_is_opened(tried):
    plain = dataclasses.replace(ORIGIN, server=Server(locales=LOCALES))
    for target, origin in (
        (TARGET, None),
        (TARGET, SurveyedMaster("here", error="refused")),
        (SurveyedMaster("there", error="refused"), ORIGIN),
        (TARGET, plain),
    ):
        assert second.look_again(OPTIONS, target, origin) is target
    assert tried == []


def test_what_could_not_be_tried_is_noted_and_ends_nothing(tried):
    found = second.look_again({**OPTIONS, "name": "down"}, TARGET, ORIGIN)
    assert found.unread == ("cannot try extensions and locales: Cannot connect to there",)
    assert found.server is TARGET.server


def test_one_origin_or_none():
    assert second.origin_of([TARGET, ORIGIN]) is ORIGIN
    assert second.origin_of([TARGET]) is second.origin_of([ORIGIN, ORIGIN]) is None
