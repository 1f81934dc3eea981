# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way of every other file here: two databases of one server become masters of each other."""

from __future__ import annotations

import pytest
from site_of_tests import same_rows

# See CONTRIBUTING.md.
LONG = True

SCHEMA = """
CREATE TABLE public.note (id serial PRIMARY KEY, body text NOT NULL);
INSERT INTO public.note (body) SELECT 'note ' || i FROM generate_series(1, 500) i;
"""


@pytest.fixture(scope="module")
def masters(site):
    return [site.master("left", schema=SCHEMA), site.master("right")]


def test_two_databases_of_one_server_become_masters(site, masters):
    left, right = masters
    inventory = site.inventory(masters)
    site.play("bootstrap", inventory)
    assert right.value("SELECT count(*) FROM note") == "500"
    left.sql("INSERT INTO note (body) VALUES ('from the left')")
    right.sql("UPDATE note SET body = 'from the right' WHERE id = 1")
    assert same_rows(masters, "public.note")
    assert left.value("SELECT body FROM note WHERE id = 1") == "from the right"
    assert site.play("bootstrap", inventory).changes == []
