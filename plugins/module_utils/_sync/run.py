# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: no stability promise for other users.
"""A sync as it should be: its row in the control database and its triggers on the masters."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from .._bucardo.control import Control
from .._bucardo.daemon_messages import Daemon
from .._bucardo.objects import STRATEGIES, Dbgroup, Goat, Sync, problem_with_strategy
from .._common.errors import ConnectionFailed, Refused, StatementFailed
from .._common.names import TableName, problem_with_sync_name
from .._ledger import membership, own_objects, release
from .._postgres import locks, sql
from .._postgres.conninfo import ConnInfo
from .._postgres.pg import Session
from .._tracking import loaded, plan, purge
from .._tracking.queue import Pending, Queue
from . import departure, enrol, indexes, teardown

# Options that are columns of bucardo.sync under the same name.
COLUMNS = (
    "conflict_strategy",
    "autokick",
    "checktime",
    "stayalive",
    "kidsalive",
    "deletemethod",
    "rebuild_index",
    "priority",
    "analyze_after_copy",
    "vacuum_after_copy",
    "strict_checking",
    "overdue",
    "expired",
    "track_rates",
    "onetimecopy",
    "lifetime",
    "maxkicks",
    "isolation_level",
)
_INTERVALS = ("checktime", "overdue", "expired", "lifetime")
# Seconds for the daemon to confirm that it has read the syncs anew; it stops every run first.
RELOAD_TIMEOUT = 120.0
_LOCK_CLASS = "multimaster.bucardo_sync"

_Found = t.Dict[str, t.List[Pending]]


@dataclasses.dataclass(frozen=True)
class Desired:
    """A sync as the user wants it.

    :param held: status inactive: changes queue, nothing is brought over.
    :param columns: further columns of bucardo.sync that were given.
    :param seeded_elsewhere: the user vouches for rows that no ledger knows of.
    :param truncate: what becomes of a TRUNCATE, one of C(_truncate.POLICIES); "" for what does.
    """

    name: str
    relgroup: str
    dbgroup: str
    held: bool | None
    columns: t.Mapping[str, t.Any]
    seeded_elsewhere: bool = False
    truncate: str = ""


@dataclasses.dataclass
class Outcome:
    """What was done, or in check mode would be."""

    changed: bool = False
    before: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    after: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    enrolment: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    sync: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    reloaded: bool = False
    purging: bool = True
    warnings: list[str] = dataclasses.field(default_factory=list)
    # Changes that no other master got or, in check mode, that wait.
    lost: _Found = dataclasses.field(default_factory=dict)


def changes(current: Sync | None, desired: Desired) -> dict[str, t.Any]:
    """Columns of bucardo.sync to be set (pure): everything given when there is no row yet."""
    wanted = dict(desired.columns)
    if desired.held is not None:
        wanted["status"] = "inactive" if desired.held else "active"
    if current is None:
        # A new sync is held unless asked otherwise: nothing is seeded yet.
        return {"status": "inactive", **wanted}
    have = dataclasses.asdict(current)
    # The daemon marks a sync that lost a database as stalled and takes it up again by itself.
    if have["status"] == "stalled":
        have["status"] = "active"
    return {column: value for column, value in wanted.items() if have[column] != value}


def shown(sync: Sync | None) -> dict[str, t.Any]:
    """For results and diffs: Bucardo's row with our word for its status."""
    if sync is None:
        return {}
    row = dataclasses.asdict(sync)
    row["status"] = "held" if row["status"] == "inactive" else row["status"]
    return row


class SyncKeeper:
    """Brings one sync into the wanted state.

    :param logins: connection options of masters by name; for others the control database's own
        are used.
    :param drain_timeout: seconds for the queue of tables that leave.
    :param discard_queue: let them go when that is not enough.
    """

    def __init__(
        self,
        control: Control,
        logins: t.Mapping[str, ConnInfo],
        policy: locks.Policy,
        check_mode: bool = False,
        reload: bool = True,
        drain_timeout: float = 300,
        discard_queue: bool = False,
    ) -> None:
        self.control = control
        self.logins = logins
        self.policy = policy
        self.check_mode = check_mode
        self.reload = reload
        self.drain_timeout = drain_timeout
        self.discard_queue = discard_queue
        self.daemon = Daemon(control.session)

    # -- present ------------------------------------------------------------------------------

    def hold(self, name: str) -> Outcome:
        """Hold a sync without a look at its tables, which may be gone or have another name.

        :raises Refused: when there is no such sync.
        """
        current = self.control.sync(name)
        if current is None:
            raise Refused(f"There is no sync {name}", "Create it, with all that belongs to it.")
        outcome = Outcome(before=shown(current), sync=shown(current))
        outcome.changed = current.status != "inactive"
        outcome.after = {**shown(current), "status": "held"}
        if self.check_mode or not outcome.changed:
            return outcome
        with self._alone(name):
            self.control.session.execute(
                "UPDATE bucardo.sync SET status = 'inactive' WHERE name = %s", (name,)
            )
            outcome.reloaded = self.reload and self.daemon.reload(RELOAD_TIMEOUT)
        outcome.sync = outcome.after = shown(self.control.sync(name))
        return outcome

    def present(self, desired: Desired) -> Outcome:
        """Enrol what is missing, then write the row, then tell the daemon."""
        desired = self._canonical(desired)
        outcome = Outcome()
        current = self.control.sync(desired.name)
        group = self.control.dbgroups().get(desired.dbgroup)
        self._check(desired, current, group)
        enrol.check_version(self.control)
        wanted = changes(current, desired)
        outcome.before = shown(current)
        autokick = wanted.get("autokick", current.autokick if current else True)
        with contextlib.ExitStack() as stack:
            if not self.check_mode:
                stack.enter_context(self._alone(desired.name))
            masters = self._masters(stack, group, outcome)
            enrolment = enrol.Enrolment(
                self.control,
                masters,
                desired.name,
                desired.relgroup,
                desired.dbgroup,
                autokick,
                desired.truncate,
                self.policy,
            )
            members = enrolment.tables()
            if not members and not self.check_mode:
                raise Refused(
                    f"relgroup {desired.relgroup} of sync {desired.name} has no tables",
                    "Add tables with bucardo_relgroup first.",
                )
            guard = self._guard(desired, current, wanted, members, masters)
            guard.look()
            outcome.warnings += guard.warnings
            needed = enrolment.needs(members) if members else {}
            keep = {goat.name for goat in members}
            surplus = self._surplus(masters, desired.name, keep, autokick)
            enrolled = {name: len(members) - len(need.to_lock) for name, need in needed.items()}
            outdated = self._outdated(masters, members, current, wanted)
            outcome.changed = bool(
                wanted or current is None or any(needed.values()) or surplus or outdated
            )
            outcome.changed = outcome.changed or guard.changed
            outcome.before["enrolled"] = enrolled
            if needed and current:
                outcome.before["truncate"] = enrolment.truncate_before
            after = {**shown(current), "name": desired.name, **wanted}
            after.update(relgroup=desired.relgroup, dbgroup=desired.dbgroup)
            after["status"] = "held" if after["status"] == "inactive" else after["status"]
            outcome.after = {**after, "enrolled": {name: len(members) for name in needed}}
            if needed:
                outcome.after["truncate"] = enrolment.truncate
            outcome.enrolment = self._planned(needed, surplus)
            outcome.sync = shown(current)
            parting = _Parting(self, masters, desired.name, desired.dbgroup, surplus, keep)
            parting.prepare(outcome)
            if self.check_mode:
                outcome.purging = self._purging(current, masters, patient=False)
                return outcome
            if not (wanted or current is None or any(needed.values()) or surplus):
                guard.vouch()
                if guard.will_be_active and self.reload and not self.daemon.runs(desired.name):
                    # The row says what ought to be; a daemon may have left the sync out.
                    outcome.reloaded = self.daemon.reload(RELOAD_TIMEOUT)
                    outcome.changed = outcome.changed or outcome.reloaded
                outcome.purging = self._purging(current, masters, patient=not outcome.reloaded)
                return outcome
            for name, report in enrolment.enrol(needed).items():
                outcome.enrolment[name].update(_figures(report))
            guard.vouch()
            parting.drop_triggers(outcome)
            self._write(desired, current, wanted, enrolment, needed, surplus)
            outcome.reloaded = self._reload(masters, members, desired.name)
            # The daemon no longer looks at these tables.
            parting.finish(outcome)
            for name in surplus:
                masters[name].sweep()
            written = self.control.sync(desired.name)
            # A purge that was not needed before has not been started.
            known = current is not None and current.status == "active" and "status" not in wanted
            outcome.purging = self._purging(written, masters, patient=known)
            outcome.sync = shown(written)
            kept = ("enrolled", "truncate")
            outcome.after = {
                **outcome.sync,
                **{key: value for key, value in outcome.after.items() if key in kept},
            }
        return outcome

    def _outdated(
        self,
        masters: t.Mapping[str, enrol.Master],
        members: t.Sequence[Goat],
        current: Sync | None,
        wanted: t.Mapping[str, t.Any],
    ) -> bool:
        """Whether a running controller knows the tables as they were; a held sync has none."""
        if not self.reload or current is None:
            return False
        if "inactive" in (current.status, wanted.get("status")):
            return False
        keys = {goat.name: goat.key for goat in members}
        return any(
            loaded.loaded(master.session, current.name) != loaded.signature(master.session, keys)
            for master in masters.values()
        )

    def _reload(
        self, masters: t.Mapping[str, enrol.Master], members: t.Sequence[Goat], sync: str
    ) -> bool:
        if not self.reload:
            return False
        keys = {goat.name: goat.key for goat in members}
        # Before: what changes meanwhile is then loaded once more.
        known = {name: loaded.signature(one.session, keys) for name, one in masters.items()}
        reloaded = self.daemon.reload(RELOAD_TIMEOUT)
        for name, master in masters.items():
            loaded.remember(master.session, sync, known[name])
        return reloaded

    def _guard(
        self,
        desired: Desired,
        current: Sync | None,
        wanted: t.Mapping[str, t.Any],
        goats: t.Sequence[Goat],
        masters: t.Mapping[str, enrol.Master],
    ) -> release.Guard:
        status = current.status if current else "inactive"
        active = (status != "inactive", wanted.get("status", status) != "inactive")
        members = None
        if goats and masters:
            sessions = {name: master.session for name, master in masters.items()}
            names = [goat.name for goat in goats]
            members = release.Members(
                self.control.session, sessions, desired.name, desired.dbgroup, goats[0].db, names
            )
        return release.Guard(members, active, desired.seeded_elsewhere, self.check_mode)

    def _write(
        self,
        desired: Desired,
        current: Sync | None,
        wanted: dict[str, t.Any],
        enrolment: enrol.Enrolment,
        needed: t.Mapping[str, plan.Needs],
        surplus: t.Mapping[str, teardown.Traces],
    ) -> None:
        """Write the row; every way of doing so that validates is guarded."""
        session = self.control.session
        enrolment.check_complete()
        if current is None:
            row = {
                "name": desired.name,
                "herd": desired.relgroup,
                "dbs": desired.dbgroup,
                **wanted,
            }
            session.execute(
                sql.SQL("INSERT INTO bucardo.sync ({}) VALUES ({})").format(
                    sql.SQL(", ").join(map(sql.Identifier, row)),
                    sql.SQL(", ").join(map(sql.Literal, row.values())),
                )
            )
            return
        if wanted.get("autokick") is False:
            # Bucardo would drop these triggers in one transaction.
            for name, master in enrolment.masters.items():
                traces = teardown.look(name, master.session)
                dropped = teardown.to_drop(traces, desired.name, kick_only=True)
                teardown.drop_triggers(master.session, dropped, self.policy)
        if wanted:
            session.execute(
                sql.SQL("UPDATE bucardo.sync SET {} WHERE name = {}").format(
                    sql.SQL(", ").join(
                        sql.SQL("{} = {}").format(sql.Identifier(column), sql.Literal(value))
                        for column, value in wanted.items()
                    ),
                    sql.Literal(desired.name),
                )
            )
        if surplus or any(needed.values()):
            enrolment.validate()

    def _purging(
        self, sync: Sync | None, masters: t.Mapping[str, enrol.Master], patient: bool
    ) -> bool:
        """Whether what an active sync replicates is purged; true where nothing has to be.

        :param patient: whether the process may have to be replaced by the daemon, which takes it
            some time.
        """
        if sync is None or sync.status != "active" or self.daemon.pid() is None:
            return True
        settings = {name: one.value for name, one in self.control.settings().items()}
        if settings.get("bucardo_vac") == "0":
            return True
        patience = purge.replaced_within(settings) if patient else 0.0
        return purge.lives([master.session for master in masters.values()], patience)

    def _planned(
        self, needed: t.Mapping[str, plan.Needs], surplus: t.Mapping[str, teardown.Traces]
    ) -> dict[str, t.Any]:
        """What this disturbs, by master."""
        planned: dict[str, t.Any] = {}
        for name, need in needed.items():
            planned[name] = {
                "to_enrol": [str(lack.table.name) for lack in need.to_lock],
                "to_rebuild": [str(lack.table.name) for lack in need.tables if lack.rebuilds],
                "to_register": len(need.unregistered),
                "to_remove": [],
            }
        for name, traces in surplus.items():
            planned[name]["to_remove"] = [str(table.name) for table in traces.tables]
        return planned

    def _surplus(
        self,
        masters: t.Mapping[str, enrol.Master],
        sync: str,
        keep: t.Collection[TableName],
        autokick: bool,
    ) -> dict[str, teardown.Traces]:
        """Masters with tables that left the relgroup, reduced to these tables."""
        found = {}
        for name, master in masters.items():
            traces = teardown.look(name, master.session)
            if teardown.leaving(traces, sync, keep):
                leaving = set(teardown.to_drop(traces, sync, keep))
                found[name] = dataclasses.replace(
                    traces, tables=tuple(one for one in traces.tables if one in leaving)
                )
        return found

    def _check(self, desired: Desired, current: Sync | None, group: Dbgroup | None) -> None:
        problem = problem_with_sync_name(desired.name)
        if problem:
            raise Refused(f"The sync's name {desired.name!r} {problem}")
        if current is not None:
            for word, has, wants in (
                ("relgroup", current.relgroup, desired.relgroup),
                ("dbgroup", current.dbgroup, desired.dbgroup),
            ):
                if has != wants:
                    raise Refused(
                        f"Sync {desired.name} exists with the {word} {has!r}, not {wants!r}",
                        "Choose another name, or remove that sync first (state=absent).",
                    )
        if group is None or desired.relgroup not in self.control.relgroups():
            missing = f"dbgroup {desired.dbgroup}" if group is None else ""
            missing = missing or f"relgroup {desired.relgroup}"
            if self.check_mode:
                return
            raise Refused(f"There is no {missing}", "Create it first.")
        if not group.sources:
            raise Refused(
                f"dbgroup {group.name} has no database with the role source",
                "Give every master that role with bucardo_dbgroup.",
            )
        if desired.columns.get("conflict_strategy"):
            problem = problem_with_strategy(desired.columns["conflict_strategy"], group.members)
            if problem:
                raise Refused(
                    f"conflict_strategy: {problem}",
                    f"Use one of {', '.join(STRATEGIES)}, or databases of the group in order"
                    " of precedence.",
                )
        if desired.columns.get("onetimecopy") and len(group.sources) > 1:
            raise Refused(
                "onetimecopy copies from one source to targets only, never between masters",
                "Seed masters with data_seed.",
            )
        self._check_overlap(desired)

    def _check_overlap(self, desired: Desired) -> None:
        """Two syncs with one group of databases and a common table would mark each other's
        changes as replicated (track.target is the group)."""
        rivals = {
            sync.relgroup: name
            for name, sync in self.control.syncs().items()
            if name != desired.name and sync.dbgroup == desired.dbgroup
        }
        if not rivals:
            return
        for goat in self.control.goats(desired.relgroup):
            for relgroup in goat.relgroups:
                if relgroup in rivals:
                    raise Refused(
                        f"{goat.name} is replicated by sync {rivals[relgroup]} with the same"
                        f" dbgroup {desired.dbgroup}",
                        "Two such syncs lose each other's changes; use one of them.",
                    )

    def _canonical(self, desired: Desired) -> Desired:
        """Intervals as PostgreSQL writes them, lists with blanks as Bucardo wants them."""
        columns = dict(desired.columns)
        for option in _INTERVALS:
            if columns.get(option) is None:
                continue
            # "" takes the setting away, where the column may be null.
            if columns[option] == "":
                columns[option] = None if option in ("checktime", "lifetime") else "00:00:00"
                continue
            try:
                columns[option] = self.control.session.value(
                    "SELECT (%s::interval)::text", (columns[option],)
                )
            except StatementFailed as error:
                raise Refused(
                    f"{option}: {columns[option]!r} is not an interval",
                    "Write it like '30 seconds' or '00:05:00'.",
                ) from error
        if columns.get("conflict_strategy"):
            columns["conflict_strategy"] = " ".join(
                columns["conflict_strategy"].replace(",", " ").split()
            )
        return dataclasses.replace(desired, columns=columns)

    # -- absent -------------------------------------------------------------------------------

    def absent(self, name: str, leave_masters: bool = False, dbgroup: str = "") -> Outcome:
        """Drain the sync, take its triggers off the masters, hold it, delete its row.

        :param leave_masters: leave what is on the masters; a warning says so.
        :param dbgroup: where to look for masters when the row is already gone.
        """
        outcome = Outcome()
        current = self.control.sync(name)
        dbgroup = current.dbgroup if current else dbgroup
        group = self.control.dbgroups().get(dbgroup)
        outcome.before = shown(current)
        with contextlib.ExitStack() as stack:
            if not self.check_mode:
                stack.enter_context(self._alone(name))
            masters = {} if leave_masters else self._masters(stack, group, outcome)
            traces = {key: teardown.look(key, one.session) for key, one in masters.items()}
            traces = {
                key: found
                for key, found in traces.items()
                if name in found.syncs and not found.is_control
            }
            enrolled = {key: len(teardown.to_drop(one, name)) for key, one in traces.items()}
            if enrolled:
                outcome.before["enrolled"] = enrolled
            outcome.enrolment = {
                key: {"to_remove": [str(table.name) for table in teardown.to_drop(one, name)]}
                for key, one in traces.items()
            }
            outcome.changed = bool(current or traces)
            if leave_masters and current:
                outcome.warnings.append(
                    f"The triggers of sync {name} stay on the masters and go on filling the"
                    " queue there; remove them with bucardo_teardown."
                )
            parting = _Parting(self, masters, name, dbgroup, traces)
            parting.prepare(outcome)
            if self.check_mode or not outcome.changed:
                return outcome
            parting.drop_triggers(outcome)
            if current and current.status != "inactive":
                self.control.session.execute(
                    "UPDATE bucardo.sync SET status = 'inactive' WHERE name = %s", (name,)
                )
                outcome.reloaded = self.reload and self.daemon.reload(RELOAD_TIMEOUT)
            parting.finish(outcome)
            for one in masters.values():
                membership.leave(one.session, dbgroup)
                loaded.forget(one.session, name)
            if current:
                self.control.session.execute("DELETE FROM bucardo.sync WHERE name = %s", (name,))
                if self.reload and self.daemon.reload(RELOAD_TIMEOUT):
                    outcome.reloaded = True
        return outcome

    # -- shared -------------------------------------------------------------------------------

    def _masters(
        self, stack: contextlib.ExitStack, group: Dbgroup | None, outcome: Outcome
    ) -> dict[str, enrol.Master]:
        """Sessions to every source of the group.

        :raises ConnectionFailed: when one cannot be reached: half of a sync is none.
        """
        if group is None:
            return {}
        roles = set(group.members.values())
        if "fullcopy" in roles and "target" not in roles:
            # Bucardo tracks no changes for such a group.
            return {}
        databases = self.control.databases()
        masters = {}
        for name in group.sources:
            if databases[name].status == "inactive":
                outcome.warnings.append(f"Database {name} is inactive and is left alone.")
                continue
            conninfo = self.logins.get(name) or self.control.conninfo(name)
            try:
                session = stack.enter_context(Session(conninfo))
            except ConnectionFailed as error:
                raise ConnectionFailed(
                    error.message, f"{error.cure} Every master of the sync must be reachable."
                ) from error
            own_objects.require_ours(session, databases[name].user)
            masters[name] = enrol.Master(name, session, databases[name].user)
            if not self.check_mode:
                masters[name].alone()
        return masters

    @contextlib.contextmanager
    def _alone(self, sync: str) -> t.Iterator[None]:
        """Keep a second run away from the same sync; the server lets go when we end."""
        session = self.control.session
        if not session.value(
            "SELECT pg_catalog.pg_try_advisory_lock(pg_catalog.hashtext(%s),"
            " pg_catalog.hashtext(%s))",
            (_LOCK_CLASS, sync),
        ):
            raise Refused(f"Another run is working on sync {sync}", "Wait until it has ended.")
        try:
            yield
        finally:
            with contextlib.suppress(StatementFailed, ConnectionFailed):
                session.value(
                    "SELECT pg_catalog.pg_advisory_unlock(pg_catalog.hashtext(%s),"
                    " pg_catalog.hashtext(%s))",
                    (_LOCK_CLASS, sync),
                )


class _Parting:
    """Tables that leave a sync on several masters; see C(departure) for the order.

    :param traces: of the masters that have such tables.
    :param keep: tables that stay.
    """

    def __init__(
        self,
        keeper: SyncKeeper,
        masters: t.Mapping[str, enrol.Master],
        sync: str,
        dbgroup: str,
        traces: t.Mapping[str, teardown.Traces],
        keep: t.Collection[TableName] = (),
    ) -> None:
        self._keeper = keeper
        self._sessions = {name: master.session for name, master in masters.items()}
        self._sync, self._dbgroup, self._traces, self._keep = sync, dbgroup, traces, keep
        self._names: set[TableName] = set()
        queues, unserved = [], set()
        for name, one in traces.items():
            leaving = teardown.leaving(one, sync, keep)
            registered = teardown.existing(self._sessions[name], one, sync)
            there = {table.name for table in one.tables} | registered
            queues.append(Queue(name, self._sessions[name], sync, dbgroup, leaving & there))
            self._names |= leaving
            unserved |= (leaving & there) - registered
        self._departure = departure.Departure(
            keeper.control,
            sync,
            queues,
            keeper.drain_timeout,
            keeper.discard_queue,
            not traces or self._released(),
            # Of a whole sync that goes, what was never registered has nothing that waits.
            unserved if keep else (),
        )

    def _released(self) -> bool:
        """Whether the sync has ever run; before that no master counts on another's changes."""
        current = self._keeper.control.sync(self._sync)
        return current is None or bool(
            self._keeper.control.session.value(
                "SELECT EXISTS (SELECT FROM bucardo.syncrun r"
                " JOIN bucardo.sync s ON s.name = r.sync"
                " WHERE s.name = %s AND r.started >= s.cdate)",
                (self._sync,),
            )
        )

    def prepare(self, outcome: Outcome) -> None:
        """Everything that can refuse, before anything is taken away; only looks in check mode."""
        dry = self._keeper.check_mode
        if not self._traces:
            return
        for name, session in self._sessions.items():
            broken = indexes.broken(session, self._names)
            if broken and name in outcome.enrolment:
                outcome.enrolment[name]["to_rebuild"] = [str(one) for one in broken]
            if not dry:
                indexes.rebuild(name, session, broken)
        outcome.lost = self._departure.settle(dry)
        if dry and outcome.lost:
            outcome.warnings.append(departure.warning(outcome.lost, dry))

    def drop_triggers(self, outcome: Outcome) -> None:
        """Take the triggers off while the sync still runs, and let it take what came meanwhile."""
        if not self._traces:
            return
        teardown.stop_vouching(self._sessions.values(), self._names)
        for name, traces in self._traces.items():
            dropped = teardown.to_drop(traces, self._sync, self._keep)
            report = teardown.drop_triggers(self._sessions[name], dropped, self._keeper.policy)
            outcome.enrolment[name].update(_figures(report))
        self._departure.settle()

    def finish(self, outcome: Outcome) -> None:
        """Drop the queue and what belongs to it, and say what was in it."""
        outcome.lost = self._departure.waiting()
        for name, traces in self._traces.items():
            teardown.leave_sync(self._sessions[name], traces, self._sync, self._dbgroup, self._keep)
        if outcome.lost:
            outcome.warnings.append(departure.warning(outcome.lost))


def _figures(report: locks.Report) -> dict[str, t.Any]:
    return {
        "batches": report.batches,
        "refused_locks": report.refusals,
        "longest_wait_ms": round(report.longest_wait * 1000),
        "longest_hold_ms": round(report.longest_hold * 1000),
        "seconds": round(report.seconds, 2),
    }


def planned(desired: Desired, absent: bool) -> Outcome:
    """What a run would do where the control database is not there yet (pure)."""
    if absent:
        return Outcome()
    row = {"name": desired.name, "relgroup": desired.relgroup, "dbgroup": desired.dbgroup}
    row.update(changes(None, desired))
    row["status"] = "held" if row["status"] == "inactive" else row["status"]
    return Outcome(changed=True, after=row)
