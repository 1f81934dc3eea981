# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a sync may replicate: what the servers themselves say of its masters' rows.

A play may believe that it has seeded a master, and be wrong. Released over a table that lacks
rows, Bucardo says "Good" and brings every later change of the rows that are there; so this is
asked of the ledgers, each time that a sync is or stays active.
"""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from .._common.change import Lacks
from .._common.errors import Refused
from .._common.names import SyncKey, TableName
from .._common.text import listed
from .._postgres import pg
from . import doubts as ledger_doubts
from . import ledger, sightings, states
from . import membership as ledger_membership

_TRUNCATES = """
SELECT sname, tname, pg_catalog.min(cdate) AS since FROM bucardo.bucardo_truncate_trigger
 WHERE sync = %s AND replicated IS NULL GROUP BY sname, tname
"""

# The epoch of a member that has none yet.
_NEW = "(new)"


@dataclasses.dataclass
class Standing:
    """One master of a group.

    :param epoch: as the control database says, None when it has none yet.
    :param noted: as the master says.
    :param oids: its tables of the relgroup.
    :param truncates: since when a TRUNCATE waits in the sync's queue.
    :param joined: when the control database took it into the group.
    :param token: what it was given when it was last seen.
    """

    name: str
    session: pg.Session
    epoch: str | None
    noted: ledger_membership.Membership | None
    identity: str
    place: str
    oids: t.Mapping[TableName, int]
    entries: t.Mapping[TableName, states.Entry]
    truncates: t.Mapping[TableName, datetime.datetime]
    joined: datetime.datetime
    token: str = ""


class Members:
    """The masters of a sync's group, and what their ledgers are worth.

    :param sessions: to each master, by name.
    :param origin: the master to which the relgroup's tables belong.
    :param names: these tables.
    """

    # Members of a group whose control database was lost.
    _moved: frozenset[str] = frozenset()

    def __init__(
        self,
        control: pg.Session,
        sessions: t.Mapping[str, pg.Session],
        key: SyncKey,
        origin: str,
        names: t.Sequence[TableName],
    ) -> None:
        self.control = control
        self.key = key
        self.origin = origin
        self.names = names
        # Members that have still to note their membership, with the entries that it takes over.
        self._unnoted: dict[str, list[states.Entry]] = {}
        epochs = ledger_membership.epochs(control, key.dbgroup)
        joined = {
            row["db"]: row["cdate"]
            for row in control.rows(
                "SELECT db, cdate FROM bucardo.dbmap WHERE dbgroup = %s", (key.dbgroup,)
            )
        }
        self.standings = {
            name: Standing(
                name=name,
                session=session,
                epoch=epochs.get(name),
                noted=ledger_membership.memberships(session).get(key.dbgroup),
                identity=ledger.identity(session),
                place=ledger.place(session),
                oids=ledger_membership.read_oids(session, names),
                entries=ledger.entries(session),
                truncates=_read_truncates(session, key.sync),
                joined=joined[name],
                token=sightings.token(session, key.dbgroup),
            )
            for name, session in sessions.items()
        }

    @property
    def copies(self) -> list[Standing]:
        """All but the origin."""
        return [one for one in self.standings.values() if one.name != self.origin]

    def today(self, master: Standing) -> ledger_doubts.Today:
        """What its ledger must speak of."""
        origin = self.standings[self.origin]
        return ledger_doubts.Today(origin.identity, origin.oids, master.place, master.epoch)

    # -- epochs -------------------------------------------------------------------------------

    def unsettled(self) -> list[str]:
        """Masters that do not know of their membership, or not what the control database says."""
        return [
            one.name
            for one in self.standings.values()
            if one.epoch is None
            or one.noted != ledger_membership.Membership(one.epoch, one.name == self.origin)
        ]

    def foresee(self, active: bool) -> None:
        """Take every member for one that has an epoch and has noted it, as after `settle`.

        Entries of 1.0.0, which knew no epochs, are taken over where the sync has been replicating
        since, or where they are younger than the membership. Those of members whose control
        database was lost are taken over as well, to be compared. Others count for nothing.

        :param active: the sync replicates.
        """
        if self.origin not in self.standings:
            return
        self._moved = self._who_moved()
        old = {
            one.name: self._to_compare(one)
            if one.name in self._moved
            else self._to_adopt(one, active)
            for one in self.copies
            if one.epoch is None or one.name in self._moved
        }
        for one in self.standings.values():
            one.epoch = one.epoch or _NEW
            membership = ledger_membership.Membership(one.epoch, one.name == self.origin)
            if one.noted != membership:
                one.noted = membership
                self._unnoted[one.name] = old.get(one.name, [])
                self._adopt(one)

    def settle(self) -> None:
        """Give every member an epoch and let it note it, as was foreseen."""
        if any(one.epoch == _NEW for one in self.standings.values()):
            epochs = ledger_membership.join(self.control, self.key.dbgroup, list(self.standings))
            for one in self.standings.values():
                one.epoch = epochs[one.name]
        # The origin last: as long as it knows of the former membership, a run that is started after
        # this one was killed takes the others over.
        for name in sorted(self._unnoted, key=lambda name: name == self.origin):
            one = self.standings[name]
            one.noted = ledger_membership.Membership(one.epoch or "", name == self.origin)
            adopted = self._adopt(one)
            with one.session.transaction():
                if adopted:
                    ledger.create(one.session)
                    ledger.readdress(one.session, adopted)
                ledger_membership.note(one.session, self.key.dbgroup, one.noted)
            del self._unnoted[name]

    def _adopt(self, one: Standing) -> list[states.Entry]:
        adopted = self._adopted(one, self._unnoted[one.name])
        one.entries = {**one.entries, **{entry.name: entry for entry in adopted}}
        return adopted

    def _who_moved(self) -> frozenset[str]:
        """Masters that were members together, as they all were told by the last run that ended,
        and of which the control database knows nothing: it was made anew."""
        origin = self.standings[self.origin]
        return frozenset(
            one.name
            for one in self.standings.values()
            if one.noted is not None
            and one.noted.epoch != one.epoch
            and origin.noted is not None
            and origin.noted.epoch != origin.epoch
            and one.token == origin.token != ""
        )

    def _to_compare(self, one: Standing) -> list[states.Entry]:
        before = dataclasses.replace(self.today(one), epoch=one.noted.epoch if one.noted else None)
        return [
            entry
            for entry in one.entries.values()
            if ledger_doubts.doubt(entry, before) in ("", *ledger_doubts.COMPARABLE)
        ]

    def _to_adopt(self, one: Standing, active: bool) -> list[states.Entry]:
        without = dataclasses.replace(self.today(one), epoch=None)
        return [
            entry
            for entry in one.entries.values()
            if entry.target is None
            and not ledger_doubts.doubt(entry, without)
            and (active or (entry.finished_at is not None and entry.finished_at > one.joined))
        ]

    def _adopted(self, one: Standing, old: t.Iterable[states.Entry]) -> list[states.Entry]:
        today = self.today(one)
        return [
            dataclasses.replace(
                entry,
                source=today.source,
                source_oid=states.MISSED
                if one.name in self._moved
                else today.source_oids[entry.name],
                target=today.target,
                epoch=today.epoch,
            )
            for entry in old
            if entry.name in today.source_oids
        ]

    # -- the question -------------------------------------------------------------------------

    def doubts(self) -> dict[str, dict[TableName, str]]:
        """By master, the tables for which nobody vouches, with the reason."""
        found = {}
        for one in self.copies:
            doubts = ledger_doubts.doubts(one.entries, self.names, self.today(one))
            if doubts:
                found[one.name] = doubts
        return found

    def check(self) -> None:
        """Whether every table of every master holds, or will get from the queue, what it must.

        :raises Refused: naming masters and tables.
        """
        if len(self.standings) < 2:
            return
        if self.origin not in self.standings:
            raise Refused(
                f"The tables of sync {self.key.sync} are registered as those of {self.origin},"
                f" which is no master of dbgroup {self.key.dbgroup}",
                "Register them as those of the master from which the others were seeded.",
            )
        lines = []
        for name, doubts in self.doubts().items():
            why = next(iter(doubts.values()))
            same = all(reason == why for reason in doubts.values())
            tables = listed(doubts) if same else listed(f"{k} ({v})" for k, v in doubts.items())
            count = f"{len(doubts)} of {len(self.names)} tables"
            lines.append(f"{name}: {count}{' ' + why if same else ''}: {tables}")
        if lines:
            raise Refused(
                f"Sync {self.key.sync} may not replicate yet, since masters may lack rows of"
                f" {self.origin}. {'; '.join(lines)}",
                "Run the playbook multimaster.bucardo.bootstrap again: it seeds what is missing,"
                " and says what can be done where rows are in the way.",
            )
        for one in self.copies:
            self._check_truncates(one)

    def _check_truncates(self, one: Standing) -> None:
        early = [
            name
            for name, since in one.truncates.items()
            if name in one.entries
            and one.entries[name].how in (states.BY_COPY, states.BY_COMPARISON)
            and since < t.cast(datetime.datetime, one.entries[name].finished_at)
        ]
        if early:
            raise Refused(
                f"A TRUNCATE of {listed(early)} waits in the queue of {one.name} from before its"
                f" seed was finished, and would empty the table on {self.origin}",
                f"Run the playbook multimaster.bucardo.reseed for these tables of {one.name}, which"
                " takes the TRUNCATE out of the queue; no row of another master goes.",
            )

    def vouch(self, how: str, masters: t.Collection[str] = ()) -> int:
        """Enter what the ledgers do not vouch for, on somebody's word; returns how many tables.

        :param masters: only of these.
        """
        count = 0
        for name, doubts in self.doubts().items():
            if masters and name not in masters:
                continue
            one = self.standings[name]
            today = self.today(one)
            entries = [
                states.Entry(
                    name=table,
                    table_oid=one.oids[table],
                    state=states.SEEDED,
                    rows=0,
                    bytes=0,
                    hash=None,
                    format="",
                    index_mode="",
                    snapshot="",
                    source=today.source,
                    seconds=0.0,
                    source_oid=today.source_oids.get(table),
                    target=today.target,
                    epoch=today.epoch,
                    how=how,
                )
                for table in doubts
                if table in one.oids
            ]
            if entries:
                with one.session.transaction():
                    ledger.create(one.session)
                    one.session.execute(ledger.record(entries))
                one.entries = ledger.entries(one.session)
            count += len(entries)
        return count


def _read_truncates(session: pg.Session, sync: str) -> dict[TableName, datetime.datetime]:
    if not session.value(
        "SELECT pg_catalog.to_regclass('bucardo.bucardo_truncate_trigger') IS NOT NULL"
    ):
        return {}
    return {
        TableName(row["sname"], row["tname"]): row["since"]
        for row in session.rows(_TRUNCATES, (sync,))
    }


class Guard:
    """Stands between a sync and its status active.

    :param members: None while the relgroup has no tables, as in check mode.
    :param active: whether the sync is active, and whether it will be.
    :param elsewhere: the user says that all masters hold all rows.
    """

    def __init__(self, members: Members | None, active: tuple[bool, bool], elsewhere: bool) -> None:
        self.members = members
        self.active, self.will_be_active = active
        self.elsewhere = elsewhere and self.will_be_active
        self.changed = False
        self.warnings: list[str] = []

    def look(self, lacks: Lacks) -> None:
        """Refuse before anything else is touched.

        :param lacks: told when the sync must not be active. Where it returns, the seed that would
            have come before was only planned.
        """
        if self.members is None:
            return
        self.changed = bool(self.members.unsettled())
        self.members.foresee(self.active)
        if self.elsewhere:
            self.changed = self.changed or bool(self.members.doubts())
        elif self.will_be_active:
            try:
                self.members.check()
            except Refused as error:
                lacks(error)
                self.warnings.append(error.message)

    def settle(self) -> None:
        """Let every member note its membership."""
        if self.members is not None:
            self.members.settle()

    def vouch(self) -> None:
        """Enter what the user vouches for, now that changes are queued."""
        if self.members is not None and self.elsewhere:
            self.members.vouch(states.ELSEWHERE)
            self.members.check()
