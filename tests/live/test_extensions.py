# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Extensions of Debian's packages: whatever the new master's server lacks is named before anything
happens, step by step, and in the end the database is there, pg_cron with its jobs included."""

from __future__ import annotations

import pytest
from site_of_tests import same_rows

# See CONTRIBUTING.md.
LONG = True

HOSTS = ("here", "there")
# Other servers print the constraint in another way, so that the schemas are compared by meaning.
SCHEMA = """
CREATE EXTENSION pg_cron;
CREATE EXTENSION hypopg;
CREATE EXTENSION pg_stat_statements;
CREATE TABLE beat (id serial PRIMARY KEY, state varchar(9) CHECK (state IN ('on', 'off')));
INSERT INTO beat (state) VALUES ('on');
CREATE VIEW jobs AS SELECT jobname, schedule FROM cron.job;
SELECT cron.schedule('yearly', '0 0 1 1 *', $$INSERT INTO public.beat DEFAULT VALUES$$);
"""
PRELOADED = "shared_preload_libraries = 'pg_cron, pg_stat_statements'"


@pytest.fixture(scope="module")
def packages(site):
    version = site.run("here", "pg_lsclusters --no-header").split()[0]
    return [f"postgresql-{version}-{name}" for name in ("cron", "hypopg")]


@pytest.fixture(scope="module")
def masters(site, packages):
    for package in packages:
        assert site.install("here", package)
    site.configure("here", [PRELOADED, "cron.database_name = 'shop'"])
    return [
        site.master("here", "shop", host="here", schema=SCHEMA),
        site.master("there", "shop", host="there"),
    ]


@pytest.fixture(scope="module")
def plain(site, masters):
    """An inventory; nothing replicates yet."""
    return site.inventory(masters)


def findings(site, plain, **options):
    """Check and object of all blockers."""
    report = site.module(
        *("preflight", plain),
        user="root",
        masters=site.masters_option(plain),
        fail_on_blockers=False,
        **options,
    )
    return {(one["check"], one["object"]): one["message"] for one in report["blockers"]}


def test_packages_that_are_not_installed(site, plain, masters):
    for dry in (True, False):
        assert set(findings(site, plain, dry=dry)) == {
            ("extension-missing", "pg_cron"),
            ("extension-missing", "hypopg"),
        }
    play = site.play("bootstrap", plain, check=False)
    assert "extension pg_cron 1." in play.error
    assert "Install its package on the target server" in play.error
    assert site.psql("there", "postgres", "SELECT 1 FROM pg_roles WHERE rolname = 'bucardo'") == ""


def test_libraries_that_are_not_preloaded(site, plain, packages):
    """And only where the extension needs that: that of pg_stat_statements can be created."""
    for package in packages:
        assert site.install("there", package)
    for dry in (True, False):
        found = findings(site, plain, dry=dry)
        assert set(found) == {("preload-missing", "pg_cron")}
        assert "is preloaded on the origin and not here" in found.popitem()[1]


def test_another_database_of_pg_cron(site, plain):
    site.configure("there", [PRELOADED])
    for dry in (True, False):
        assert findings(site, plain, dry=dry) == {
            ("cron-database", "pg_cron"): "cron.database_name is postgres"
        }


def test_then_all_comes_over(site, plain, masters):
    here, there = masters
    site.configure("there", [PRELOADED, "cron.database_name = 'shop'"])
    assert findings(site, plain, dry=True) == {}
    play = site.play("bootstrap", plain)
    assert "cron.job on here: holds 1 row(s)" in play.text
    assert "every master will run these jobs" in play.text
    assert site.play("bootstrap", plain).changes == []
    extensions = "SELECT extname FROM pg_extension ORDER BY 1"
    assert here.sql(extensions) == there.sql(extensions)
    assert here.rows("cron.job") == there.rows("cron.job")
    assert there.sql("SELECT * FROM jobs") == [["yearly", "0 0 1 1 *"]]
    # Its own numbers go on behind those that came over.
    assert there.value("SELECT cron.schedule('monthly', '0 0 1 * *', 'SELECT 1')") == "2"
    for master, state in zip(masters, ("on", "off")):
        master.sql(f"INSERT INTO beat (state) VALUES ('{state}')")
    assert same_rows(masters, "beat")
