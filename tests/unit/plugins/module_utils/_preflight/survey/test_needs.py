# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What preflight makes of the rows that tell what a database needs and a server offers."""

from __future__ import annotations

import typing as t

from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    StatementFailed,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.needs import (
    Needed,
    Needs,
    Offers,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.survey import needs
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.survey.reader import (
    Reader,
)
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils.fake_session import (
    FakeSession,
)


def needed(answers: dict[str, t.Any]) -> Needs:
    return needs.read_needs(Reader(FakeSession({**answers, "": []})))


def offered(answers: dict[str, t.Any], version: int = 150000) -> tuple[Offers, FakeSession]:
    session = FakeSession({**answers, "": []})
    return needs.read_offers(Reader(session), version), session


def test_files_of_a_dictionary_by_its_template() -> None:
    rows = [
        {"by": "dictionary a", "template": "simple", "options": "stopwords = 'own'"},
        {
            "by": "dictionary b",
            "template": "ispell",
            "options": "dictfile = 'de', afffile = 'de', stopwords = 'german'",
        },
        {
            "by": "dictionary c",
            "template": "thesaurus",
            "options": "DictFile = 'x', dictionary = y",
        },
        {"by": "dictionary d", "template": "simple", "options": "accept = 'false'"},
    ]
    assert [(one.by[-1], one.name) for one in needed({"pg_ts_dict d": rows}).dictionary_files] == [
        ("a", "own.stop"),
        ("b", "de.dict"),
        ("b", "de.affix"),
        ("b", "german.stop"),
        ("c", "x.ths"),
    ]


def test_libraries_are_files_below_the_servers_own_directory() -> None:
    rows = [{"name": "$libdir/own", "by": "f()"}, {"name": "$libdir/x/y.so", "by": "g()"}]
    rows.append({"name": "/srv/elsewhere.so", "by": "h()"})
    found = needed({"l.lanname = 'c'": rows}).libraries
    assert found == (Needed("own.so", "f()"), Needed("x/y.so", "g()"))


def test_collations_of_the_system_and_locales_of_users_own() -> None:
    rows = [
        {"name": "de_DE", "provider": "c", "locale": "de_DE.utf8", "is_system": True, "by": "t"},
        {"name": "own", "provider": "c", "locale": "fr_FR.utf8", "is_system": False, "by": None},
        {"name": "icu", "provider": "i", "locale": "", "is_system": False, "by": None},
    ]
    found = needed({"pg_catalog.pg_collation l": rows})
    assert found.collations == (Needed("de_DE", "t"),)
    assert found.locales == (Needed("fr_FR.utf8", "collation own"),)


def test_what_a_server_offers() -> None:
    parameters = {
        "work_mem": None,
        "own.thing": None,
        "shared_preload_libraries": 'pg_cron, "Odd Name"',
        "cron.database_name": "shop",
        "max_prepared_transactions": "5",
    }
    rows = [{"name": name, "setting": value} for name, value in parameters.items()]
    found, session = offered({"FROM pg_catalog.pg_settings": rows})
    assert found.preloaded == ("pg_cron", "Odd Name")
    assert (found.cron_database, found.prepared_transactions) == ("shop", 5)
    assert found.settings
    assert "work_mem" in found.settings
    assert "own.thing" not in found.settings
    assert any("pg_parameter_acl" in text for text in session.texts)
    _found, older = offered({}, version=140000)
    assert not any("pg_parameter_acl" in text for text in older.texts)


def test_what_may_not_be_read_is_not_known() -> None:
    denied = StatementFailed("permission denied", sqlstate="42501")
    found, _session = offered({"pg_ls_dir": denied})
    assert (found.dictionary_files, found.libraries) == (None, None)
