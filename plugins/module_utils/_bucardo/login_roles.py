# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role that Bucardo logs in as, on all masters."""

from __future__ import annotations

import typing as t

from .._common.change import Change, Scope
from .._postgres.conninfo import ConnInfo
from .._postgres.pg import Session
from . import login_role

Logins = t.Mapping[str, ConnInfo]


def plan(
    scope: Scope, servers: Logins, role: str, password: str | None, change_password: bool
) -> Change:
    """What it takes until the role is on all servers as Bucardo needs it.

    :param servers: how to log in to each master's server, by the master's name.
    :param change_password: whether the role may be given another password than it has.
    """
    sessions = {name: scope.enter_context(Session(login)) for name, login in servers.items()}
    states = {name: login_role.read(one, role, password) for name, one in sessions.items()}
    if not change_password:
        for name, state in states.items():
            state.require_password_fits(role, name)
    missing = {
        name: login_role.missing(session, role, states[name], password)
        for name, session in sessions.items()
    }

    def work(change: Change) -> None:
        change.commands = []
        for name, session in sessions.items():
            # Two masters may be on one server.
            state = login_role.read(session, role, password)
            done = login_role.missing(session, role, state, password)
            login_role.execute(session, done)
            change.commands += _lines(name, login_role.shown(session, done))

    after = dict.fromkeys(sessions, login_role.READY)
    return Change(
        changed=any(missing.values()),
        before={name: state.shown for name, state in states.items()},
        after=after,
        values={"roles": after, "kept": {}},
        commands=[
            line
            for name, session in sessions.items()
            for line in _lines(name, login_role.shown(session, missing[name]))
        ],
        work=work,
    )


def plan_absent(scope: Scope, servers: Logins, role: str) -> Change:
    """What it takes until the role is gone from all servers where nothing depends on it."""
    sessions = {name: scope.enter_context(Session(login)) for name, login in servers.items()}
    states = {name: login_role.read(one, role, None) for name, one in sessions.items()}
    going = {name: sessions[name] for name, state in states.items() if state.exists}
    after: dict[str, t.Any] = {name: {} for name in sessions}
    kept: dict[str, str] = {}

    def work(change: Change) -> None:
        change.commands = []
        for name, session in going.items():
            if not login_role.read(session, role, None).exists:
                # Two masters may be on one server.
                continue
            reason = login_role.drop(session, role)
            if reason:
                kept[name], after[name] = reason, states[name].shown
            else:
                change.commands += _dropped(name, session, role)
        change.changed = set(going) != set(kept)

    return Change(
        changed=bool(going),
        before={name: state.shown for name, state in states.items()},
        after=after,
        values={"roles": after, "kept": kept},
        commands=[line for name, one in going.items() for line in _dropped(name, one, role)],
        work=work,
    )


def _dropped(name: str, session: Session, role: str) -> list[str]:
    return _lines(name, [session.as_text(login_role.dropped(role))])


def _lines(name: str, commands: t.Iterable[str]) -> list[str]:
    return [f"{name}: {line}" for line in commands]
