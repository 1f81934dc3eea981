# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Queries of which one that is refused is noted, and ends nothing."""

from __future__ import annotations

import typing as t

from ..._common.errors import StatementFailed
from ..._postgres.pg import Session

_Value = t.TypeVar("_Value")


class Reader:
    """Runs queries; one that is refused yields nothing and is noted."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.unread: list[str] = []

    def rows(self, what: str, query: str, params: t.Any = None) -> list[dict[str, t.Any]]:
        """The rows of a query, none where it is refused.

        :param what: what is asked for, as people call it.
        """
        try:
            return self.session.rows(query, params)
        except StatementFailed as error:
            self.unread.append(f"cannot read {what}: {error.message}")
            return []

    def attempt(self, what: str, read: t.Callable[[], _Value], otherwise: _Value) -> _Value:
        """The same for whatever reads by itself."""
        try:
            return read()
        except StatementFailed as error:
            self.unread.append(f"cannot read {what}: {error.message}")
            return otherwise
