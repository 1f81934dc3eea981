# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role as which Bucardo logs in to a server."""

from __future__ import annotations

import dataclasses
import typing as t

from .._common.errors import Refused, StatementFailed
from .._postgres import sql
from .._postgres.output import OUTPUT_SETTINGS, is_output
from .._postgres.pg import Session
from .._postgres.scram import fits
from .._postgres.timeouts import TIMEOUTS

_MASKED = "********"
# `State.shown` of a role that Bucardo can work with.
READY = {
    "superuser": True,
    "login": True,
    "password": "as given",
    "timeouts": "none",
    "output": "as on all masters",
}
_DEPENDENT_OBJECTS_STILL_EXIST = "2BP01"

_ROLE = """
SELECT r.rolsuper AS superuser, r.rolcanlogin AS login, a.rolpassword AS password,
       COALESCE(s.setconfig, '{}') AS settings,
       ARRAY(SELECT name FROM pg_catalog.pg_settings WHERE name = ANY(%(timeouts)s)) AS timeouts
  FROM (SELECT 1) one
  LEFT JOIN pg_catalog.pg_roles r ON r.rolname = %(role)s
  LEFT JOIN pg_catalog.pg_authid a ON a.oid = r.oid
  LEFT JOIN pg_catalog.pg_db_role_setting s ON s.setrole = r.oid AND s.setdatabase = 0
"""


@dataclasses.dataclass(frozen=True)
class State:
    """A role as a server has it.

    :param password_fits: None when no password was asked for.
    :param has_password: whether it has any.
    :param timed: timeouts that the server knows and the role does not switch off.
    :param unpinned: settings by which values are printed and read, and the role leaves them open.
    """

    exists: bool
    superuser: bool
    login: bool
    password_fits: bool | None
    timed: tuple[str, ...]
    has_password: bool = False
    unpinned: tuple[str, ...] = ()

    def require_password_fits(self, role: str, server: str) -> None:
        """:raises Refused: when the role has another password, which others may use."""
        if self.has_password and self.password_fits is False:
            raise Refused(
                f"The role {role} on {server} has another password already, which another Bucardo"
                " or another sync may use",
                "Give that one (multimaster_bucardo_password), or set change_password"
                " (multimaster_change_password) to change it for all who use it.",
            )

    @property
    def shown(self) -> dict[str, t.Any]:
        """For diffs: without anything secret."""
        if not self.exists:
            return {}
        return {
            "superuser": self.superuser,
            "login": self.login,
            "password": "another" if self.password_fits is False else "as given",
            "timeouts": "some" if self.timed else "none",
            "output": "as the server's" if self.unpinned else "as on all masters",
        }


def read(session: Session, role: str, password: str | None) -> State:
    """What is there of the role."""
    row = session.rows(_ROLE, {"role": role, "timeouts": list(TIMEOUTS)})[0]
    off = {setting for setting in row["settings"] if setting.endswith("=0")}
    stored = {name.lower(): value for name, _is, value in map(_parts, row["settings"])}
    return State(
        exists=row["superuser"] is not None,
        superuser=bool(row["superuser"]),
        login=bool(row["login"]),
        password_fits=None if password is None else fits(row["password"], role, password),
        timed=tuple(
            name for name in TIMEOUTS if name in row["timeouts"] and f"{name}=0" not in off
        ),
        unpinned=tuple(
            name for name in OUTPUT_SETTINGS if not is_output(name, stored.get(name.lower(), ""))
        ),
        has_password=bool(row["password"]),
    )


def _parts(setting: str) -> tuple[str, str, str]:
    return setting.partition("=")


class Statement(t.NamedTuple):
    """What is executed, and what is shown of it."""

    text: sql.Composable
    shown: sql.Composable


def missing(session: Session, role: str, state: State, password: str | None) -> list[Statement]:
    """What makes the role a superuser that can log in with this password and is never timed out.

    What its sessions print is read by those on other masters: they print and read alike.
    """
    name = sql.Identifier(role)
    found: list[Statement] = []
    if not (state.exists and state.superuser and state.login):
        verb = "ALTER" if state.exists else "CREATE"
        text = sql.SQL(f"{verb} ROLE {{}} SUPERUSER LOGIN").format(name)
        found.append(Statement(text, text))
    if password and not state.password_fits:
        # Hashed here, so that the server's log never sees the password.
        hashed = session.hashed_password(role, password)
        template = sql.SQL("ALTER ROLE {} PASSWORD {}")
        found.append(
            Statement(
                template.format(name, sql.Literal(hashed)),
                template.format(name, sql.Literal(_MASKED)),
            )
        )
    for timeout in state.timed:
        text = sql.SQL("ALTER ROLE {} SET {} = 0").format(name, sql.Identifier(timeout))
        found.append(Statement(text, text))
    for setting in state.unpinned:
        text = sql.SQL("ALTER ROLE {} SET {} = {}").format(
            name, sql.Identifier(setting), sql.Literal(OUTPUT_SETTINGS[setting])
        )
        found.append(Statement(text, text))
    return found


def shown(session: Session, found: t.Iterable[Statement]) -> list[str]:
    """Statements as text, without the password."""
    return [session.as_text(one.shown) for one in found]


def execute(session: Session, found: t.Sequence[Statement]) -> None:
    """All of them or none."""
    if found:
        with session.transaction():
            for one in found:
                session.execute(one.text)


def dropped(role: str) -> sql.Composable:
    """The statement that drops the role."""
    return sql.SQL("DROP ROLE {}").format(sql.Identifier(role))


def drop(session: Session, role: str) -> str:
    """Drop the role; returns why it has to stay, or "" when it is gone."""
    try:
        session.execute(dropped(role))
    except StatementFailed as error:
        if error.sqlstate != _DEPENDENT_OBJECTS_STILL_EXIST:
            raise
        return error.message
    return ""
