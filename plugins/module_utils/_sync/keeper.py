# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every change of a sync needs: its masters, the daemon that runs it, and some patience."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from .._bucardo import stillness
from .._bucardo.daemon_state import RUNS_END
from .._bucardo.objects import Dbgroup, Goat, Sync
from .._bucardo.writes import Control
from .._common.change import Scope
from .._common.errors import ConnectionFailed
from .._ledger import own_objects
from .._postgres import locks
from .._postgres.conninfo import ConnInfo
from .._postgres.pg import Session
from .._tracking import loaded, purge
from .master import OpenMaster

# Seconds for the daemon to confirm that it has read the syncs anew; it stops every run first.
RELOAD_TIMEOUT = 120.0

Masters = t.Mapping[str, OpenMaster]


@dataclasses.dataclass(frozen=True)
class Terms:
    """How careful a change is, and how patient.

    :param reload: whether a running daemon is told.
    :param drain_timeout: seconds for the queue of tables that leave.
    :param discard_queue: let them go when that is not enough.
    """

    policy: locks.LockPolicy = dataclasses.field(default_factory=locks.LockPolicy)
    reload: bool = True
    drain_timeout: float = 300
    discard_queue: bool = False


@dataclasses.dataclass(frozen=True)
class Keeper:
    """One control database, the ways to its masters, and the terms.

    :param logins: connection options of masters by name; for others the control database's own
        are used.
    """

    control: Control
    scope: Scope
    logins: t.Mapping[str, ConnInfo]
    terms: Terms

    def masters(self, group: Dbgroup | None, warnings: list[str]) -> dict[str, OpenMaster]:
        """Every source of a group, with sessions that stay open and locks against other runs.

        :raises ConnectionFailed: when one cannot be reached: half of a sync is none.
        """
        if group is None:
            return {}
        roles = set(group.members.values())
        if "fullcopy" in roles and "target" not in roles:
            # Bucardo tracks no changes for such a group.
            return {}
        databases = self.control.databases()
        found = {}
        for name in group.sources:
            if databases[name].status == "inactive":
                warnings.append(f"Database {name} is inactive and is left alone.")
                continue
            found[name] = OpenMaster(name, self._session(name), databases[name].user)
            own_objects.require_ours(found[name].session, databases[name].user)
            self.scope.lock(found[name].alone())
        return found

    def _session(self, name: str) -> Session:
        try:
            return self.scope.enter_context(Session(self.control.login(name, self.logins)))
        except ConnectionFailed as error:
            raise ConnectionFailed(
                error.message, f"{error.cure} Every master of the sync must be reachable."
            ) from error

    def disturbs(self, reloads: bool) -> list[str]:
        """What others notice of a reload."""
        if reloads and self.terms.reload and self.control.daemon.pid() is not None:
            return [RUNS_END]
        return []

    def reload(self, masters: t.Collection[Session] = ()) -> bool:
        """Have a running daemon read the syncs anew; whether it has.

        :param masters: where it is seen at work, however long that takes.
        """
        return self.terms.reload and self.control.daemon.reload(RELOAD_TIMEOUT, list(masters))

    def moving(self, sync: str, masters: t.Mapping[str, Session]) -> list[str]:
        """What of a sync runs, in words."""
        return stillness.Stillness(self.control.session, masters, sync).moving()

    def keep_still(self, sync: str, masters: t.Mapping[str, Session], written: bool) -> bool:
        """Have a sync held whose row says so; whether anything of it still ran.

        :param written: the row has just been changed.
        """
        if not self.terms.reload:
            return False
        still = stillness.Stillness(self.control.session, masters, sync)
        return still.ensure(lambda: self.reload(masters.values()), written)

    def reachable(self, dbgroup: str) -> dict[str, Session]:
        """Sessions to those masters of a group that answer."""
        group = self.control.dbgroups().get(dbgroup)
        found = {}
        for name in group.sources if group else []:
            with contextlib.suppress(ConnectionFailed):
                found[name] = self._session(name)
        return found

    def reload_tables(self, masters: Masters, members: t.Sequence[Goat], sync: str) -> bool:
        """The same, and remember what the tables look like that it has read."""
        if not self.terms.reload:
            return False
        keys = {goat.name: goat.key for goat in members}
        # Before: what changes meanwhile is then loaded once more.
        known = {name: loaded.signature(one.session, keys) for name, one in masters.items()}
        reloaded = self.reload([master.session for master in masters.values()])
        for name, master in masters.items():
            loaded.remember(master.session, sync, known[name])
        return reloaded

    def outdated(self, masters: Masters, members: t.Sequence[Goat], sync: str) -> bool:
        """Whether a running controller knows the tables as they were."""
        if not self.terms.reload:
            return False
        keys = {goat.name: goat.key for goat in members}
        return any(
            loaded.loaded(master.session, sync) != loaded.signature(master.session, keys)
            for master in masters.values()
        )

    def purging(self, sync: Sync | None, masters: Masters, patient: bool = False) -> bool:
        """Whether what an active sync replicates is purged; true where nothing has to be.

        Without a daemon nothing is.

        :param patient: whether the process may have to be replaced by the daemon, which takes it
            some time.
        """
        if sync is None or sync.status != "active":
            return True
        if self.control.daemon.pid() is None:
            return False
        settings = {name: one.value for name, one in self.control.settings().items()}
        if settings.get("bucardo_vac") == "0":
            return True
        patience = purge.replaced_within(settings) if patient else 0.0
        return purge.lives([master.session for master in masters.values()], patience)
