# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked about a job in the background, and what the answers mean (pure).

An answer counts when it is whole: whatever a connection, sudo or a full disk leave of it says
nothing about the job.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
import typing as t

_MARK = "multimaster-look"

# The module's result is not written yet, and its process lives.
RUNNING = "running"
# The result was written.
ENDED = "ended"
# No process of it lives, and it has not written a result.
GONE = "gone"
# There is no file any more into which a result could be written.
LOST = "lost"
# No answer to that question.
SILENT = "silent"


@dataclasses.dataclass(frozen=True)
class Job:
    """A module in the background.

    :param directory: with its progress, and the lease that keeps it going.
    :param module_directory: with the module's file, as `.../ansible-tmp-...`.
    :param results_file: of Ansible's wrapper.
    :param id: Ansible's name of it.
    """

    directory: str
    module_directory: str
    results_file: str
    id: str


@dataclasses.dataclass(frozen=True)
class Look:
    """One answer."""

    state: str
    progress: dict[str, t.Any] = dataclasses.field(default_factory=dict)


def prepare(module_directory: str, minutes: int) -> str:
    """A shell command that makes a job's directory and prints its name, `new NAME`.

    Before it, `left DIRECTORY` for each job of a play that was killed: its module's file holds
    passwords. These jobs' files are removed, as far as this user may.

    :param minutes: without a sign of life after which a job without a process was left.
    """
    # -f, since grep would find itself by a pattern in its command line.
    return f"""
umask 077
m={shlex.quote(module_directory)}
t="${{TMPDIR:-/tmp}}/multimaster"
for o in "$t".*
do
    [ -O "$o" ] && [ ! -L "$o" ] && [ -s "$o/module" ] || continue
    fresh=$(find "$o" -maxdepth 0 -mmin -{minutes}; find "$o/lease" -mmin -{minutes})
    [ -z "$fresh" ] || continue
    [ ! -r /proc/self/cmdline ] || ! grep -qsaF -f "$o/module" /proc/[0-9]*/cmdline || continue
    l=$(cat "$o/module")
    case "$l" in */../*) continue;; */ansible-tmp-*) ;; *) continue;; esac
    echo "left $l"
    rm -rf "$l"
    [ ! -s "$o/results" ] || rm -f "$(cat "$o/results")"
    rm -rf "$o"
done 2>/dev/null
d=$(mktemp -d "$t.XXXXXXXX") && echo "$m" > "$d/module" && : > "$d/lease" && echo "new $d"
""".strip()


def prepared(rc: int, stdout: str, module_directory: str) -> tuple[str, list[str]]:
    """The new directory, "" when there is none, and what killed plays left beside ours."""
    words = [line.split(" ", 1) for line in stdout.splitlines() if " " in line]
    made = [name for word, name in words if word == "new" and rc == 0]
    parent = os.path.dirname(module_directory.rstrip("/"))
    left = [
        name.rstrip("/")
        for word, name in words
        if word == "left"
        # The file that says it belongs to the user that ran the module: trusted so far, no farther.
        and os.path.dirname(name.rstrip("/")) == parent
        and re.fullmatch(r"ansible-tmp-[0-9.-]+", os.path.basename(name.rstrip("/")))
    ]
    return (made[-1] if made else ""), left


def command(job: Job) -> str:
    """A shell command that renews the lease and tells how the job is."""
    directory, results = shlex.quote(job.directory), shlex.quote(job.results_file)
    name = os.path.basename(job.module_directory.rstrip("/"))
    # In brackets, or the pattern would find the shell that looks.
    pattern = shlex.quote(f"{re.escape(name[:-1])}[{name[-1]}]/")
    return (
        f"d={directory}; r={results}; touch -c $d/lease;"
        ' [ ! -d "$d" ] || [ -s $d/results ] || echo "$r" 2>/dev/null > $d/results;'
        " cat $d/progress.json 2>/dev/null; echo;"
        " alive=alive; [ ! -r /proc/self/cmdline ]"
        f" || grep -qsa -e {pattern} /proc/[0-9]*/cmdline || alive=dead;"
        # In this order: a job that ends in between has its result written.
        ' if [ ! -e "$r" ]; then s=lost;'
        """ elif head -c 200 "$r" | grep -q '^{"started":'; then s=started; else s=ended; fi;"""
        f" echo {_MARK} $s $alive end"
    )


def read(rc: int, stdout: str) -> Look:
    """What a look has found."""
    text, _mark, rest = stdout.rpartition(_MARK)
    words = rest.split()
    if rc != 0 or len(words) != 3 or words[2] != "end":
        return Look(SILENT)
    return Look(_state(*words[:2]), _progress(text))


def _state(result: str, process: str) -> str:
    if result == "ended":
        return ENDED
    if result == "lost":
        return LOST
    if result == "started":
        return RUNNING if process == "alive" else GONE
    return SILENT


def _progress(text: str) -> dict[str, t.Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def judge(collected: t.Mapping[str, t.Any], returned: t.Collection[str]) -> str:
    """What Ansible's answer to the question for the result stands for.

    :param returned: keys that every result of a success has.
    :return: `ENDED` only for the module's own and finished result.
    """
    if not is_answer(collected):
        return SILENT
    if not collected.get("finished"):
        return RUNNING
    if collected.get("started"):
        # Ansible's own words: there is no such job, or its file makes no sense.
        return LOST
    if collected.get("failed"):
        # The wrapper's words for a module that wrote nothing that makes sense.
        return GONE if "cmd" in collected and {"data", "outdata"} & collected.keys() else ENDED
    if "changed" not in collected or any(key not in collected for key in returned):
        return GONE
    return ENDED


def is_answer(result: t.Mapping[str, t.Any]) -> bool:
    """Whether a module has given one. The others have Ansible's words for what makes no sense."""
    return "module_stdout" not in result and result.get("_ansible_parsed") is not False


def own(collected: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The module's result without what the work in the background added."""
    added = ("ansible_job_id", "started", "finished", "results_file")
    return {key: value for key, value in collected.items() if key not in added}
