# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: no stability promise for other users.
"""Makes a sync's change tracking on the masters without holding up their writers.

Bucardo creates the triggers of all tables in one transaction per database. Its validate_sync
skips whatever exists by name, so here everything is made beforehand: what locks no table of the
user in bulk, the triggers in short transactions (see C(locks)), and only then the sync's row,
whose validation finds nothing left to do. docs/decisions/enrolment.md has the measurements.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import typing as t

from .._bucardo.control import Control
from .._bucardo.objects import Goat
from .._common.errors import Refused, StatementFailed
from .._common.names import TableName
from .._ledger import ledger
from .._postgres import locks, pg, sql
from .._postgres.parallel import each
from .._postgres.pg import Session
from .._postgres.tables import OWN_SCHEMA
from .._tracking import enrolled, key_path, plan
from .._tracking import read as tracking_read
from .._tracking import truncate as tracking_truncate
from . import statements as sync_statements
from . import teardown

PROBE = TableName(OWN_SCHEMA, "bucardo_probe")
# Relgroup and dbgroup that exist only inside a transaction that is rolled back.
_PROBE_GROUP = "multimaster_probe"
# Tables per message. Every new relation needs an entry in the server's lock table, which holds
# max_locks_per_transaction (64) times max_connections of them by default.
_CHUNK = 50
# CREATE OR REPLACE TRIGGER.
_REPLACES_TRIGGERS = 140000
# Seconds.
_ALONE_TIMEOUT = 120

_TABLES = """
SELECT m.s AS schema, m.t AS name, COALESCE(c.oid, 0)::bigint AS oid,
       COALESCE(c.relkind::text, '') AS kind,
       pg_catalog.quote_ident(m.s) || '.' || pg_catalog.quote_ident(m.t) AS quoted,
       COALESCE((SELECT pg_catalog.json_agg(pg_catalog.json_build_array(
                          a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
                          CASE WHEN a.attcollation <> y.typcollation THEN n2.nspname END,
                          l.collname) ORDER BY k.position)
                   FROM pg_catalog.json_array_elements_text(m.k) WITH ORDINALITY k (col, position)
                   JOIN pg_catalog.pg_attribute a
                     ON a.attrelid = c.oid AND a.attname = k.col AND NOT a.attisdropped
                   JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
                   LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
                   LEFT JOIN pg_catalog.pg_namespace n2 ON n2.oid = l.collnamespace), '[]')
         AS key
  FROM pg_catalog.json_to_recordset(%s) AS m (s text, t text, k json)
  LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = m.s
  LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = m.t
"""
_RELATIONS = """
SELECT c.relname, c.relkind::text FROM pg_catalog.pg_class c
 WHERE c.relnamespace = pg_catalog.to_regnamespace('bucardo')
"""
_OWN_FUNCTIONS = """
SELECT p.proname::text AS name, p.prosrc AS body FROM pg_catalog.pg_proc p
 WHERE p.pronamespace = pg_catalog.to_regnamespace('bucardo') AND p.proname = ANY(%s)
   AND p.pronargs = 0 AND p.prosecdef AND p.proconfig = %s::text[]
"""
_FUNCTIONS = """
SELECT DISTINCT p.proname::text FROM pg_catalog.pg_proc p
 WHERE p.pronamespace = pg_catalog.to_regnamespace('bucardo')
"""


# Bucardo's own, which look names up as their caller does. Those of the row triggers do not: a
# search_path of their own would be set and reset for every row.
_OPEN_FUNCTIONS = """
SELECT p.oid::regprocedure::text FROM pg_catalog.pg_proc p
 WHERE p.pronamespace = pg_catalog.to_regnamespace('bucardo') AND p.prosecdef
   AND p.proname ~ '^bucardo_'
   AND NOT EXISTS (SELECT FROM pg_catalog.unnest(p.proconfig) c WHERE c ~ '^search_path=')
 ORDER BY 1
"""


class Master:
    """A master's session and what Bucardo has there.

    :param role: as whom Bucardo connects; owner of what is made.
    """

    def __init__(self, name: str, session: Session, role: str) -> None:
        self.name = name
        self.session = session
        self.role = role
        # So that format_type() qualifies the types of other schemas.
        session.execute("SET search_path = pg_catalog")

    def alone(self) -> None:
        """Wait until no other run changes Bucardo's objects on this master.

        The statement of a run that was killed goes on until its end on the server, and holds
        this lock until then. It is let go when the session ends.

        :raises Refused: when the other does not end within C(_ALONE_TIMEOUT).
        """
        self.session.execute("SET lock_timeout = %s", (f"{_ALONE_TIMEOUT}s",))
        try:
            self.session.value(
                "SELECT pg_catalog.pg_advisory_lock(pg_catalog.hashtext('multimaster.bucardo'),"
                " pg_catalog.hashtext(%s))",
                ("objects",),
            )
        except StatementFailed as error:
            if error.sqlstate != pg.LOCK_NOT_AVAILABLE:
                raise
            raise Refused(
                f"Another run is changing the objects of Bucardo on {self.name}",
                "Wait until it has ended.",
            ) from error
        finally:
            self.session.execute("RESET lock_timeout")

    def read(self, goats: t.Sequence[Goat], sync: str, dbgroup: str) -> plan.MasterState:
        """What is there now, in eight round trips whatever the number of tables."""
        wanted = {goat.name: goat.key for goat in goats}
        found = tracking_read.read(self.session, wanted)
        given = json.dumps(
            [{"s": name.schema, "t": name.name, "k": list(key)} for name, key in wanted.items()]
        )
        tables = []
        for row in self.session.rows(_TABLES, (given,)):
            name = TableName(row["schema"], row["name"])
            has = found.get(name, enrolled.Found(is_known=False))
            tables.append(
                plan.TableState(
                    name=name,
                    oid=row["oid"],
                    kind=row["kind"],
                    quoted=row["quoted"],
                    key=tuple(
                        plan.KeyColumn(
                            column,
                            type_,
                            (schema, collation) if schema else None,
                            has.equals.get(column, plan.EQUALS),
                        )
                        for column, type_, schema, collation in row["key"]
                    ),
                    wanted_key=wanted[name],
                    found=has,
                )
            )
        relations = {row["relname"]: row["relkind"] for row in self.session.rows(_RELATIONS)}
        targets, registered = [], []
        if "bucardo_delta_targets" in relations:
            targets = self.session.column(
                "SELECT tablename::bigint FROM bucardo.bucardo_delta_targets WHERE target = %s",
                (plan.target_name(dbgroup),),
            )
        if "bucardo_delta_names" in relations:
            registered = self.session.column(
                "SELECT tablename FROM bucardo.bucardo_delta_names WHERE sync = %s", (sync,)
            )
        return plan.MasterState(
            name=self.name,
            tables=tuple(sorted(tables, key=lambda table: table.name)),
            relations=relations,
            functions=frozenset(self.session.column(_FUNCTIONS)),
            current=self._current_functions(),
            targets=frozenset(targets),
            registered=frozenset(registered),
            open_functions=tuple(self.session.column(_OPEN_FUNCTIONS)),
            unsearched=self._unsearched(tables),
        )

    def _unsearched(self, tables: t.Iterable[plan.TableState]) -> tuple[str, ...]:
        schemas = {column.equals[0] for table in tables for column in table.key}
        if not self.role or schemas <= {"pg_catalog"}:
            return ()
        return key_path.lacking(key_path.read(self.session, self.role), schemas)

    def _current_functions(self) -> frozenset[str]:
        """Those of our own functions that are what this version would make."""
        wanted = {one.name: one.body for one in tracking_truncate.FUNCTIONS.values()}
        rows = self.session.rows(_OWN_FUNCTIONS, (list(wanted), list(tracking_truncate.SETTINGS)))
        return frozenset(row["name"] for row in rows if row["body"] == wanted[row["name"]])

    def make_functions(self, functions: t.Sequence[tracking_truncate.Function]) -> None:
        """Our own functions, with today's text."""
        parts: list[sql.Composable] = []
        if self.role and functions:
            parts.append(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(self.role)))
        for function in functions:
            name = sql.Identifier("bucardo", function.name)
            options = sql.SQL(" ").join(
                sql.SQL("SET {} = {}").format(sql.SQL(key), sql.SQL(value))
                for key, _equals, value in (
                    one.partition("=") for one in tracking_truncate.SETTINGS
                )
            )
            parts.append(
                sql.SQL(
                    "CREATE OR REPLACE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql"
                    " SECURITY DEFINER {} AS {}"
                ).format(name, options, sql.Literal(function.body))
            )
            # Else whoever may make a trigger could fill the queue of his choice.
            parts.append(sql.SQL("REVOKE ALL ON FUNCTION {}() FROM PUBLIC").format(name))
        if parts:
            self.session.execute(sql.SQL(";\n").join(parts))

    def make_objects(self, needed: t.Sequence[plan.TableNeed]) -> None:
        """Delta, track and stage tables, their indexes and functions: no lock on users' tables."""
        work = [need for need in needed if need.objects]
        for start in range(0, len(work), _CHUNK):
            parts: list[sql.Composable] = []
            if self.role:
                parts.append(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(self.role)))
            for need in work[start : start + _CHUNK]:
                parts.extend(sync_statements.objects(need))
            # One message is one transaction: a chunk is made whole or not at all.
            self.session.execute(sql.SQL(";\n").join(parts))

    def register(self, needed: t.Sequence[plan.TableNeed], dbgroup: str) -> None:
        """Tell the purge for which group of databases the tables' changes are kept."""
        new = [need.table.oid for need in needed if need.target]
        if new:
            # A TRUNCATE of a table that had this name would be repeated on this one.
            self.session.execute(
                "DELETE FROM bucardo.bucardo_truncate_trigger t"
                " USING pg_catalog.pg_class c, pg_catalog.pg_namespace n"
                " WHERE c.oid = ANY(%s::oid[]) AND n.oid = c.relnamespace"
                "   AND t.sname = n.nspname AND t.tname = c.relname AND t.tablename <> c.oid",
                (new,),
            )
        # What is to be discarded is known by the table's not being registered.
        oids = [need.table.oid for need in needed if need.target and not need.discard]
        if oids:
            self.session.execute(
                "INSERT INTO bucardo.bucardo_delta_targets (tablename, target)"
                " SELECT o, %(target)s FROM pg_catalog.unnest(%(oids)s::oid[]) o"
                "  WHERE NOT EXISTS (SELECT 1 FROM bucardo.bucardo_delta_targets"
                "                     WHERE tablename = o AND target = %(target)s)",
                {"oids": oids, "target": plan.target_name(dbgroup)},
            )

    def make_triggers(
        self,
        needed: t.Sequence[plan.TableNeed],
        wanted: sync_statements.Wanted,
        policy: locks.Policy,
    ) -> locks.Report:
        """The triggers, in short transactions; a table gets all of its triggers in one."""
        replace = self.session.server_version >= _REPLACES_TRIGGERS
        report = locks.Report()
        # What keeps readers out is done table by table.
        for mode, largest in (
            (locks.ACCESS_EXCLUSIVE, 1),
            (locks.SHARE_ROW_EXCLUSIVE, locks.BATCH_MAX),
        ):
            jobs = [
                locks.Job(
                    need.table.name,
                    need.table.oid,
                    list(sync_statements.under_lock(need, wanted, replace)),
                )
                for need in needed
                if (need.triggers or need.rebuilds)
                and sync_statements.drops_triggers(need, replace)
                == (mode == locks.ACCESS_EXCLUSIVE)
            ]
            report = report.joined(
                locks.run_locked(self.session, jobs, mode, policy, self.role, largest)
            )
        return report

    def secure(self, functions: t.Sequence[str]) -> None:
        """Let functions of Bucardo's look names up where no user can put any.

        Their text stays the same, which is all that validate_sync compares before it replaces one.
        """
        for signature in functions:
            self.session.execute(
                # As the server wrote it: a signature is no single identifier.
                sql.SQL(f"ALTER FUNCTION {signature} SET search_path = pg_catalog, pg_temp")
            )

    def sweep(self) -> None:
        """Remove what Bucardo has noted of tables that do not exist any more.

        It goes by name: a TRUNCATE of such a table would be repeated on a later one of its name.
        """
        self.session.execute(
            "DELETE FROM bucardo.bucardo_delta_targets t WHERE NOT EXISTS"
            " (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.tablename);"
            " DELETE FROM bucardo.bucardo_truncate_trigger t WHERE NOT EXISTS"
            " (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.tablename)"
        )

    def make_probe(self) -> None:
        """A small table of our own, on which Bucardo installs what every master needs once."""
        self.session.execute(
            sql.SQL(
                "CREATE SCHEMA IF NOT EXISTS {schema};"
                " CREATE TABLE IF NOT EXISTS {table} (id integer PRIMARY KEY)"
            ).format(
                schema=sql.Identifier(PROBE.schema),
                table=sql.Identifier(PROBE.schema, PROBE.name),
            )
        )

    def drop_probe(self) -> None:
        """Remove every trace of the probe; the schema too, unless it holds something else."""
        parts: list[sql.Composable] = []
        registries = self.session.row(
            "SELECT pg_catalog.to_regclass('bucardo.bucardo_delta_targets') IS NOT NULL AS targets,"
            " pg_catalog.to_regclass('bucardo.bucardo_delta_names') IS NOT NULL AS names"
        )
        if registries and registries["targets"]:
            parts.append(
                sql.SQL(
                    "DELETE FROM bucardo.bucardo_delta_targets"
                    " WHERE tablename = pg_catalog.to_regclass({})"
                ).format(sql.Literal(str(PROBE)))
            )
        if registries and registries["names"]:
            parts.append(
                sql.SQL("DELETE FROM bucardo.bucardo_delta_names WHERE tablename = {}").format(
                    sql.Literal(str(PROBE))
                )
            )
        parts.append(
            sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(PROBE.schema, PROBE.name))
        )
        parts.extend(teardown.drop_object_statements(PROBE))
        self.session.execute(sql.SQL("; ").join(parts))
        with contextlib.suppress(StatementFailed):
            self.session.execute(
                sql.SQL("DROP SCHEMA IF EXISTS {} RESTRICT").format(sql.Identifier(PROBE.schema))
            )


@dataclasses.dataclass
class Enrolment:
    """The work of one sync on all of its masters.

    :param masters: every database of the group whose role is source, by name.
    :param truncate: what is to become of a TRUNCATE; "" for what does already.
    :param truncate_before: what became of it at the first look.
    """

    control: Control
    masters: t.Mapping[str, Master]
    sync: str
    relgroup: str
    dbgroup: str
    autokick: bool
    truncate: str = ""
    policy: locks.Policy = dataclasses.field(default_factory=locks.Policy)
    truncate_before: str = ""

    def look(self, goats: t.Sequence[Goat]) -> dict[str, plan.MasterState]:
        """Read all masters.

        :param goats: the tables of the relgroup.
        :raises Refused: when a member of the relgroup cannot be replicated, naming all such.
        """
        states = each(
            self.masters, lambda _name, master: master.read(goats, self.sync, self.dbgroup)
        )
        problems = [line for state in states.values() for line in plan.problems(state)]
        if problems:
            more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
            raise Refused(
                f"relgroup {self.relgroup}: {'; '.join(problems[:3])}{more}",
                "Correct the tables or take them out of the relgroup.",
                problems=problems,
            )
        return states

    def tables(self) -> list[Goat]:
        """The tables of the relgroup."""
        return [goat for goat in self.control.goats(self.relgroup) if goat.reltype == "table"]

    def needs(self, goats: t.Sequence[Goat]) -> dict[str, plan.Needs]:
        """What these tables of the relgroup lack, by master.

        :raises Refused: when another sync of these tables forbids the wanted policy for TRUNCATE.
        """
        states = self.look(goats)
        if not self.truncate_before:
            self.truncate_before = plan.truncate_policy(states.values(), self.sync)
        # For what is made later, too.
        self.truncate = self.truncate or self.truncate_before or tracking_truncate.DEFAULT
        clashes = [
            line
            for state in states.values()
            for line in plan.truncate_problems(state, self.sync, self.truncate)
        ]
        if clashes:
            raise Refused(
                f"sync {self.sync} cannot have the policy {self.truncate} for TRUNCATE:"
                f" {'; '.join(clashes[:3])}",
                f"Give one of the syncs the policy {tracking_truncate.REFUSE} first.",
                problems=clashes,
            )
        return {
            name: plan.needs(state, self.sync, self.autokick, self.truncate)
            for name, state in states.items()
        }

    def enrol(self, needed: t.Mapping[str, plan.Needs]) -> dict[str, locks.Report]:
        """Make what is missing; afterwards a validation has nothing to lock.

        The masters are worked on side by side. When one fails the others still finish.

        :raises DeadlineExceeded: naming the tables that could not be locked in time.
        """
        check_version(self.control)
        bare = [name for name, need in needed.items() if need.globals]
        if bare:
            self.install_globals(bare)
        self._distrust(needed)
        return each(needed, lambda name, need: self._enrol_one(self.masters[name], need))

    def _distrust(self, needed: t.Mapping[str, plan.Needs]) -> None:
        """Before any trigger is made: with it a table would look as if no change had been missed.

        Not where a master holds nothing yet that was proven.
        """
        origins = {goat.db for goat in self.tables()}
        suspects: set[TableName] = set()
        for name, need in needed.items():
            lost = {lack.table.name for lack in need.tables if lack.lost}
            if lost and name not in origins:
                lost &= ledger.vouched(self.masters[name].session)
            suspects |= lost
        for master in self.masters.values():
            ledger.distrust(master.session, suspects)

    def _enrol_one(self, master: Master, need: plan.Needs) -> locks.Report:
        # A run that was killed may have left it behind.
        if master.session.value("SELECT pg_catalog.to_regclass(%s)", (str(PROBE),)):
            master.drop_probe()
        master.make_functions(need.functions)
        master.make_objects(need.tables)
        # Before the triggers: from the first change on, the purge must know whose it is.
        master.register(need.tables, self.dbgroup)
        wanted = sync_statements.Wanted(self.sync, self.dbgroup, self.autokick, self.truncate)
        report = master.make_triggers(need.tables, wanted, self.policy)
        master.secure(master.session.column(_OPEN_FUNCTIONS))
        if need.unsearched:
            key_path.extend(master.session, master.role, need.unsearched)
        return report

    def install_globals(self, names: t.Sequence[str]) -> None:
        """Have Bucardo install its schema on masters that lack it, without a user's table.

        Inside one transaction of the control database the sync consists of a probe table only.
        validate_sync commits on the masters through connections of its own; here all is rolled
        back.
        """
        check_version(self.control)
        made: list[Master] = []
        try:
            for name in names:
                made.append(self.masters[name])
                self.masters[name].make_probe()
            self._validate_probe(names)
        finally:
            for master in made:
                master.drop_probe()

    def _validate_probe(self, names: t.Sequence[str]) -> None:
        control = self.control.session
        control.execute("BEGIN")
        try:
            control.execute("INSERT INTO bucardo.dbgroup (name) VALUES (%s)", (_PROBE_GROUP,))
            control.execute(
                "INSERT INTO bucardo.dbmap (db, dbgroup, role)"
                " SELECT d, %s, 'source' FROM pg_catalog.unnest(%s::text[]) d",
                (_PROBE_GROUP, list(names)),
            )
            control.execute("INSERT INTO bucardo.herd (name) VALUES (%s)", (_PROBE_GROUP,))
            control.execute(
                "WITH goat AS (INSERT INTO bucardo.goat (db, schemaname, tablename, reltype)"
                " VALUES (%s, %s, %s, 'table') RETURNING id)"
                " INSERT INTO bucardo.herdmap (herd, goat) SELECT %s, id FROM goat",
                (names[0], PROBE.schema, PROBE.name, _PROBE_GROUP),
            )
            # The functions' names hold the sync's, so it has to be the sync's own name.
            changed = control.execute(
                "UPDATE bucardo.sync SET herd = %s, dbs = %s WHERE name = %s",
                (_PROBE_GROUP, _PROBE_GROUP, self.sync),
            )
            if changed < 1:
                control.execute(
                    "INSERT INTO bucardo.sync (name, herd, dbs, status)"
                    " VALUES (%s, %s, %s, 'inactive')",
                    (self.sync, _PROBE_GROUP, _PROBE_GROUP),
                )
        finally:
            control.execute("ROLLBACK")

    def check_complete(self) -> None:
        """Guard of every validation: nothing may be left for which it would lock a table.

        :raises Refused: naming what is missing.
        """
        for name, need in self.needs(self.tables()).items():
            if need.globals or need.tables:
                what = ", ".join(str(lack.table.name) for lack in need.tables[:3])
                raise Refused(
                    f"{name}: {what or ', '.join(need.globals[:3])} changed while it was being"
                    " enrolled",
                    "Run again when nobody changes the schema or Bucardo's objects.",
                )

    def validate(self) -> None:
        """Let Bucardo register the sync's tables; call check_complete() first."""
        self.control.session.value("SELECT bucardo.validate_sync(%s)", (self.sync,))


def check_version(control: Control) -> None:
    """Refuse a Bucardo whose objects were not compared with those made here."""
    if control.version != plan.SUPPORTED_VERSION:
        raise Refused(
            f"the control database is of Bucardo {control.version or '(unknown version)'}",
            f"Enrolment knows the objects of Bucardo {plan.SUPPORTED_VERSION} only.",
        )
