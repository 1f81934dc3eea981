# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks every master at the same time, and decides what a failure on some of them means."""

from __future__ import annotations

import concurrent.futures
import contextlib
import copy
import typing as t

from .._common.errors import MultimasterError
from .conninfo import ConnInfo
from .pg import Session

Place = t.TypeVar("Place")
Item = t.TypeVar("Item")
Answer = t.TypeVar("Answer")


def each(
    items: t.Mapping[Place, Item],
    work: t.Callable[[Place, Item], Answer],
    at_once: int | None = None,
    stop: t.Callable[[], None] | None = None,
) -> dict[Place, Answer]:
    """Do the same for all, each in a thread of its own; return when the last one is done.

    :param at_once: no more than so many at the same time.
    :param stop: ends the work of the others as soon as one has failed.
    :raises BaseException: the failure; that of the first, with the messages of all, when several
        failed by themselves. Nobody is at work any more then.
    """
    if not items:
        return {}
    with concurrent.futures.ThreadPoolExecutor(at_once or len(items)) as pool:
        futures = {place: pool.submit(work, place, item) for place, item in items.items()}
        if stop:
            try:
                for future in concurrent.futures.as_completed(futures.values()):
                    future.result()
            except BaseException:
                stop()
                raise
    errors = [error for error in (one.exception() for one in futures.values()) if error]
    if errors:
        raise _together(errors)
    return {place: future.result() for place, future in futures.items()}


def _together(errors: t.Sequence[BaseException]) -> BaseException:
    ours = [error for error in errors if isinstance(error, MultimasterError)]
    if len(errors) == 1 or len(ours) < len(errors):
        # What nobody foresaw is not hidden behind what somebody did.
        return next((error for error in errors if error not in ours), errors[0])
    message = "; ".join(dict.fromkeys(error.message for error in ours))
    if len({type(error) for error in ours}) > 1:
        return MultimasterError(message, ours[0].cure, **ours[0].details)
    found = copy.copy(ours[0])
    found.message = message
    found.args = (found.one_line,)
    return found


def open_each(
    logins: t.Mapping[str, ConnInfo], connect: t.Callable[[ConnInfo], Session] = Session
) -> dict[str, Session]:
    """A session for each, opened at the same time; all are closed again when one fails."""
    opened: list[Session] = []

    def open_one(_name: str, login: ConnInfo) -> Session:
        session = connect(login)
        opened.append(session)
        return session

    try:
        return each(logins, open_one)
    except BaseException:
        close_each(opened)
        raise


def close_each(sessions: t.Iterable[Session]) -> None:
    """Close all, whatever state they are in."""
    for session in sessions:
        with contextlib.suppress(Exception):
            session.close()
