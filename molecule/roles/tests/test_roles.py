# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Roles in somebody else's playbook do what was asked, and only that."""

from __future__ import annotations

from masters import eventually


def control(here, statement):
    """The control database is on the origin's server in this scenario."""
    return here.sql(statement, "bucardo")


def test_names_are_the_users_own(here):
    assert control(here, "SELECT name, herd, dbs, conflict_strategy FROM bucardo.sync") == [
        ["acme_orders", "acme_tables", "acme", "paris oslo"]
    ]
    assert control(here, "SELECT name FROM bucardo.db ORDER BY 1") == [["oslo"], ["paris"]]


def test_only_the_selected_tables_take_part(here):
    members = control(here, "SELECT tablename FROM bucardo.goat ORDER BY 1")
    assert members == [
        [name]
        for name in ("Order Items", "counters", "customers", "documents", "orders", "scratch")
    ]


def test_both_directions(here, there):
    here.sql("INSERT INTO counters VALUES ('from here', 1)")
    there.sql("INSERT INTO counters VALUES ('from there', 2)")
    both = "SELECT count(*) FROM counters WHERE name LIKE 'from %'"
    assert eventually(lambda: here.value(both) == there.value(both) == "2")


def test_rows_of_unselected_tables_are_not_copied(here, there):
    assert int(here.value("SELECT count(*) FROM measurements")) > 0
    assert there.value("SELECT count(*) FROM measurements") == "0"
