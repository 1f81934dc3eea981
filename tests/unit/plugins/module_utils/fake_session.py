# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A session that answers from a table, and composed SQL as text without a server.

For readers (what do they make of these rows?), for orchestration (which statements, in which
order?), and for golden texts of statement builders. What a server makes of a statement is the
business of tests/live.
"""

from __future__ import annotations

import typing as t

from psycopg2 import extensions, sql

from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.conninfo import ConnInfo
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.pg import Session

Rows = t.Sequence[t.Mapping[str, t.Any]]
# What a query returns: rows, an error to raise, or a function of its parameters that returns rows.
Answer = t.Union[Rows, BaseException, t.Callable[[t.Any], Rows]]


class Ran(t.NamedTuple):
    """A statement that reached the session, as one line, and its parameters."""

    text: str
    params: t.Any


class FakeSession(Session):
    """Answers each query with the first entry whose key occurs in the query's text.

    A query that no key fits fails the test: nothing is answered by chance. Statements without
    rows (execute, execute_script, copy) are noted; they fail only where a key's answer is an error.

        session = FakeSession({"FROM bucardo.sync": [{"name": "shop", "status": "active"}]})

    :param answers: a piece of the query's text (blanks count as one) to its answer.
    :param touched: what execute() returns.
    """

    def __init__(
        self,
        answers: t.Mapping[str, Answer] | None = None,
        name: str = "here",
        server_version: int = 150000,
        touched: int = 1,
    ) -> None:
        # Not the parent's, which connects.
        self.conninfo = ConnInfo(name, {"host": f"{name}.example", "dbname": "shop"})
        self.answers = dict(answers or {})
        self.ran: list[Ran] = []
        self.closed = False
        self._server_version = server_version
        self._touched = touched

    @property
    def texts(self) -> list[str]:
        """All that ran, in order."""
        return [one.text for one in self.ran]

    @property
    def server_version(self) -> int:
        return self._server_version

    @property
    def backend_pid(self) -> int:
        return 4711

    def rows(self, query: t.Any, params: t.Any = None) -> list[dict[str, t.Any]]:
        text = self._note(query, params)
        answer = self._answer(text)
        if answer is None:
            raise AssertionError(f"no answer for: {text}")
        found = answer(params) if callable(answer) else answer
        return [dict(row) for row in t.cast("Rows", found)]

    def execute(self, query: t.Any, params: t.Any = None) -> int:
        self._answer(self._note(query, params))
        return self._touched

    def execute_script(self, text: str) -> None:
        self._answer(self._note(text, None))

    def copy(self, statement: t.Any, stream: t.Any, size: int = 1 << 20) -> int:
        self._answer(self._note(statement, None))
        return self._touched

    def as_text(self, query: t.Any) -> str:
        return text_of(query)

    def hashed_password(self, role: str, password: str) -> str:
        return "SCRAM-SHA-256$of-" + role

    def close(self) -> None:
        self.closed = True

    def _note(self, query: t.Any, params: t.Any) -> str:
        text = one_line(query if isinstance(query, str) else text_of(query))
        self.ran.append(Ran(text, params))
        return text

    def _answer(self, text: str) -> Answer | None:
        for key, answer in self.answers.items():
            if one_line(key) in text:
                if isinstance(answer, BaseException):
                    raise answer
                return answer
        return None


def one_line(text: str) -> str:
    """Every run of blanks as one."""
    return " ".join(text.split())


def text_of(query: t.Any) -> str:
    """Composed SQL as the server would get it, by psycopg2's own parts but without a connection."""
    if isinstance(query, sql.Composed):
        return "".join(map(text_of, query.seq))
    if isinstance(query, sql.SQL):
        return query.string
    if isinstance(query, sql.Identifier):
        return ".".join('"' + part.replace('"', '""') + '"' for part in query.strings)
    if isinstance(query, sql.Literal):
        return _literal(query.wrapped)
    if isinstance(query, sql.Placeholder):
        return f"%({query.name})s" if query.name else "%s"
    raise AssertionError(f"not composed by psycopg2.sql: {query!r}")


def _literal(value: t.Any) -> str:
    if isinstance(value, (list, tuple)):
        return "ARRAY[" + ", ".join(map(_literal, value)) + "]" if value else "'{}'"
    adapted = extensions.adapt(value)
    if hasattr(adapted, "encoding"):
        adapted.encoding = "utf8"
    return adapted.getquoted().decode().strip()
