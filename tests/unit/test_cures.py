# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What happens to the data when a tired DBA does exactly what a message says, on the wrong master.

Every text that tells people what to do is collected from the code and the plays. One that speaks of
something that may destroy needs an answer here; some are never allowed.
"""

from __future__ import annotations

import ast
import functools
import pathlib
import re

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Whose second argument is a cure; the position is another for some.
CALLS = {"check": 3, "Hit": 3, "kind": 1, "Interrupted": 1, "Problem": 1, "Unshareable": 2}
CALLS["Alarm"] = 2
ERRORS = re.compile(r"^(Refused|Blocked|Pooled|DeadlineExceeded|\w*Error|\w*Failed)$")

DESTROYS = re.compile(
    r"\b(empt(y|ied)|drop(s|ped)?|truncate[sd]?|delete[sd]?|disable[sd]?|remove[sd]?|forget"
    r"|rollback|rolls? back|rename[sd]?|reset|exclude[sd]?|leave (it|them) out"
    r"|take (it|them|the \w+) out|end it|kill|promote|restore|overwrite|discard|discard_queue"
    r"|replace|terminate|teardown|reseed|lost|seeded_elsewhere)\b",
    re.IGNORECASE,
)
# What no message may say, whatever the reason: each has emptied a live master.
NEVER = re.compile(
    r"\b(empty (it|the|them|a)|truncate (it|the|them)|drop (it|the table|the database|the target)"
    r"|disable trigger|disable it|delete (the|its|all) rows|promote this"
    r"|release it with|status: active)\b",
    re.IGNORECASE,
)

EXCLUDED = (
    "Excluding takes a table out of a sync only after what waits of it is replicated, or refuses"
    " and says how much would be lost; no row is touched on any master."
)
RENAMED = (
    "A rename keeps all rows. On one master alone the next run says that the table is missing; one"
    " that is enrolled is enrolled anew under its new name, and proven."
)
DRAINED = "Removing a sync drains its queue first, or refuses; rows stay on every master."
REPLACE = (
    "If these rows may go, name the table in data_seed_replace (option replace of data_seed): they"
    " are removed on this master alone, and the origin's are copied; the playbook"
    " multimaster.bucardo.reseed does it while the other masters go on."
)
REPLACED = (
    "Rows go on a master that was named, never on the origin, which is refused; in replica role, so"
    " that nothing of it reaches another master. Who names a table says that rows which this master"
    " alone has may go; reseed brings them over first, or names them and wants a variable."
)
CHOSEN = (
    "Rows go on all masters but the one that was chosen, for which there is no default; changes"
    " that wait on another are named first and want a variable, and those that were noted nowhere"
    " are what the choice is about."
)
NOTHING = "Changes no row and nothing that is enrolled."

# Text to what happens when it is done on the wrong master.
ANSWERS: dict[str, str] = {
    "Add a primary key, or exclude the table (multimaster_exclude).": EXCLUDED,
    "Add a primary key, or set the columns NOT NULL, or exclude the table"
    " (multimaster_exclude).": EXCLUDED,
    "ALTER ROLE ... IN DATABASE ... RESET ...: the bootstrap sets what is needed for the"
    " role.": NOTHING,
    "ALTER ROLE {} IN DATABASE {} RESET {}.": NOTHING,
    "ALTER TABLE ... REPLICA IDENTITY USING INDEX (or FULL) on this master, take DELETE out of what"
    " the publication publishes, or exclude the table (multimaster_exclude).": EXCLUDED,
    "ALTER TABLE ... SET LOGGED, or remove it from tables.": EXCLUDED,
    "Correct the spelling, capitals included, or remove the entry.": EXCLUDED,
    "Correct the tables or take them out of the relgroup.": EXCLUDED,
    "Exclude the table.": EXCLUDED,
    "Exclude the table (multimaster_exclude), or give it a primary key of integer, uuid, text,"
    " bytea, an enumeration, a time, a network address or numeric with a number of"
    " digits.": EXCLUDED,
    "Nothing while the table is small; else give it a key of another type, or exclude"
    " it.": EXCLUDED,
    "Nothing, if no application does; else exclude the table (multimaster_exclude).": EXCLUDED,
    "RESET it on the origin for what the finding names; newer servers do without it.": NOTHING,
    "Write these keys without a backslash, or exclude the table (multimaster_exclude).": (
        EXCLUDED + " A changed key is a change like others."
    ),
    "Leave it out.": EXCLUDED,
    "Nothing of it was changed. Give the extension the same version on both sides, or put the table"
    " into exclude (the roles' multimaster_exclude) to leave it alone.": EXCLUDED,
    "Make sure that only one master writes rows that can exclude each other.": NOTHING,
    "Name the partitions instead; remove the others from tables.": EXCLUDED,
    "Put it into exclude to say that you know.": EXCLUDED,
    "Remove it from tables.": EXCLUDED,
    "Remove the sequence from the relgroup.": (
        "The sequence is no longer set on the other masters; its values stay."
    ),
    "Remove the table from one of them, or use another dbgroup.": EXCLUDED,
    "Rename one of them on every master, or exclude it.": RENAMED,
    "Rename the column on every master, or exclude the table.": RENAMED,
    "Rename the table on every master, or exclude it.": RENAMED,
    "Rename the table or schema on every master (other letters than ASCII's take several bytes), or"
    " exclude it.": RENAMED,
    "Take partitions instead of their parent, or leave it out with exclude.": EXCLUDED,
    "Widen tables, or narrow exclude.": NOTHING,
    "Let the application that prepared it end it: COMMIT PREPARED keeps what it wrote, ROLLBACK"
    " PREPARED throws it away.": (
        "Only that transaction's own changes are concerned, and the text says how."
    ),
    "Wait for its end; pg_terminate_backend() would roll back what it did.": (
        "Only that transaction's own changes are concerned, and the text says so."
    ),
    "If that replication is in use, name its control database; the playbook teardown, with that"
    " sync's name, removes what is left of one that is gone.": (
        "The teardown of a sync that is in use asks for its name, drains it, and keeps all rows."
    ),
    "Choose another name, or remove that sync first (state=absent).": DRAINED,
    "Remove the sync first, or take the database out of its dbgroup.": (
        DRAINED + " A database that left its group is not believed when it comes back."
    ),
    "Remove the sync first.": DRAINED,
    "Hold the sync first (bucardo_sync with status held), as the playbook"
    " multimaster.bucardo.reseed does.": (
        "Changes queue while it is held; nothing is lost, and bootstrap releases it."
    ),
    "Set replication_truncate to delete and run the playbook bootstrap: its comparison names the"
    " rows that differ.": (
        "From then on a TRUNCATE deletes the rows that are there, on every master; no row goes now."
    ),
    "Choose the master whose rows are right, and run the playbook reseed with"
    " multimaster_reseed_from=NAME and multimaster_reseed_tables.": CHOSEN,
    "Once all masters are there, choose the one whose rows are right and run the playbook reseed"
    " with -e multimaster_reseed_from=NAME and multimaster_reseed_tables: ['{}'], see"
    " docs/runbooks/full-disk.md.": CHOSEN,
    "Run the playbook reseed, which does that first.": (
        "It does nothing without a master that was chosen by name."
    ),
    REPLACE: REPLACED,
    f"{REPLACE} Or leave it out with exclude.": REPLACED + " " + EXCLUDED,
    "Seed a table before it takes part in a second sync, or take it out of one of them.": EXCLUDED,
    "Run the playbook multimaster.bucardo.reseed for these tables of {}, which takes the TRUNCATE"
    " out of the queue; no row of another master goes.": REPLACED,
    "Remove them first.": DRAINED,
    "Name only those that leave; the playbook multimaster.bucardo.teardown ends it.": (
        "A teardown asks for the sync's name, drains it, and keeps all rows."
    ),
    "Take it out with -e multimaster_remove_master={}, which brings its changes to the others"
    " first; or, if it must not be used any more, stop its server first.": (
        "Nothing is touched on any master but the one that is named, after its queue was drained."
    ),
    "{} If it is lost as well, name it with the other one.": (
        "A master that answers is refused, so that only one that is gone can be named as lost."
    ),
    "Nothing is lost: wait longer (timeout), or see the daemon's log.": NOTHING,
    "The other tables are kept. Remove the cause and run the task again.": NOTHING,
    "Wait for it, or end it.": "Another run is ended; the next one finishes what it left.",
    "See to it that they are replicated, then run again; or say that they may be lost"
    " (discard_queue: true, in the playbooks multimaster_discard_queue).": (
        "Changes that wait are lost only where somebody says so, after their number was shown."
    ),
    "Remove the sync first, with bucardo_sync (state: absent), which lets them be replicated; or"
    " say that they may be lost (discard_queue: true).": (
        "Changes that wait are lost only where somebody says so, after their number was shown."
    ),
}


class Texts:
    """What expressions of one file say."""

    def __init__(self, path: pathlib.Path) -> None:
        self.tree = ast.parse(path.read_text("utf-8"))
        # Everything that is assigned once at the top of a module; names recur from file to file.
        self._constants = {
            node.targets[0].id: (self, node.value)
            for node in self.tree.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }

    def take_over(self, others: dict[str, Texts]) -> None:
        """Make the constants of other files known that this one imports."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                other = others.get(node.module.rpartition(".")[2])
                for alias in node.names if other else ():
                    if alias.name in other._constants:
                        self._constants[alias.asname or alias.name] = other._constants[alias.name]

    def of(self, node: ast.expr) -> list[str]:
        """The texts that an expression may be, with {} for what is put in."""
        if isinstance(node, ast.Name) and node.id in self._constants:
            file, value = self._constants[node.id]
            return file.of(value)
        if isinstance(node, ast.Constant):
            return [node.value] if isinstance(node.value, str) else []
        if isinstance(node, ast.JoinedStr):
            texts = [""]
            for part in node.values:
                inner = part.value if isinstance(part, ast.FormattedValue) else part
                more = self.of(inner) if isinstance(inner, (ast.Constant, ast.Name)) else []
                texts = [one + two for one in texts for two in more or ["{}"]]
            return texts
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            right = self.of(node.right) or ["{}"]
            return [one + two for one in self.of(node.left) or ["{}"] for two in right]
        if isinstance(node, ast.IfExp):
            return self.of(node.body) + self.of(node.orelse)
        return []

    def cures(self) -> set[str]:
        found = set()
        for node in ast.walk(self.tree):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            position = CALLS.get(name, 1 if ERRORS.match(name) else None)
            if position is None:
                continue
            given = node.args[position : position + 1]
            given += [word.value for word in node.keywords if word.arg == "cure"]
            found |= {" ".join(text.split()) for one in given for text in self.of(one)}
        return found


@functools.cache
def cures_of_code() -> frozenset[str]:
    files = {path: Texts(path) for path in sorted((ROOT / "plugins").rglob("*.py"))}
    # Two files of one name are of two features, which do not import each other.
    for path, file in files.items():
        near = {other.stem: files[other] for other in files if other.parent == path.parent}
        file.take_over({**{other.stem: files[other] for other in files}, **near})
    return frozenset().union(*(file.cures() for file in files.values()))


def messages_of_plays() -> set[str]:
    found = set()
    for folder in ("playbooks", "roles"):
        for path in (ROOT / folder).rglob("*.yml"):
            for text in re.findall(r"^\s*(?:fail_msg|msg): .*$", path.read_text("utf-8"), re.M):
                found.add(" ".join(text.split()))
            found |= set(values_of(yaml.safe_load(path.read_text("utf-8")), "fail_msg"))
    return found


def values_of(tree: object, key: str) -> list[str]:
    if isinstance(tree, dict):
        own = [" ".join(str(tree[key]).split())] if key in tree else []
        return own + [text for value in tree.values() for text in values_of(value, key)]
    if isinstance(tree, list):
        return [text for value in tree for text in values_of(value, key)]
    return []


def problems_of_status() -> set[str]:
    """Lines that status and its like make; those, too, tell people what to do."""
    found = set()
    utils = ROOT / "plugins" / "module_utils"
    for path in [utils / "_bucardo" / "status.py", *(utils / "_monitor").glob("detect*.py")]:
        file = Texts(path)
        for node in ast.walk(file.tree):
            if isinstance(node, ast.JoinedStr):
                found |= set(file.of(node))
    return found


def test_the_collector_sees_what_is_there():
    cures = cures_of_code()
    assert "Clone the schema first." in cures
    assert "Give every master a name of its own." in cures
    assert len(cures) > 150


@pytest.mark.parametrize("text", sorted(t for t in cures_of_code() if DESTROYS.search(t)))
def test_each_cure_that_may_destroy_was_thought_through(text):
    assert text in ANSWERS, "what happens to the data when this is done on the wrong master?"


def test_there_is_no_answer_without_its_cure():
    assert set(ANSWERS) <= cures_of_code()


@pytest.mark.parametrize(
    "text", sorted(cures_of_code() | messages_of_plays() | problems_of_status())
)
def test_no_message_advises_to_destroy_what_is_enrolled(text):
    assert not NEVER.search(text), text


DOCUMENTS = [
    *(ROOT / "roles").glob("*/README.md"),
    *(ROOT / "docs").glob("*.md"),
    ROOT / "README.md",
]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_neither_does_a_page(path):
    for line in path.read_text("utf-8").splitlines():
        found = re.search(
            r"^\W*(empty the|drop its|truncate the|delete from|alter table \S+ disable)\b",
            line,
            re.I,
        )
        assert not found, line
