# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every schema of tests/corpus becomes what its header says, between two versions of PostgreSQL.

MULTIMASTER_ALL=1 gives every case a database of its own.
"""

from __future__ import annotations

import json
import os
import sys

import pytest
from servers import REPOSITORY, docker
from site_of_tests import IMAGE, OTHER_IMAGE, PASSWORD

CORPUS = REPOSITORY / "tests" / "corpus"
sys.path.insert(0, str(CORPUS))

from case import every

# The driver runs on the last one, as a bootstrap does, with that one's pg_dump.
HOSTS = ("older", "newer")
IMAGES = dict(zip(HOSTS, sorted((IMAGE, OTHER_IMAGE))))
QUICK = (
    "fsync = off",
    "full_page_writes = off",
    "autovacuum = off",
    "max_locks_per_transaction = 512",
)
PLACE = "/corpus"


@pytest.fixture(scope="module")
def results(site):
    """Name of a case to its problems, or why it was not tried."""
    for host in HOSTS:
        site.configure(host, QUICK)
        site.copy(host, CORPUS / "extension", "/tmp/extension")
        site.run(host, "cp /tmp/extension/* /usr/share/postgresql/*/extension/")
    site.copy_collection("newer", PLACE)
    docker("cp", str(CORPUS), f"{site.container('newer')}:{PLACE}/corpus")
    older, newer = (
        {"host": host, "user": "postgres", "password": PASSWORD, "dbname": "postgres"}
        for host in HOSTS
    )
    order = {
        "pairs": {
            version(site, "older"): {"origin": older, "target": newer},
            version(site, "newer"): {"origin": newer, "target": newer},
        },
        "alone": bool(os.environ.get("MULTIMASTER_ALL")),
    }
    output = docker(
        *("exec", "--env", f"PYTHONPATH={PLACE}", site.container("newer")),
        *("python3", f"{PLACE}/corpus/driver.py", json.dumps(order)),
    )
    return {row["case"]: row for row in map(json.loads, output.splitlines())}


def version(site, host):
    return int(site.psql(host, "postgres", "SHOW server_version_num")) // 10000


@pytest.mark.parametrize("case", every(), ids=lambda case: case.name)
def test_case(results, case):
    result = results[case.name]
    if "skipped" in result:
        pytest.skip(result["skipped"])
    assert not result["problems"], "\n".join(result["problems"])
