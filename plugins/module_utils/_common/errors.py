# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one exception family of the collection.

Inner code raises these; `module.run` turns them into `fail_json` in one place.
"""

from __future__ import annotations

import typing as t


class MultimasterError(Exception):
    """Something that the user must know about, in one line.

    :param message: what is wrong, with the object's name.
    :param cure: what to do about it; appended to the message.
    :param details: extra machine-readable values for the failed result (never secrets).
    """

    def __init__(self, message: str, cure: str = "", **details: t.Any) -> None:
        self.message = " ".join(message.split())
        self.cure = " ".join(cure.split())
        self.details = details
        super().__init__(self.one_line)

    @property
    def one_line(self) -> str:
        """Message and cure as a single line of text."""
        if not self.cure:
            return self.message
        end = "" if self.message.endswith((".", "!", "?")) else "."
        return f"{self.message}{end} {self.cure}"


class ConnectionFailed(MultimasterError):
    """A server could not be reached or refused the credentials."""


class StatementFailed(MultimasterError):
    """PostgreSQL refused a statement; `sqlstate` holds its five-character code.

    Codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
    """

    def __init__(self, message: str, cure: str = "", sqlstate: str = "", **details: t.Any) -> None:
        super().__init__(message, cure, **details)
        self.sqlstate = sqlstate


class CommandFailed(MultimasterError):
    """An external program failed, or said that it failed although its exit code was 0."""


class Refused(MultimasterError):
    """The input or the current state forbids what was asked; nothing was changed."""


class DeadlineExceeded(MultimasterError):
    """Waited as long as allowed; the message names what is still pending."""
