# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wakes syncs whose writes advance a sequence: looks at all masters, and tells Bucardo's daemon."""

from __future__ import annotations

import contextlib
import queue
import time
import typing as t

from .._bucardo.catalog import Catalog
from .._bucardo.daemon import control_conninfo, parse_rc
from .._common.errors import MultimasterError
from .._postgres.pg import Session
from .._tracking import kick
from .master import Looker

# Seconds between two looks at which syncs and masters there are; whenever the daemon has read them
# anew there is one as well.
_MEMBERS_EVERY = 10.0
_RELOADED = "reloaded_mcp"
# Seconds after which a lost control database is tried again.
_AGAIN = 2.0


class Poller:
    """All masters of all syncs of a control database.

    :param bucardorc: path of the file that names the control database.
    :param say: called with lines for people.
    :param over: asked every few seconds whether to end.
    """

    def __init__(
        self, bucardorc: str, say: t.Callable[[str], object], over: t.Callable[[], bool]
    ) -> None:
        self._bucardorc, self._say, self._over = bucardorc, say, over
        self._lookers: dict[str, Looker] = {}
        self._woken: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._failed = ""

    def run(self) -> None:
        """Until it is over; a lost control database comes back."""
        while not self._over():
            try:
                with open(self._bucardorc, encoding="utf-8", errors="replace") as file:
                    conninfo = control_conninfo(parse_rc(file.read()))
                with Session(conninfo, kick.APPLICATION_NAME) as session:
                    self._tell("")
                    self._serve(Catalog(session))
            except (MultimasterError, OSError) as error:
                self._tell(getattr(error, "message", str(error)))
                time.sleep(_AGAIN)
        for looker in self._lookers.values():
            looker.stop()

    def _tell(self, error: str) -> None:
        if error != self._failed:
            self._say(error or "the control database is there again")
            self._failed = error

    def _serve(self, control: Catalog) -> None:
        control.daemon.listen([_RELOADED])
        members: dict[str, list[str]] = {}
        looked = -_MEMBERS_EVERY
        # What was to be woken while the control database was away.
        for sync in {sync for looker in self._lookers.values() for sync in looker.syncs}:
            self._woken.put(sync)
        while not self._over():
            if time.monotonic() - looked >= _MEMBERS_EVERY:
                members, looked = masters_of(control), time.monotonic()
                self._look_at(control, members)
            for sync in self._next():
                if any(sync in some for some in members.values()):
                    control.daemon.send(f"kick_sync_{sync}")
            if control.daemon.wait(0) is not None:
                looked = -_MEMBERS_EVERY

    def _look_at(self, control: Catalog, members: t.Mapping[str, t.Sequence[str]]) -> None:
        """Have a thread for each of these, and for no other."""
        wanted: dict[str, Looker] = {}
        for name, syncs in members.items():
            # One master that cannot be reached is no reason to leave others alone.
            with contextlib.suppress(MultimasterError):
                wanted[name] = Looker(control.conninfo(name), syncs, self._woken.put, self._say)
        for name, looker in list(self._lookers.items()):
            new = wanted.get(name)
            alike = new and (new.conninfo.params, new.syncs) == (
                looker.conninfo.params,
                looker.syncs,
            )
            if not (alike and looker.is_alive()):
                looker.stop()
                del self._lookers[name]
        for name, looker in wanted.items():
            if name not in self._lookers:
                self._lookers[name] = looker
                looker.start()

    def _next(self) -> set[str]:
        """What is to be woken, each once; empty when nothing is for a second."""
        found = set()
        with contextlib.suppress(queue.Empty):
            found.add(self._woken.get(timeout=1))
            while True:
                found.add(self._woken.get_nowait())
        return found


def masters_of(control: Catalog) -> dict[str, list[str]]:
    """Of all syncs that replicate and are woken by writes, by master."""
    if not control.installed:
        return {}
    groups = control.dbgroups()
    found: dict[str, list[str]] = {}
    for sync in control.syncs().values():
        if sync.status == "inactive" or not sync.options.get("autokick", True):
            continue
        for name, role in (groups[sync.dbgroup].members if sync.dbgroup in groups else {}).items():
            if role == "source":
                found.setdefault(name, []).append(sync.name)
    return found
