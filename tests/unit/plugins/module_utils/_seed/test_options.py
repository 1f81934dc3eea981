# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module's user says reaches whoever seeds."""

from __future__ import annotations

import dataclasses

import pytest
import yaml

from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.options import Options
from ansible_collections.multimaster.bucardo.plugins.modules import data_seed

DOCUMENTED = yaml.safe_load(data_seed.DOCUMENTATION)["options"]
# Those that are no question of how to seed, and those of another name.
OTHERS = {"source", "target", "progress_dir", "progress_interval", "toast_compression"}
FIELDS = {field.name for field in dataclasses.fields(Options)}


def params(**changes):
    return {name: option.get("default") for name, option in DOCUMENTED.items()} | changes


def test_every_option_has_its_field_and_the_other_way_round():
    assert set(DOCUMENTED) - OTHERS | {"lz4"} == FIELDS


def test_what_is_said_by_default_is_the_same_in_both_places():
    assert data_seed.wanted(params()) == Options(
        tables=["*.*"], exclude=[], replace=[], copy_once=[]
    )


@pytest.mark.parametrize("name", sorted(FIELDS - {"lz4"}))
def test_each_arrives(name):
    given = f"what was said of {name}"
    assert getattr(data_seed.wanted(params(**{name: given})), name) == given


@pytest.mark.parametrize(("said", "lz4"), [("lz4", True), ("server", False)])
def test_compression(said, lz4):
    assert data_seed.wanted(params(toast_compression=said)).lz4 is lz4
