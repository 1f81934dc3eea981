# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""To which syncs the corrections of the daemon are attached."""

from __future__ import annotations

import shutil

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import corrections
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.cli import (
    perl_complaint,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.objects import (
    CORRECTIONS,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.writes import Control

from ..fake_session import FakeSession


def written(rows=(), sync="shop"):
    return corrections.writes(Control(FakeSession({"FROM bucardo.customcode": rows})), sync)


def code(sync, source=corrections._SOURCE):
    return {
        "name": CORRECTIONS,
        "whenrun": "before_trigger_disable",
        "src_code": source,
        "about": corrections._ABOUT,
        "getdbh": False,
        "status": "active",
        "sync": sync,
        "schemaname": None,
        "tablename": None,
        "active": True,
        "priority": 0,
    }


def test_it_is_made_and_attached_once():
    insert, *attached = written()
    assert insert.params["src_code"] == corrections._SOURCE
    assert attached[-2].params["keys"] == ["shop"]
    assert written([code("shop")]) == []


def test_another_sync_keeps_it():
    writes = written([code("other")])
    assert any(write.params.get("keys") == ["other", "shop"] for write in writes)


def test_one_of_an_older_release_is_replaced():
    assert written([code("shop", "old")])[0].params["src_code"] == corrections._SOURCE


@pytest.mark.skipif(not shutil.which("perl"), reason="no Perl here")
def test_perl_takes_it():
    assert perl_complaint(corrections._SOURCE) == ""
