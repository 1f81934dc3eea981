# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Custom code as it shall be."""

from __future__ import annotations

import typing as t

from .._common.change import Change, Scope
from .._common.errors import CommandFailed, Refused
from .._common.text import nearest
from . import statements
from .cli import perl_complaint
from .object_plan import attachments, find_goat, parse_relation, plan_customcode
from .objects import Customcode, Goat
from .writes import Control


class Request(t.NamedTuple):
    """What a task asks for.

    :param source: the Perl text, None to leave it.
    :param columns: further columns of bucardo.customcode, None for what stays.
    :param sync: what the code is attached to, or else the relation; both None to leave that.
    :param validate: whether Perl must take the text.
    """

    name: str
    source: str | None
    columns: t.Mapping[str, t.Any]
    sync: str | None
    relation: str | None
    relation_db: str
    priority: int
    validate: bool


def plan(control: Control, scope: Scope, request: Request) -> Change:
    """What it takes until the code is there like that."""
    current = control.customcodes().get(request.name)
    goat = _goat(control, scope, request)
    _require_sync(control, scope, request.sync)
    to_syncs, to_goats = attachments(request.sync, goat, request.priority)
    options = {**request.columns, "name": request.name, "priority": request.priority}
    wanted = plan_customcode(current, options, request.source, to_syncs, goat)
    changed = wanted != current
    if changed and request.validate and (current is None or current.src_code != wanted.src_code):
        _require_perl(wanted)
    writes = statements.customcode(wanted, current is None, to_syncs, to_goats) if changed else []

    def work(change: Change) -> None:
        control.execute(writes)
        if control.customcodes().get(wanted.name) != wanted:
            raise CommandFailed(f"Bucardo's catalog does not hold custom code {wanted.name}")

    return Change(
        changed=changed,
        before=current.to_result() if current else {},
        after=wanted.to_result(),
        values={"customcode": wanted.to_result(), "reload_required": changed},
        commands=control.shown(writes),
        work=work,
    )


def plan_absent(control: Control, name: str) -> Change:
    """What it takes until there is no such code."""
    current = control.customcodes().get(name)
    if current is None:
        return Change(values={"customcode": None, "reload_required": False})
    writes = statements.removed("customcode", name)

    def work(change: Change) -> None:
        control.execute(writes)
        if name in control.customcodes():
            raise CommandFailed(f"Bucardo's catalog still holds custom code {name}")

    return Change(
        changed=True,
        before=current.to_result(),
        after={},
        values={"customcode": None, "reload_required": True},
        commands=control.shown(writes),
        work=work,
    )


def read_source(path: str) -> str:
    """:raises Refused: when the file cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"src_file: cannot read {path}: {error}") from error


def _goat(control: Control, scope: Scope, request: Request) -> Goat | None:
    if request.relation is None:
        return None
    relation = parse_relation("relation", request.relation)
    return find_goat(control.goats(), relation, request.relation_db, scope.lacks)


def _require_sync(control: Control, scope: Scope, name: str | None) -> None:
    if name is None:
        return
    syncs = control.syncs()
    if name not in syncs:
        hint = nearest(name, syncs) or "Add it with bucardo_sync first."
        scope.lacks(Refused(f"Bucardo has no sync {name!r}", hint))


def _require_perl(code: Customcode) -> None:
    complaint = perl_complaint(code.src_code)
    if complaint:
        raise Refused(f"custom code {code.name} does not compile: {complaint}")
