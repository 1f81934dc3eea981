# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks and events reach the other process as they were."""

from __future__ import annotations

import json

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._seed import tasks
from ansible_collections.multimaster.bucardo.tests.unit.plugins.module_utils._seed.made import name

READ = tasks.Read(2, 10, (2, "-18446744073709551617"))
TASKS = [
    tasks.CopyTables((3, 4)),
    tasks.BeginParts(0),
    tasks.CopyPart(0, (0, 7)),
    tasks.CopyPart(0, (7, None)),
    tasks.ProveParts(0, READ, 12.25),
    tasks.ProveParts(0, tasks.Read(2, 10, None), 12.25),
    tasks.EmptyTable(0),
    tasks.BuildIndex(name("i"), name('odd "t'), True),
    tasks.FinishTable(name("t")),
    tasks.Analyze(name("t")),
    tasks.Refresh(name("v")),
]
EVENTS = [
    tasks.SourceRead((3, 4), 123),
    tasks.Done(),
    tasks.PartsBegun(12.5, 3),
    tasks.PartCopied(READ),
    tasks.Proven((tasks.ProvenTable(3, 2, 10, 0.5, True),), 0),
    tasks.Failed(tasks.MOVED),
    tasks.Failed(tasks.FAILED, "no", {"detail": "Key (id)=(1) already exists."}),
]


def sent(what):
    return json.loads(json.dumps(tasks.to_message(what)))


@pytest.mark.parametrize("task", TASKS, ids=str)
def test_a_task_arrives_as_it_was_sent(task):
    assert tasks.task_of(sent(task)) == task


@pytest.mark.parametrize("event", EVENTS, ids=str)
def test_an_event_arrives_as_it_was_sent(event):
    assert tasks.event_of(sent(event)) == event


def test_every_kind_is_tried_here():
    assert {type(task) for task in TASKS} == set(tasks.Task.__args__)
    assert {type(event) for event in EVENTS} == set(tasks.Event.__args__)


def test_what_came_can_be_a_key():
    """Tuples and names stay what they are, all the way down."""
    for task in TASKS:
        hash(tasks.task_of(sent(task)))


def test_parts_add_up_exactly():
    # more than a float or 64 bits hold
    parts = [
        tasks.Read(2, 10, (2, "18446744073709551617")),
        tasks.Read(1, 5, (1, "-3")),
        tasks.Read(0, 0, (0, "0")),
    ]
    total = tasks.Read(3, 15, (3, "18446744073709551614"))
    assert parts[0] + parts[1] + parts[2] == total


def test_parts_without_proof():
    assert tasks.Read(0, 0, None) + tasks.Read(2, 10, None) == tasks.Read(2, 10, None)
