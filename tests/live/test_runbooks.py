# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What docs/runbooks says helps: conflicting-rows.md and not-equal.md, step by step.

Others of its pages have files of their own, which they name.
"""

from __future__ import annotations

import pathlib
import re
import shlex

import pytest
from servers import REPOSITORY
from site_of_tests import eventually, same_rows

# See CONTRIBUTING.md.
LONG = True

SCHEMA = """
CREATE TABLE public.customer (id int PRIMARY KEY, address text NOT NULL UNIQUE);
INSERT INTO public.customer SELECT i, 'address ' || i FROM generate_series(1, 200) i;
CREATE TABLE public.note (id int PRIMARY KEY, body text NOT NULL);
INSERT INTO public.note SELECT i, 'note ' || i FROM generate_series(1, 200) i;
"""
BEHIND_OUR_BACK = "SET session_replication_role = replica; "


@pytest.fixture(scope="module")
def masters(site):
    return [site.master("left", schema=SCHEMA), site.master("right")]


def command(page, program, holding="", **names):
    """The first command of a program on a page, of those that hold a text."""
    text = (REPOSITORY / "docs" / "runbooks" / page).read_text("utf-8").replace("\\\n", " ")
    lines = re.findall(rf"^ *({re.escape(program)} .*)$", text, re.M)
    found = next(line for line in lines if holding in line)
    for name, value in names.items():
        found = found.replace(name, value)
    return found


def words(line):
    """As a shell splits it, without the program and the inventory."""
    some = shlex.split(line)[1:]
    place = some.index("-i")
    return some[:place] + some[place + 2 :]


def test_rows_that_cannot_be_together(site, masters, inventory):
    left, right = masters
    left.sql("INSERT INTO customer VALUES (1001, 'one for both')")
    right.sql("INSERT INTO customer VALUES (1002, 'one for both')")
    left.sql("INSERT INTO note VALUES (1001, 'of another table')")
    assert eventually(
        lambda: "public.customer" in site.play("status", inventory, check=False).error
    )
    said = site.play("status", inventory, check=False).error
    assert "(id)=(1001) on left; (id)=(1002) on right" in said

    site.ad_hoc(inventory, *words(command("conflicting-rows.md", "ansible bucardo")))
    site.bucardo("kick", "multimaster", "0")
    assert eventually(lambda: right.value("SELECT 1 FROM note WHERE id = 1001") == "1")

    right.sql("UPDATE customer SET address = 'one of its own' WHERE id = 1002")
    site.play("bootstrap", inventory)
    assert same_rows(masters, "customer", "note")
    site.play("verify", inventory)
    site.play("status", inventory)


def test_some_rows_that_differ(site, masters, inventory):
    left, right = masters
    right.sql(
        BEHIND_OUR_BACK + "UPDATE note SET body = 'wrong' WHERE id = 1;"
        " DELETE FROM note WHERE id = 2; INSERT INTO note VALUES (3000, 'nobody wrote this')"
    )
    said = site.play("verify", inventory, check=False)
    assert said.code != 0
    assert "public.note" in said.error

    left.sql("UPDATE note SET body = body WHERE id IN (1, 2)")
    right.sql("DELETE FROM note WHERE id = 3000")
    assert same_rows(masters, "note")
    assert left.value("SELECT body FROM note WHERE id = 1") == "note 1"
    assert left.value("SELECT count(*) FROM note WHERE id IN (2, 3000)") == "1"
    site.play("verify", inventory)


def test_many_rows_that_differ(site, masters, inventory):
    left, right = masters
    right.sql(BEHIND_OUR_BACK + "UPDATE customer SET address = id || ' is wrong'")
    assert site.play("verify", inventory, check=False).code != 0
    line = command("not-equal.md", "ansible-playbook multimaster.bucardo.reseed", NAME="right")
    _playbook, *options = words(line)
    site.play("reseed", inventory, *options)
    assert same_rows(masters, "customer")
    assert left.value("SELECT address FROM customer WHERE id = 1") == "address 1"
    site.play("verify", inventory)


def test_every_page_names_the_test_that_follows_it():
    for page in (REPOSITORY / "docs" / "runbooks").glob("*.md"):
        (file,) = re.findall(r"^Exercised by `(tests/live/\w+\.py)`", page.read_text("utf-8"), re.M)
        assert pathlib.Path(REPOSITORY, file).exists(), page
