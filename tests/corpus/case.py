# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One case of the corpus: a schema, and what must become of it (pure)."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import typing as t

CASES = pathlib.Path(__file__).resolve().parent / "cases"
SEVERITIES = ("blocker", "warning")
# "-- warning: check-calls, secondary-unique"
_HEADER = re.compile(r"^-- (\w+)(?:: *(.*))?$")
_WORKS = "works"


@dataclasses.dataclass(frozen=True)
class Case:
    """See README.md for the file's form.

    :param expected: the findings of preflight about it, as (severity, check).
    :param server: the oldest version of the origin that knows what it uses.
    :param below: the versions of the target that it is for are older than this; 0: all.
    :param own: it needs a database of its own.
    :param roles: made on the origin before.
    :param exclude: patterns of tables that do not take part.
    """

    name: str
    sql: str
    expected: frozenset[tuple[str, str]]
    server: int = 13
    below: int = 0
    own: bool = False
    roles: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @property
    def schema(self) -> str:
        """Where it lives in a database that it shares with others."""
        return self.name.replace("/", "_").replace("-", "_")

    @property
    def blocked(self) -> bool:
        """Whether preflight must refuse it."""
        return any(severity == "blocker" for severity, _check in self.expected)


def read(path: pathlib.Path) -> Case:
    """Read a file; raises ValueError where its header says nothing or too much."""
    sql = path.read_text(encoding="utf-8")
    name = path.relative_to(CASES).with_suffix("").as_posix()
    said: dict[str, tuple[str, ...]] = {}
    for line in sql.splitlines():
        match = _HEADER.match(line)
        if not match:
            break
        words = re.split(r",\s*|\s+", (match[2] or "").strip())
        said[match[1]] = tuple(word for word in words if word)
    options = {
        key: said.pop(key) for key in ("server", "below", "own", "roles", "exclude") if key in said
    }
    if (
        not said
        or set(said) - {_WORKS, *SEVERITIES}
        or (_WORKS in said) != (len(said) == 1 and _WORKS in said)
    ):
        raise ValueError(f"{path}: the first lines must say works, or warning and blocker")
    return Case(
        name,
        sql,
        frozenset((severity, check) for severity in SEVERITIES for check in said.get(severity, ())),
        int("".join(options.get("server", ("13",)))),
        int("".join(options.get("below", ("0",)))),
        "own" in options,
        options.get("roles", ()),
        options.get("exclude", ()),
    )


def every() -> list[Case]:
    """All of them, by name."""
    return [read(path) for path in sorted(CASES.rglob("*.sql"))]


def groups(cases: t.Iterable[Case], alone: bool = False) -> list[list[Case]]:
    """Cases that share a database: those that work, those that are refused, and loners."""
    together: dict[str, list[Case]] = {}
    for case in cases:
        key = case.name if case.own or alone else f"blocked {case.blocked}"
        together.setdefault(key, []).append(case)
    return list(together.values())
