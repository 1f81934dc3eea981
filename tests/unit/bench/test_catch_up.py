# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the benchmark of catching up writes, looks at, keeps and tells; the numbers are made up."""

from __future__ import annotations

import collections
import dataclasses
import importlib.util
import json
import pathlib
import xml.etree.ElementTree as ET

import pytest
import runs
import sets
import watch
from runs import Run
from sets import SETS

MIXED = SETS["mixed"]
HERE = pathlib.Path(__file__).resolve()


@pytest.fixture(scope="module")
def report():
    """Another benchmark has a file of the same name."""
    place = HERE.parents[2] / "bench" / "catch_up" / "report.py"
    spec = importlib.util.spec_from_file_location("report_of_catch_up", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("total", "weights", "expected"),
    [(10, [1, 1], [5, 5]), (10, [4, 4, 1], [4, 5, 1]), (1, [1, 1, 1], [0, 1, 0]), (0, [1], [0])],
)
def test_parts(total, weights, expected):
    assert sets.parts(total, weights) == expected


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("changes", [1, 49, 3000, 123_457])
def test_all_changes_are_written_and_the_same_ones_each_time(name, changes):
    one = SETS[name]
    steps = [step for steps in one.transactions(changes) for step in steps]
    assert sum(step.count for step in steps) == changes
    assert all(step.count > 0 for step in steps)
    assert one.write(changes, changes) == one.write(changes, changes)


def test_a_mix_of_all_kinds_in_transactions_over_several_tables():
    transactions = MIXED.transactions(200_000)
    counts = collections.Counter()
    for steps in transactions:
        assert sum(step.count for step in steps) <= 5000
        for step in steps:
            counts[step.kind] += step.count
    assert {kind: round(count / 200_000, 2) for kind, count in counts.items()} == MIXED.mix
    several = [len({step.table.name for step in steps}) > 1 for steps in transactions]
    assert sum(several) >= len(several) - 1
    assert {step.table.name for steps in transactions for step in steps} == set(MIXED.names)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("changes", [3000, 123_457])
def test_each_statement_finds_as_many_rows_as_it_says(name, changes):
    """Or native replication would be waited for in vain: its changes are counted."""
    one = SETS[name]
    sizes = dict(zip(one.names, one._shares(changes)))
    changed, updated, added = (collections.defaultdict(set) for _number in range(3))
    for step in (step for steps in one.transactions(changes) for step in steps):
        places = set(range(step.first, step.first + step.count))
        if step.kind == "again":
            assert places <= updated[step.table.name]
            continue
        seen = added if step.kind == "insert" else changed
        assert not places & seen[step.table.name]
        seen[step.table.name] |= places
        if step.kind == "update":
            updated[step.table.name] |= places
        if step.kind != "insert":
            assert max(places) < sizes[step.table.name]


def test_each_place_has_a_row_of_its_own():
    for size in (1, 2, 3, 70, 1000):
        number = MIXED._number(size).replace("::bigint", "").replace("/", "//")
        assert {eval(number, {"p": p}) for p in range(size)} == set(range(1, size + 1))


def test_kinds_of_tables():
    assert len(MIXED.tables) == len(set(MIXED.names)) == 50
    keys = collections.Counter(tuple(table.key.columns) for table in MIXED.tables if table.wide)
    assert set(keys) == {("id",), ("region", "id"), ("code",)}
    assert MIXED.schema.count("PRIMARY KEY (region, id)") == 16
    assert "PRIMARY KEY" in SETS["single"].schema


class Server:
    """Answers with what is left to answer."""

    def __init__(self, **answers):
        self.answers = answers

    def value(self, query):
        return self.answers[query].pop(0)


def test_the_rows_of_a_queue_are_told_as_changes():
    server = Server(gone=[1000, 1000, 1210, 1441, 1441], over=[False, False, False, True])
    clock = watch.Clock(Run("ours", 400, None, 60), server, watch.Queue("gone", "over", 440))
    # Rolled back deletions are counted, too: it is over when nothing is there.
    assert [clock._look() for _number in range(4)] == [400, 210, 1, 0]


def test_native_replication_is_over_when_all_is_counted():
    server = Server(gone=[5, 5, 404, 405])
    clock = watch.Clock(Run("native", 400, None, 60), server, watch.Queue("gone", "", 400))
    assert [clock._look() for _number in range(3)] == [400, 1, 0]


def test_queries_name_every_table():
    gone, over = watch.queries(MIXED, native=False)
    counted, nothing = watch.queries(MIXED, native=True)
    assert nothing == ""
    for name in MIXED.names:
        assert f"bucardo.delta_public_{name}" in gone
        assert f"bucardo.track_public_{name})" in over
        assert f"public.{name}" in counted


@pytest.fixture
def found():
    backlog = [(0.5, 3000), (20.0, 0)]
    return [
        Run("settings", 3000, 40.0, 60, 80, backlog=backlog),
        Run("ours", 3000, 20.0, 60, 35, 8.0, backlog),
        Run("ours", 3000, 30.0, 60, 35, 8.0, backlog, set="mixed"),
        Run("native", 3000, None, 60, 4, backlog=backlog[:1], set="mixed"),
        Run("ours", 3000, 50.0, 60, 35, 0.0, backlog, set="mixed", killed=2),
    ]


def test_one_of_the_same_set_way_and_size_is_replaced(found, tmp_path):
    file = tmp_path / "deep" / "kept.json"
    assert runs.kept(file) == []
    for run in found:
        runs.keep(file, run)
    again = dataclasses.replace(found[2], seconds=31.0)
    runs.keep(file, again)
    read = [
        dataclasses.replace(run, backlog=[tuple(one) for one in run.backlog])
        for run in runs.kept(file)
    ]
    assert read == [*found[:2], *found[3:], again]


def test_what_was_kept_before_there_were_sets_is_read(tmp_path):
    file = tmp_path / "kept.json"
    file.write_text(json.dumps([{"way": "ours", "changes": 5, "seconds": 1.0, "limit": 9}]))
    assert runs.kept(file)[0].key == ("single", 5, 0, "ours")


def test_text_and_pictures(report, found, tmp_path):
    document = tmp_path / "document.md"
    document.write_text("<!-- catch_up -->\nold\n<!-- end of catch_up -->\n", "utf-8")
    report.write(document, tmp_path, found)
    text = document.read_text("utf-8")
    assert "| single | 3,000 | 40.0 s, 80 MB | 20.0 s (8.0 s), 35 MB | – |" in text
    assert "| mixed | 3,000 | – | 30.0 s (8.0 s), 35 MB | > 60 s, 4 MB |" in text
    assert "| mixed | 3,000, killed 2× | – | 50.0 s, 35 MB | – |" in text
    for name in ("catch-up.svg", "catch-up-mixed.svg"):
        assert f"]({name})" in text
        lines = ET.parse(tmp_path / name).findall(".//{http://www.w3.org/2000/svg}polyline")
        assert len(lines) == 2


def test_figures(report, found):
    figures = {figure.case: figure for figure in report.figures(found)}
    assert figures["single, 3,000 changes: Bucardo, the role's settings"].ratio == 0.5
    assert figures["mixed, 3,000 changes: native logical replication (ended)"].ratio == 0.5
    assert figures["mixed, 3,000 changes, killed 2×: memory"].ours == 35
    assert not any("single" in case and "native" in case for case in figures)
    assert {figure.limit for figure in figures.values()} == {None, 150}
