# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may import whom under plugins/, and which files decide without asking anybody.

A folder of plugins/module_utils/ is a floor or a feature; docs/architecture.md shows them.
"""

from __future__ import annotations

import ast
import functools
import os
import pathlib
import re
import subprocess
import sys
import typing as t

import pytest

PLUGINS = pathlib.Path(__file__).resolve().parents[2] / "plugins"
UTILS = PLUGINS / "module_utils"
PACKAGE = "ansible_collections.multimaster.bucardo.plugins"

FLOORS = {
    "_common": set(),
    "_ansible": {"_common", "_postgres"},
    "_postgres": {"_common"},
    "_bucardo": {"_common", "_postgres"},
    "_ledger": {"_common", "_postgres"},
    "_tracking": {"_common", "_postgres", "_bucardo", "_ledger"},
}
# A feature knows no other feature.
FEATURES = dict.fromkeys(
    ("_sync", "_catch_up", "_clone", "_seed", "_compare", "_sequences", "_wake"),
    set(FLOORS) - {"_ansible"},
)
# But preflight judges with the features' own rules what they are going to do.
FEATURES["_preflight"] = set(FLOORS) - {"_ansible"} | {"_clone", "_sequences"}
# And the monitor with what each feature knows of its own state. Its program has the poller in it.
FEATURES["_monitor"] = set(FLOORS) - {"_ansible"} | {"_sequences", "_wake"}
MAY_IMPORT: dict[str, set[str]] = {**FLOORS, **FEATURES}

# Folders inside a feature, one level deep.
INNER = {"_preflight": {"checks", "survey"}}

# Files that neither open, read, wait nor fork, by the floor or feature; `folder/*` is all of one.
PURE = {
    "_common": {"batches", "change", "cures", "errors", "names", "text"},
    "_postgres": {
        *("conninfo", "database", "dump", "identity", "inventory", "locale", "output", "proof"),
        *("roles", "scram", "sql", "tables", "timeouts", "topology"),
    },
    "_bucardo": {
        *("cli_output", "columns", "keys", "object_plan", "objects", "registration"),
        *("standstill", "statements", "status"),
    },
    "_ledger": {"doubts", "foreign", "states"},
    "_tracking": {
        *("copied", "delta_function", "enrolled", "key_match", "kick", "own_function", "plan"),
        "truncate",
    },
    "_wake": {"seen"},
    "_sync": {"commands", "desired", "statements"},
    "_catch_up": {"plan", "statements"},
    "_clone": {"facts", "plan", "schema"},
    "_seed": {
        *("configuration", "constraints", "meter", "options", "outcome", "plan", "refusals"),
        *("schedule", "statements", "tasks"),
    },
    "_compare": {"foreign_keys", "plan", "statements"},
    "_sequences": {"facts", "plan", "selection", "statements", "strategies", "watch"},
    "_monitor": {
        *("detect_masters", "detect_processes", "detect_queues", "detectors", "facts", "mend"),
        *("problem", "render", "shown"),
    },
    "_preflight": {
        *("checks/*", "checklist", "context", "enrolled_findings", "facts", "ledgers"),
        *("key_types", "needs", "registry", "report", "survey/queries"),
    },
}
NOT_PURE = {"multiprocessing", "os", "queue", "select", "signal", "socket", "subprocess"}
NOT_PURE |= {"tempfile", "threading", "time"}

# What breaks the rules still. Never to grow.
KNOWN: set[tuple[str, str]] = set()


class Import(t.NamedTuple):
    module: str
    # Whether it is only needed by annotations.
    typing_only: bool


def files() -> list[pathlib.Path]:
    return sorted(path for path in PLUGINS.rglob("*.py"))


def name_of(path: pathlib.Path) -> str:
    return path.relative_to(PLUGINS).with_suffix("").as_posix()


@functools.cache
def imports(path: pathlib.Path) -> list[Import]:
    """Full names of what a file imports; of `from package import file` the file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    guarded = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    ]
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Import, ast.ImportFrom)):
            continue
        only = any(one.lineno <= node.lineno <= (one.end_lineno or 0) for one in guarded)
        if isinstance(node, ast.Import):
            found += [Import(alias.name, only) for alias in node.names]
            continue
        module = node.module or ""
        if node.level:
            package = [*PACKAGE.split("."), *path.relative_to(PLUGINS).parts[: -node.level]]
            module = ".".join([*package, *([module] if module else [])])
        found += [
            Import(f"{module}.{alias.name}" if is_folder(module) else module, only)
            for alias in node.names
        ]
    return found


def is_folder(module: str) -> bool:
    if not module.startswith(PACKAGE + "."):
        return False
    return PLUGINS.joinpath(*module.removeprefix(PACKAGE + ".").split(".")).is_dir()


def ours(path: pathlib.Path, *, typing_too: bool = True) -> set[str]:
    """The files under plugins/ that a file imports, such as "module_utils/_seed/plan"."""
    return {
        one.module.removeprefix(PACKAGE + ".").replace(".", "/")
        for one in imports(path)
        if one.module.startswith(PACKAGE + ".") and (typing_too or not one.typing_only)
    }


def floor_of(name: str) -> str:
    parts = name.split("/")
    return parts[1] if parts[0] == "module_utils" else parts[0]


def test_every_file_stands_on_a_floor():
    folders = {(floor,) for floor in MAY_IMPORT}
    folders |= {(floor, inner) for floor, some in INNER.items() for inner in some}
    loose = [
        name_of(path)
        for path in UTILS.rglob("*.py")
        if path.relative_to(UTILS).parent.parts not in folders
    ]
    assert loose == []
    assert {path.name for path in UTILS.iterdir() if path.name != "__pycache__"} == set(MAY_IMPORT)


@pytest.mark.parametrize("path", sorted(UTILS.rglob("*.py")), ids=name_of)
def test_a_file_knows_only_the_floors_under_it(path):
    own = floor_of(name_of(path))
    wrong = {
        (name_of(path), name)
        for name in ours(path)
        if floor_of(name) not in MAY_IMPORT[own] | {own}
    }
    assert wrong - KNOWN == set()


def test_no_two_files_import_each_other():
    graph = {name_of(path): ours(path, typing_too=False) for path in UTILS.rglob("*.py")}
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join((*way, name))
        if name not in done:
            for other in sorted(graph.get(name, ())):
                visit(other, (*way, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def is_pure(name: str) -> bool:
    parts = name.split("/")
    if len(parts) < 3:
        return False
    file = "/".join(parts[2:])
    return not {file, file.rpartition("/")[0] + "/*"}.isdisjoint(PURE.get(parts[1], ()))


@pytest.mark.parametrize(
    "path", [path for path in sorted(UTILS.rglob("*.py")) if is_pure(name_of(path))], ids=name_of
)
def test_a_pure_file_asks_nobody(path):
    outside = {one.module.split(".")[0] for one in imports(path) if not one.typing_only}
    assert outside & NOT_PURE == set()
    wrong = {(name_of(path), name) for name in ours(path, typing_too=False) if not is_pure(name)}
    assert wrong - KNOWN == set()


def test_every_pure_file_exists():
    found = {name_of(path) for path in UTILS.rglob("*.py")}
    found |= {name.rpartition("/")[0] + "/*" for name in found}
    named = {f"module_utils/{folder}/{file}" for folder, some in PURE.items() for file in some}
    assert named - found == set()


def test_no_exception_is_kept_for_nothing():
    there = {(name_of(path), name) for path in files() for name in ours(path)}
    assert KNOWN - there == set()


@pytest.mark.parametrize("path", files(), ids=name_of)
def test_one_file_knows_psycopg2_and_one_knows_ansible_module(path):
    modules = {one.module for one in imports(path) if not one.typing_only}
    outside = {module.split(".")[0] for module in modules}
    name = name_of(path)
    if name == "module_utils/_postgres/sql":
        # The part of psycopg2 that knows no server.
        assert {module for module in modules if "psycopg2" in module} == {"psycopg2.sql"}
    elif name != "module_utils/_postgres/pg":
        assert "psycopg2" not in outside
    if name.startswith("module") and name != "module_utils/_ansible/module":
        assert "ansible" not in outside


@pytest.mark.parametrize("path", files(), ids=name_of)
def test_only_the_catalog_talks_to_the_control_database(path):
    """Others hand its session on to who keeps something of his own there, and no more."""
    calls = {"column", "copy", "execute", "execute_script", "row", "rows", "transaction", "value"}
    found = [
        f"line {node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in calls
        if isinstance(node.value, ast.Attribute) and node.value.attr == "session"
        if ast.unparse(node.value.value).rsplit(".", maxsplit=1)[-1] in ("control", "catalog")
    ]
    assert found == []


def test_only_the_edge_knows_check_mode():
    knowing = {
        name_of(path)
        for path in (*UTILS.rglob("*.py"), *(PLUGINS / "modules").glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.arg) and node.arg.strip("_") in ("check_mode", "dry")
    }
    assert knowing == set()


ARCHITECTURE = (PLUGINS.parent / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_the_page_on_architecture_shows_every_folder_and_no_other():
    shown = set(re.findall(r"^\| `(_\w+)` \|", ARCHITECTURE, re.M))
    assert shown == set(MAY_IMPORT)


def test_files_that_the_page_on_architecture_names_are_there():
    named = set(re.findall(r"`(_\w+/[\w/]+\.py)`", ARCHITECTURE))
    assert len(named) > 20
    assert {name for name in named if not (UTILS / name).is_file()} == set()


@pytest.mark.parametrize("path", sorted(UTILS.rglob("*.py")), ids=name_of)
def test_the_first_line_of_a_file_says_what_it_is_for(path):
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    assert text.partition("\n")[0].endswith((".", "?", ")"))


@pytest.mark.parametrize("path", files(), ids=name_of)
def test_files_and_functions_are_short_enough_to_be_read_at_once(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 500
    long = [
        node.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= 60
    ]
    assert long == []


def test_every_file_can_be_imported_without_psycopg2():
    """A module without it says so in its result; only annotations may name what is missing."""
    names = [
        f"{PACKAGE}.{name_of(path).replace('/', '.')}"
        for path in files()
        if name_of(path).startswith("module")
    ]
    script = "import importlib, sys; sys.modules['psycopg2'] = None\n" + "\n".join(
        f"importlib.import_module({name!r})" for name in names
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(PLUGINS.parent / ".cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
