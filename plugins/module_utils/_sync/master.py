# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Bucardo has on one master, and what is made there for it."""

from __future__ import annotations

import contextlib
import json
import typing as t

from .._bucardo.objects import Goat
from .._common.errors import Refused, StatementFailed
from .._common.names import SyncKey, TableName
from .._postgres import advisory, locks, sql
from .._postgres.pg import Session
from .._tracking import enrolled, key_path, plan
from .._tracking import kick as tracking_kick
from .._tracking import read as tracking_read
from .._tracking import truncate as tracking_truncate
from .._tracking.own_function import OwnFunction
from . import statements

# Tables per message. Every new relation needs an entry in the server's lock table, which holds
# max_locks_per_transaction (64) times max_connections of them by default.
_CHUNK = 50
# CREATE OR REPLACE TRIGGER.
_REPLACES_TRIGGERS = 140000

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
SELECT p.proname::text AS name, p.prosrc AS body, p.prosecdef AS definer,
       COALESCE(p.proconfig, '{}') AS settings
  FROM pg_catalog.pg_proc p
 WHERE p.pronamespace = pg_catalog.to_regnamespace('bucardo') AND p.proname = ANY(%s)
   AND p.pronargs = 0
"""
_FUNCTIONS = """
SELECT DISTINCT p.proname::text FROM pg_catalog.pg_proc p
 WHERE p.pronamespace = pg_catalog.to_regnamespace('bucardo')
"""


# Bucardo's own that lack what `statements.configured` sets. Not those of the row triggers: settings
# would be made and undone for every row.
_UNSET_FUNCTIONS = """
SELECT p.oid::regprocedure::text FROM pg_catalog.pg_proc p
 WHERE p.pronamespace = pg_catalog.to_regnamespace('bucardo') AND p.prosecdef
   AND p.proname ~ '^bucardo_'
   AND NOT (EXISTS (SELECT FROM pg_catalog.unnest(p.proconfig) c WHERE c ~ '^search_path=')
            AND (p.proname <> %s OR 'enable_nestloop=off' = ANY (p.proconfig)))
 ORDER BY 1
"""


class OpenMaster:
    """A master's session and what Bucardo has there.

    :param role: as whom Bucardo connects; owner of what is made.
    """

    def __init__(self, name: str, session: Session, role: str) -> None:
        self.name = name
        self.session = session
        self.role = role
        # So that format_type() qualifies the types of other schemas.
        session.execute("SET search_path = pg_catalog")

    @contextlib.contextmanager
    def alone(self) -> t.Iterator[None]:
        """Wait until no other run changes Bucardo's objects on this master, and keep others away.

        It is let go when the session ends.

        :raises Refused: when the other does not end in time.
        """
        if not advisory.take(self.session, "multimaster.bucardo", "objects"):
            raise Refused(
                f"Another run is changing the objects of Bucardo on {self.name}",
                "Wait until it has ended.",
            )
        yield

    def read(self, goats: t.Sequence[Goat], key: SyncKey) -> plan.MasterState:
        """What is there now, in eight round trips whatever the number of tables."""
        wanted = {goat.name: goat.key for goat in goats}
        found = tracking_read.read(self.session, wanted)
        given = json.dumps(
            [
                {"s": name.schema, "t": name.name, "k": list(columns)}
                for name, columns in wanted.items()
            ]
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
                (plan.target_name(key.dbgroup),),
            )
        if "bucardo_delta_names" in relations:
            registered = self.session.column(
                "SELECT tablename FROM bucardo.bucardo_delta_names WHERE sync = %s", (key.sync,)
            )
        current, kick = self._own_functions(key.sync)
        return plan.MasterState(
            name=self.name,
            tables=tuple(sorted(tables, key=lambda table: table.name)),
            relations=relations,
            functions=frozenset(self.session.column(_FUNCTIONS)),
            current=current,
            kick=kick,
            targets=frozenset(targets),
            registered=frozenset(registered),
            unset_functions=tuple(self._unset_functions()),
            unsearched=self._unsearched(tables),
        )

    def _unsearched(self, tables: t.Iterable[plan.TableState]) -> tuple[str, ...]:
        schemas = {column.equals[0] for table in tables for column in table.key}
        if not self.role or schemas <= {"pg_catalog"}:
            return ()
        return key_path.lacking(key_path.read(self.session, self.role), schemas)

    def _own_functions(self, sync: str) -> tuple[frozenset[str], str]:
        """Those of our own functions that are what this version would make, and the sync's kick."""
        polled = tracking_kick.function(sync, tracking_kick.POLL)
        wanted = {one.name: one for one in (*tracking_truncate.FUNCTIONS.values(), polled)}
        found = {
            row["name"]: OwnFunction(
                row["name"],
                row["body"],
                row["definer"],
                tuple(row["settings"]),
                wanted[row["name"]].sequence,
            )
            for row in self.session.rows(_OWN_FUNCTIONS, (list(wanted),))
        }
        current = frozenset(name for name, one in found.items() if one == wanted[name])
        kick = tracking_kick.kick_of(found[polled.name].body) if polled.name in found else ""
        return current, kick

    def make_functions(self, functions: t.Sequence[OwnFunction]) -> None:
        """Our own functions, with today's text."""
        if functions:
            self.session.execute(sql.together(statements.functions(functions, self.role)))

    def make_objects(self, needed: t.Sequence[plan.TableNeed]) -> None:
        """Delta, track and stage tables, their indexes and functions: no lock on users' tables."""
        work = [need for need in needed if need.objects]
        for start in range(0, len(work), _CHUNK):
            parts = statements.made_as(self.role)
            for need in work[start : start + _CHUNK]:
                parts.extend(statements.objects(need))
            # One message is one transaction: a chunk is made whole or not at all.
            self.session.execute(sql.together(parts))

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

    @property
    def replaces_triggers(self) -> bool:
        """Whether the server knows CREATE OR REPLACE TRIGGER."""
        return self.session.server_version >= _REPLACES_TRIGGERS

    def make_triggers(
        self,
        needed: t.Sequence[plan.TableNeed],
        wanted: statements.Wanted,
        policy: locks.LockPolicy,
    ) -> locks.LockReport:
        """The triggers, in short transactions; a table gets all of its triggers in one."""
        replace = self.replaces_triggers
        report = locks.LockReport()
        # What keeps readers out is done table by table.
        for mode, largest in (
            (locks.ACCESS_EXCLUSIVE, 1),
            (locks.SHARE_ROW_EXCLUSIVE, locks.BATCH_MAX),
        ):
            jobs = [
                locks.LockJob(
                    need.table.name,
                    need.table.oid,
                    list(statements.under_lock(need, wanted, replace)),
                )
                for need in needed
                if (need.triggers or need.rebuilds)
                and statements.drops_triggers(need, replace) == (mode == locks.ACCESS_EXCLUSIVE)
            ]
            report = report.joined(
                locks.run_locked(self.session, jobs, mode, policy, self.role, largest)
            )
        return report

    def configure_functions(self) -> None:
        """Give Bucardo's functions their settings.

        Their text stays the same, which is all that validate_sync compares before it replaces one.
        """
        for signature in self._unset_functions():
            self.session.execute(statements.configured(signature))

    def _unset_functions(self) -> list[str]:
        return self.session.column(_UNSET_FUNCTIONS, (statements.WITHOUT_NESTED_LOOPS,))

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
        self.session.execute(sql.together(statements.probe()))

    def extend_path(self, schemas: t.Sequence[str]) -> None:
        """Let the role that Bucardo connects as find what stands in these schemas."""
        if schemas:
            key_path.extend(self.session, self.role, schemas)

    def has_probe(self) -> bool:
        """Whether a run that was killed has left it behind."""
        return bool(
            self.session.value("SELECT pg_catalog.to_regclass(%s)", (str(statements.PROBE),))
        )

    def drop_probe(self) -> None:
        """Remove every trace of the probe; the schema too, unless it holds something else."""
        registries = self.session.row(
            "SELECT pg_catalog.to_regclass('bucardo.bucardo_delta_targets') IS NOT NULL AS targets,"
            " pg_catalog.to_regclass('bucardo.bucardo_delta_names') IS NOT NULL AS names"
        )
        found = {name for name, there in (registries or {}).items() if there}
        self.session.execute(sql.together(statements.dropped_probe(found)))
        with contextlib.suppress(StatementFailed):
            self.session.execute(statements.dropped_schema())
