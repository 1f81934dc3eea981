# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every file of this folder has a site of its own, so that none depends on another."""

from __future__ import annotations

import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "bench")]

from site_of_tests import Master, Site


@pytest.fixture(scope="module")
def site(request: pytest.FixtureRequest):
    """A site with one host, or those that the file names in `HOSTS`, perhaps with `IMAGES`."""
    name = pathlib.Path(request.node.name).stem.removeprefix("test_").replace("_", "-")
    hosts = getattr(request.module, "HOSTS", ("db",))
    with Site(name, hosts, images=getattr(request.module, "IMAGES", None)) as made:
        yield made


@pytest.fixture(scope="module")
def inventory(site: Site, masters: list[Master]):
    """The file's `masters`, which replicate. A file that wants other variables has its own."""
    made = site.inventory(masters)
    site.play("bootstrap", made)
    return made
