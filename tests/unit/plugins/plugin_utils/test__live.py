# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.multimaster.bucardo.plugins.action import bucardo_kick, data_seed

STATE = {
    "phase": "copy",
    "round": 1,
    "tables_total": 1011,
    "tables_done": 12,
    "bytes_total": 2_000_000_000,
    "bytes_done": 500_000_000,
    "streamed": 600_000_000,
    "rate": 50_400_000.0,
    "remaining": 30.2,
    "indexes_total": 0,
    "indexes_done": 0,
    "snapshot_age": 12.0,
    "elapsed": 13.0,
    "current": ["public.a", "public.b"],
}


def line(plugin, state, args, detailed=False):
    return plugin.ActionModule.line(object(), state, args, detailed)


def test_line_of_a_copy():
    assert line(data_seed, STATE, {"target": {"name": "there"}}) == (
        "seed of there: 25 % of 2.0 GB, 50 MB/s, about 30 s left, 12 of 1011 tables;"
        " now public.a, public.b"
    )


def test_more_detail_on_demand():
    text = line(data_seed, STATE, {}, True)
    assert "round 1, 600 MB read in 13 s, snapshot held for 12 s" in text


def test_line_of_indexes():
    state = {**STATE, "phase": "indexes", "indexes_total": 7, "indexes_done": 3, "current": []}
    assert line(data_seed, state, {}) == "seed: 3 of 7 indexes"


def test_nothing_to_say_before_it_has_begun():
    assert line(data_seed, {**STATE, "phase": "start", "current": []}, {}) == ""


def test_line_of_a_queue():
    state = {
        "waited": 120,
        "left": {"here": 20, "there": 3},
        "tables": ["public.a"],
        "oldest": 62,
        "runs": 1,
        "elapsed": 3,
    }
    assert line(bucardo_kick, state, {"name": "multimaster"}) == (
        "sync multimaster: 23 of 120 changes wait (20 on here, 3 on there),"
        " the oldest for 1 min 02 s; public.a"
    )
    assert line(bucardo_kick, {**state, "left": {}}, {}) == ""
