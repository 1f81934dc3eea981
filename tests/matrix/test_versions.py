# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Origin and second master of different major versions, through all that a user does.

One container has servers of all versions; Bucardo's control database is in that of 17. Without
MULTIMASTER_ALL=1 only the pairs of QUICK.
"""

from __future__ import annotations

import json
import os
import pathlib
import time

import features
import pytest
from disturbances import writing
from site_of_tests import PASSWORD, Master, Site, eventually, same_rows

CONTROL = 17
IMAGE = "multimaster/versions:trixie"
# Those that people meet when they upgrade or scale out, and one step back.
PAIRS = [
    *((13, 13), (13, 15), (13, 17), (13, 18), (14, 16), (14, 18), (15, 15), (15, 17), (15, 18)),
    *((16, 18), (17, 17), (17, 18), (18, 18), (17, 15)),
]
QUICK = [(13, 17), (15, 18)]
CHOSEN = PAIRS if os.environ.get("MULTIMASTER_ALL") else QUICK
SIZES = '"Größe\'s & co"'
RESULTS = pathlib.Path(__file__).resolve().parents[2] / ".cache" / "matrix.json"


def port_of(version: int) -> int:
    return 5432 if version == CONTROL else 5400 + version


@pytest.fixture(scope="module")
def site():
    with Site("versions", image=IMAGE) as made:
        host = made.hosts[0]
        for version in sorted({one for pair in CHOSEN for one in pair} - {CONTROL}):
            made.run(
                host,
                f"set -e; pg_createcluster --port {port_of(version)} {version} main >/dev/null;"
                f" from=/etc/postgresql/{CONTROL}/main; to=/etc/postgresql/{version}/main;"
                " cp $from/pg_hba.conf $from/pg_ident.conf $to/;"
                " cp -r $from/conf.d $to/; chown -R postgres: $to;"
                f" pg_ctlcluster {version} main start",
            )
            made.psql(
                host, "postgres", f"ALTER ROLE postgres PASSWORD $${PASSWORD}$$", port_of(version)
            )
        yield made


@pytest.fixture(scope="module")
def results():
    """What was seen, for docs/support.md."""
    found: list[dict[str, object]] = []
    yield found
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


@pytest.fixture
def masters(site, request):
    """A live database of the one version, and where the other is to come."""
    one, two = request.param
    host = site.hosts[0]
    made = [
        Master(site, "here", host, "shop", port_of(one)),
        Master(site, "there", host, "shop_too" if one == two else "shop", port_of(two)),
    ]
    site.psql(host, "postgres", "CREATE DATABASE shop TEMPLATE template0", port_of(one))
    made[0].sql(features.schema(min(one, two)))
    yield made
    for master in made:
        site.psql(
            host, "postgres", f"DROP DATABASE IF EXISTS {master.database} WITH (FORCE)", master.port
        )


def tables(master: Master) -> list[str]:
    return [
        row[0]
        for row in master.sql(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace = 'public'::regnamespace ORDER BY 1"
        )
    ]


@pytest.mark.parametrize(
    "masters", CHOSEN, ids=lambda pair: f"{pair[0]} to {pair[1]}", indirect=True
)
def test_a_second_master_of_another_version(site, masters, results, request):
    here, there = masters
    one, two = request.node.callspec.params["masters"]
    inventory = site.inventory(masters)
    began = time.monotonic()
    with writing(here, "INSERT INTO note (body) VALUES ('live')"):
        site.play("bootstrap", inventory)
    names = tables(here)
    assert tables(there) == names
    assert here.value("SELECT count(*) > 300 FROM note") == "t"
    assert same_rows(masters, *names)
    there.sql("UPDATE customer SET mood = 'happy', status = 'closed' WHERE id % 5 = 0")
    there.sql("INSERT INTO note (body) VALUES ('from there'); DELETE FROM part WHERE id = 7")
    here.sql(f'UPDATE {SIZES} SET "der Wert" = 0')
    assert same_rows(masters, *names)
    for master in masters:
        assert master.value("SELECT count(*) FROM customer WHERE mood = 'happy'") == "60"
        assert master.value(f'SELECT sum("der Wert") FROM {SIZES}') == "0"
    assert site.play("bootstrap", inventory).changes == []
    site.play("verify", inventory)
    assert eventually(lambda: site.play("status", inventory, check=False).code == 0)
    confirmed = ("--extra-vars", "multimaster_confirm_teardown=multimaster")
    site.play("teardown", inventory, *confirmed)
    for master in masters:
        left = "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'bucardo%'"
        assert master.value(left) == "0"
    results.append(
        {
            "origin": here.value("SHOW server_version").split()[0],
            "target": there.value("SHOW server_version").split()[0],
            "pair": [one, two],
            "seconds": round(time.monotonic() - began),
        }
    )
