# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Databases that Bucardo knows, as they shall be."""

from __future__ import annotations

import dataclasses
import getpass
import typing as t

from .._common.change import Change
from .._common.errors import CommandFailed, ConnectionFailed, Refused
from .._postgres.conninfo import ConnInfo
from .._postgres.pg import Session
from . import address, statements
from .object_plan import check_password, plan_database
from .objects import DatabaseRecord, libpq_params
from .writes import Control


@dataclasses.dataclass(frozen=True)
class Request:
    """What a task asks for.

    :param options: those of `columns.DATABASE`, and the name.
    :param password: None to leave it, "" for none.
    :param validate: whether both hosts must reach it before anything is changed.
    :param login: how the master is reached that it must be; None where no such is known.
    :param sync: for which masters are registered; "" for none.
    """

    options: t.Mapping[str, t.Any]
    password: str | None = None
    validate: bool = True
    login: ConnInfo | None = None
    sync: str = ""


def plan(control: Control, request: Request) -> Change:
    """What it takes until a database is known like that."""
    current = control.databases().get(request.options["name"])
    wanted = plan_database(current, request.options)
    differs = wanted != current
    if request.login and current and differs:
        address.check_not_taken(control, current, request.login, request.sync)
    password = _new_password(control, wanted.name, request.password)
    if password is not None:
        wanted = dataclasses.replace(wanted, has_password=bool(password))
    changed = differs or password is not None
    stored = request.password
    if stored is None:
        stored = control.stored_password(wanted.name)
    test = request.validate and wanted.status != "inactive"
    if changed and test:
        _connect_from_here(wanted, stored)
    after = wanted.to_result()
    if password is not None:
        after["password"] = "******** (changed)" if password else "(removed)"
    writes = statements.database(wanted, password, current is None) if changed else []
    login = request.login if test else None
    return Change(
        changed=changed,
        before=current.to_result() if current else {},
        after=after,
        values={
            "database": wanted.to_result(),
            "restart_required": changed and current is not None,
        },
        commands=control.shown(writes),
        work=_Work(control, wanted, writes, test, login, stored),
        # A name may lead elsewhere today.
        always=login is not None,
    )


@dataclasses.dataclass(frozen=True)
class _Work:
    """Writes a database, unless the control database's server meets another one there, or none."""

    control: Control
    wanted: DatabaseRecord
    writes: statements.Writes
    test: bool
    login: ConnInfo | None
    password: str = dataclasses.field(repr=False)

    def __call__(self, change: Change) -> None:
        if not self.writes:
            self._prove()
            return
        self.control.execute(self.writes, self._prove)
        if self.control.databases().get(self.wanted.name) != self.wanted:
            raise CommandFailed(
                f"Bucardo's catalog does not hold database {self.wanted.name} as asked"
            )

    def _prove(self) -> None:
        if self.writes and self.test:
            self.control.require_connection(self.wanted.name)
        if self.login:
            address.prove_same(self.control, self.wanted, self.password, self.login)


def _new_password(control: Control, name: str, given: str | None) -> str | None:
    """The password that is to be written, None where it stays."""
    if given is None:
        return None
    check_password(name, given)
    return None if given == control.stored_password(name) else given


def _connect_from_here(database: DatabaseRecord, password: str) -> None:
    try:
        Session(ConnInfo(database.name, libpq_params(database, password))).close()
    except ConnectionFailed as error:
        raise ConnectionFailed(
            error.message,
            f"Bucardo's daemon, as this user ({getpass.getuser()}), must reach the database: give"
            " the user a ~/.pgpass with mode 0600, or set password; and see the server's"
            " pg_hba.conf.",
        ) from error


def plan_absent(control: Control, name: str) -> Change:
    """What it takes until Bucardo knows no such database.

    :raises Refused: while a sync uses it, or Bucardo knows relations of it.
    """
    current = control.databases().get(name)
    if current is None:
        return Change(values={"database": None, "restart_required": False})
    _refuse_if_used(control, name)
    writes = statements.removed("db", name)

    def work(change: Change) -> None:
        control.execute(writes)
        if name in control.databases():
            raise CommandFailed(f"Bucardo's catalog still holds database {name}")

    return Change(
        changed=True,
        before=current.to_result(),
        after={},
        values={"database": None, "restart_required": True},
        commands=control.shown(writes),
        work=work,
    )


def _refuse_if_used(control: Control, name: str) -> None:
    groups = [group.name for group in control.dbgroups().values() if name in group.members]
    users = sorted(sync.name for sync in control.syncs().values() if sync.dbgroup in groups)
    if users:
        raise Refused(
            f"database {name} is used by the sync {', '.join(users)}",
            "Remove the sync first, or take the database out of its dbgroup.",
        )
    relations = [goat for goat in control.goats() if goat.db == name]
    if relations:
        relgroups = sorted({relgroup for goat in relations for relgroup in goat.relgroups})
        raise Refused(
            f"Bucardo knows {len(relations)} relations of database {name}"
            + (f", in the relgroup {', '.join(relgroups)}" if relgroups else ""),
            "Remove them first.",
        )


def together(changes: t.Mapping[str, Change]) -> Change:
    """Several databases as one change."""

    def work(change: Change) -> None:
        for one in changes.values():
            one.apply()

    parts = changes.values()
    return Change(
        changed=any(one.changed for one in parts),
        before={name: one.before for name, one in changes.items()},
        after={name: one.after for name, one in changes.items()},
        values={
            "databases": {name: one.values["database"] for name, one in changes.items()},
            "restart_required": any(one.values["restart_required"] for one in parts),
        },
        commands=[line for one in parts for line in one.commands],
        work=work,
        always=any(one.always for one in parts),
    )
