# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to be restored where, and what stands in the way (pure)."""

from __future__ import annotations

import dataclasses
import typing as t

from .._common.errors import Refused
from .._postgres import dump
from . import schema
from .facts import CloneOptions, SchemaDump, Surroundings

IDENTICAL = "identical"
CLONED = "cloned"
DIFFERENT = "different"


@dataclasses.dataclass(frozen=True)
class Decision:
    """What becomes of the target's schema.

    :param state: one of the words above, as far as texts tell.
    :param todo: the entries of the source's dump to restore there.
    :param found: how the texts differ where nothing is restored.
    :param sure: whether texts that differ mean something else in any case.
    """

    state: str
    todo: tuple[dump.TocEntry, ...] = ()
    found: schema.Comparison = dataclasses.field(default_factory=schema.Comparison)
    sure: bool = True


def decide(source: SchemaDump, target: SchemaDump | None, sections: str) -> Decision:
    """What to restore.

    :param target: None when there is no such database yet.
    """
    if target is None:
        return Decision(CLONED, source.entries)
    found = compare(source, target, sections)
    if sections == "post_data":
        before = compare(source, target, "pre_data")
        if not before.equal:
            return Decision(DIFFERENT, found=before)
        if found.only_missing:
            labels = {block.label for block in found.missing}
            return Decision(CLONED, _entries(source, lambda label: label in labels))
    if found.equal:
        return Decision(IDENTICAL)
    there = target.blocks("whole")
    if sections != "post_data" and schema.is_empty(there, source.before):
        known = {block.label for block in there if block.type != "EXTENSION"}
        return Decision(CLONED, _entries(source, lambda label: label not in known))
    return Decision(DIFFERENT, found=found, sure=False)


def _entries(source: SchemaDump, wanted: t.Callable[[str], bool]) -> tuple[dump.TocEntry, ...]:
    return tuple(entry for entry in source.entries if wanted(entry.label.strip()))


def compare(source: SchemaDump, target: SchemaDump, sections: str) -> schema.Comparison:
    """How the texts of two schemas differ."""
    of_source, of_target = source.blocks(sections), target.blocks(sections)
    if sections == "whole":
        of_source, of_target = schema.with_views(of_source), schema.with_views(of_target)
    elif sections == "pre_data":
        later = source.after + target.after
        of_source = schema.without_stubs(of_source, later)
        of_target = schema.without_stubs(of_target, later)
    return schema.compare(of_source, of_target, target.pending)


def refuse_lacking(needs: Surroundings, there: Surroundings, database: str, target: str) -> None:
    """Say what the schema needs and the target does not have.

    :param there: what the target has, or will have by then.
    :raises Refused: naming all of one kind.
    """
    missing = sorted(needs.roles - there.roles)
    if missing:
        raise Refused(
            f"Database {database} speaks of roles that {target} does not have:"
            f" {', '.join(missing)}",
            "Create them there or set roles to all or needed.",
        )
    missing = sorted(needs.extensions - there.extensions)
    if missing:
        raise Refused(
            f"Extensions that are not available on {target}: {', '.join(missing)}",
            "Install their packages on that server.",
        )
    missing = sorted(needs.tablespaces - there.tablespaces)
    if missing:
        raise Refused(
            f"Tablespaces that {target} does not have: {', '.join(missing)}",
            "Create them there, or set tablespaces=false to do without.",
        )


def refuse_conflicts(conflicts: t.Sequence[str], options: CloneOptions) -> list[str]:
    """Warnings about roles that differ.

    :raises Refused: where they may not.
    """
    if conflicts and options.role_conflict == "fail":
        raise Refused(
            "; ".join(conflicts),
            "Make the roles equal, or set role_conflict to keep or update.",
            role_conflicts=list(conflicts),
        )
    return [f"{line}; left as it is (role_conflict=keep)" for line in conflicts]
