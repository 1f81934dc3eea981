# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a check says is what a run does, for the modules that write Bucardo's catalog."""

from __future__ import annotations

import json
import pathlib

import pytest
import yaml

# See CONTRIBUTING.md.
LONG = True

TABLES = ("note", "item")
SCHEMA = "".join(
    f"CREATE TABLE public.{name} (id serial PRIMARY KEY, body text NOT NULL);" for name in TABLES
)
GROUPS = {"relgroup": "multimaster", "dbgroup": "multimaster"}
CODE = {"name": "watch", "relation": "public.item", "relation_db": "left"}
ITEM = {"relation": "public.item", "relation_db": "left", "db": "right"}
# Module and options, in an order in which each finds what the ones before it have left.
STEPS = [
    ("bucardo_setting", {"settings": {"log_level": "verbose", "reason_file": "/tmp/Reason"}}),
    ("bucardo_setting", {"settings": {"log_level": "normal"}, "email_auth_pass": "geheim"}),
    ("bucardo_db", {"name": "third", "dbname": "My Shop", "host": "db3", "status": "inactive"}),
    ("bucardo_db", {"name": "third", "port": 5433, "password": "it's"}),
    ("bucardo_dbgroup", {"name": "more", "members": {"left": "source", "third": "target"}}),
    ("bucardo_dbgroup", {"name": "more", "members": {"left": "source"}}),
    ("bucardo_relgroup", {"name": "few", "db": "left", "tables": ["note", "item"]}),
    ("bucardo_relgroup", {"name": "few", "db": "left", "tables": ["item"], "exclusive": True}),
    ("bucardo_customname", {**ITEM, "newname": "public.thing"}),
    ("bucardo_customname", {**ITEM, "newname": "public.other"}),
    ("bucardo_customcols", {**ITEM, "clause": "SELECT id, body"}),
    ("bucardo_customcode", {**CODE, "whenrun": "exception", "src": "return;", "priority": 3}),
    ("bucardo_customcode", {**CODE, "status": "inactive", "priority": 4}),
    ("bucardo_sync", {"name": "multimaster", **GROUPS, "checktime": "90 seconds", "maxkicks": 7}),
    ("bucardo_sync", {"name": "multimaster", **GROUPS, "checktime": "", "autokick": False}),
    ("bucardo_aside", {"name": "multimaster", "tables": ["public.item"], "state": "aside"}),
    ("bucardo_aside", {"name": "multimaster", "tables": ["public.item"], "state": "back"}),
    ("bucardo_customcode", {"name": "watch", "state": "absent"}),
    ("bucardo_customcols", {**ITEM, "state": "absent"}),
    ("bucardo_customname", {**ITEM, "state": "absent"}),
    ("bucardo_relgroup", {"name": "few", "state": "absent"}),
    ("bucardo_dbgroup", {"name": "more", "state": "absent"}),
    ("bucardo_db", {"name": "third", "state": "absent"}),
    ("bucardo_daemon", {"state": "stopped"}),
    ("bucardo_daemon", {"state": "started"}),
    ("bucardo_sync", {"name": "multimaster", **GROUPS, "enrol": False, "status": "held"}),
    ("bucardo_sync", {"name": "multimaster", "state": "absent"}),
]
IDS = [f"{number}-{name}" for number, (name, _options) in enumerate(STEPS)]


@pytest.fixture(scope="module")
def results(site, tmp_path_factory):
    """Of each step: as a check, as a run, and run again."""
    inventory = site.inventory([site.master("left", schema=SCHEMA), site.master("right")])
    site.play("bootstrap", inventory)
    result = tmp_path_factory.mktemp("changes") / "results.json"
    tasks, names = [], []
    for number, (name, options) in enumerate(STEPS):
        for way in ("check", "run", "again"):
            names.append(f"{way}_{number}")
            tasks.append(
                {
                    f"multimaster.bucardo.{name}": options,
                    "check_mode": way == "check",
                    "diff": True,
                    "register": names[-1],
                    "become": True,
                    "become_user": "bucardo",
                    "ignore_errors": True,
                    "vars": {"ansible_pipelining": True},
                }
            )
    found = ", ".join(f"'{name}': {name}" for name in names)
    write = {
        "ansible.builtin.copy": {"content": "{{ {" + found + "} | to_json }}", "dest": str(result)},
        "delegate_to": "localhost",
        "vars": {"ansible_connection": "local"},
    }
    path = result.with_name("steps.yml")
    play = [{"hosts": "bucardo", "gather_facts": False, "tasks": [*tasks, write]}]
    path.write_text(yaml.safe_dump(play), "utf-8")
    said = site.play(str(path), inventory)
    found = json.loads(pathlib.Path(result).read_text("utf-8"))
    return [
        [found[f"{way}_{n}"] for way in ("check", "run", "again")] for n in range(len(STEPS))
    ], said


def diff_of(result):
    return result["diff"]["before"], result["diff"]["after"]


@pytest.mark.parametrize("number", range(len(STEPS)), ids=IDS)
def test_a_check_says_what_a_run_does(results, number):
    check, run, again = results[0][number]
    assert "msg" not in run, run["msg"]
    assert "msg" not in check, check["msg"]
    assert (check["changed"], run["changed"], again["changed"]) == (True, True, False)
    assert check["commands"] == run["commands"]
    assert run["commands"]
    assert "commands" not in again
    assert check.get("disturbs") == run.get("disturbs")
    if STEPS[number][1].get("state") != "absent" or STEPS[number][0] != "bucardo_sync":
        assert diff_of(check) == diff_of(run)


def test_no_secret_is_shown(results):
    assert "geheim" not in results[1].text
    assert "geheim" not in str(results[0])
    assert "it's" not in str([one.get("commands") for step in results[0] for one in step])
