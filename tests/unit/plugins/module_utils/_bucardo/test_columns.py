# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that are columns: one table says everything, and no option is only half there."""

from __future__ import annotations

import dataclasses
import importlib

import pytest
import yaml

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import module as edge
from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible.options import (
    connection_spec,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import (
    catalog,
    columns,
    statements,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.objects import (
    DatabaseRecord,
    Sync,
)

PLUGINS = "ansible_collections.multimaster.bucardo.plugins"
TABLES = {"bucardo_sync": columns.SYNC, "bucardo_db": columns.DATABASE}
# Options that are no columns: what a plan does with them is its own business.
OTHERS = {
    "bucardo_sync": {
        *("name", "state", "relgroup", "dbgroup", "status", "seeded_elsewhere", "truncate", "kick"),
        *("masters", "lock_timeout", "lock_hold", "enrol_timeout", "drain_timeout"),
        *("discard_queue", "reload", "enrol"),
    },
    "bucardo_db": {
        *("name", "masters", "state", "password", "sync", "validate"),
        *("bucardo_ssl_cert", "bucardo_ssl_key"),
    },
}
EACH = [(name, option) for name, table in TABLES.items() for option in table]


def spec_of(name, monkeypatch):
    seen = []
    monkeypatch.setattr(edge, "run", lambda spec, plan, **more: seen.append(spec))
    importlib.import_module(f"{PLUGINS}.modules.{name}").main()
    return seen[0]


def documented(name):
    text = importlib.import_module(f"{PLUGINS}.modules.{name}").DOCUMENTATION
    return yaml.safe_load(text)["options"]


@pytest.mark.parametrize("name", TABLES)
def test_an_option_is_a_column_or_known_to_be_none(name, monkeypatch):
    options = set(spec_of(name, monkeypatch)) - set(connection_spec())
    # An option that is only in the specification would be taken and do nothing.
    assert options == set(TABLES[name]) | OTHERS[name]
    assert not set(TABLES[name]) & OTHERS[name]


@pytest.mark.parametrize(("name", "option"), EACH)
def test_the_table_is_the_specification_and_the_documentation(name, option, monkeypatch):
    column = TABLES[name][option]
    spec, docs = spec_of(name, monkeypatch)[option], documented(name)[option]
    assert (spec["type"], tuple(spec.get("choices", ()))) == (column.type, column.choices)
    assert (docs["type"], tuple(docs.get("choices", ()))) == (column.type, column.choices)
    # What is left out stays as it is.
    assert "default" not in spec
    assert "default" not in docs


@pytest.mark.parametrize(("name", "option"), EACH)
def test_a_column_is_read_under_the_name_of_its_option(name, option):
    query = {"bucardo_sync": catalog._SYNCS, "bucardo_db": catalog._DATABASES}[name]
    assert f'AS "{option}"' in query


SAMPLES = {"bool": True, "int": 2, "str": "text", "dict": {"sslmode": "require"}}


@pytest.mark.parametrize(("name", "option"), EACH)
def test_a_given_option_is_compared_and_written(name, option):
    table = TABLES[name]
    column = table[option]
    value = column.choices[-1] if column.choices else SAMPLES[column.type]
    if value == column.default:
        value = not value
    given = columns.given(table, {**dict.fromkeys(table), option: value})
    assert list(given) == [option]
    assert columns.differing(columns.defaults(table), given) == given
    assert columns.differing({**columns.defaults(table), **given}, given) == {}
    stored = columns.stored(table, given)
    assert list(stored) == [column.column or option]
    assert columns.loaded({option: column}, {option: next(iter(stored.values()))}) == given


def test_every_column_of_a_database_is_a_field():
    fields = {field.name for field in dataclasses.fields(DatabaseRecord)}
    assert set(columns.DATABASE) <= fields
    (write,) = statements.database(DatabaseRecord("here", dbname="shop"), None, new=True)
    assert all(f"%({one.column or name})s" in write.query for name, one in columns.DATABASE.items())


def test_a_sync_shows_its_columns():
    sync = Sync("s", "r", "g", options=columns.defaults(columns.SYNC))
    assert set(columns.SYNC) <= set(sync.to_result())


@pytest.mark.parametrize(
    ("option", "value"),
    [("checktime", None), ("lifetime", None), ("overdue", "00:00:00"), ("expired", "00:00:00")],
)
def test_an_empty_interval_takes_the_setting_away(option, value):
    assert columns.given(columns.SYNC, {option: ""}) == {option: value}


def test_an_interval_is_compared_in_the_form_of_the_server():
    given = columns.given(
        columns.SYNC, {"checktime": "60 seconds"}, lambda option, text: f"{option}={text}"
    )
    assert given == {"checktime": "checktime=60 seconds"}


def test_values_in_their_canonical_form():
    assert columns.given(columns.SYNC, {"conflict_strategy": "here,there  x"}) == {
        "conflict_strategy": "here there x"
    }
    assert columns.given(columns.DATABASE, {"port": 5433, "conn": {"b": 1, "a": "x y"}}) == {
        "port": "5433",
        "conn": "a='x y';b=1",
    }


def test_names_of_databases_are_stored_as_bucardo_needs_them():
    stored = columns.stored(columns.DATABASE, {"dbname": "My Shop", "user": "", "host": ""})
    assert stored == {"dbname": "'My Shop'", "dbuser": None, "dbhost": ""}
    assert columns.DATABASE["dbname"].loaded("'My Shop'") == "My Shop"
