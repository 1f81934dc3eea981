# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Drives cases of the corpus through preflight, clone, seed and comparison.

Runs where the modules would run, with their own code and without Ansible, since a task per case
would cost more than the case. Cases that need no database of their own share one, each in a schema
of its own; when that database fails as a whole, halves of it are tried, down to the culprit.

    driver.py ORDER    (JSON, see `main`); one line of JSON per case
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import itertools
import json
import multiprocessing
import pathlib
import re
import sys
import time
import traceback
import typing as t

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import psycopg2
from case import Case, every, groups

from ansible_collections.multimaster.bucardo.plugins.module_utils._clone.facts import CloneOptions
from ansible_collections.multimaster.bucardo.plugins.module_utils._clone.run import plan_change
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import (
    Change,
    Scope,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    MultimasterError,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._compare.run import (
    CompareOptions,
    compare,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.tables import Selection
from ansible_collections.multimaster.bucardo.plugins.module_utils._postgres.topology import (
    Master,
    Topology,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.facts import Wanted
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.report import examine
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.survey.restore import (
    try_restores,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._preflight.survey.run import (
    survey,
)
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.options import Options
from ansible_collections.multimaster.bucardo.plugins.module_utils._seed.run import (
    plan_change as plan_seed,
)

LOOK = (HERE / "look.sql").read_text("utf-8")
Params = t.Dict[str, str]
Row = t.Tuple[str, ...]
# Findings about servers, which are the same for every case.
GENERAL = {"pg-dump-missing", "lock-table", "server-timeout", "connections", "clock-skew"}
GENERAL |= {"version-new", "version-backwards", "session-libraries", "extension-version"}
_ROWS = """
SELECT n.nspname::text, c.relname::text,
       (pg_catalog.xpath('/row/c/text()', pg_catalog.query_to_xml(pg_catalog.format(
          'SELECT pg_catalog.concat(count(*), %L, pg_catalog.md5(pg_catalog.string_agg(r::text,'
          ' chr(10) ORDER BY r::text COLLATE "C"))) AS c FROM ONLY %I.%I r',
          ' ', n.nspname, c.relname), false, true, '')))[1]::text
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'm') AND c.relispopulated AND c.relpersistence = 'p'
   AND n.nspname !~ '^pg_'
   AND n.nspname NOT IN ('information_schema', 'multimaster', 'bucardo')
   AND c.oid <> ALL (ARRAY(SELECT objid FROM pg_catalog.pg_depend
                            WHERE deptype = 'e' AND classid = 'pg_catalog.pg_class'::regclass
                              AND objid NOT IN (SELECT pg_catalog.unnest(extconfig)
                                                  FROM pg_catalog.pg_extension)))
"""


@dataclasses.dataclass
class Result:
    """What became of a case; no problems: as expected."""

    case: str
    problems: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Pair:
    """Where to make the databases of origin and target."""

    origin: Params
    target: Params


class Group:
    """Cases that share a database."""

    def __init__(self, pair: Pair, cases: t.Sequence[Case], name: str) -> None:
        self.pair = pair
        self.cases = list(cases)
        self.results = {case.name: Result(case.name) for case in cases}
        self.alone = len(cases) == 1 and cases[0].own
        self.origin = {**pair.origin, "dbname": name}
        self.target = {**pair.target, "dbname": f"{name}_clone"}
        self.masters = [
            _options("here", self.origin, origin=True),
            _options("there", self.target, origin=False),
        ]
        self.exclude = [pattern for case in cases for pattern in self._patterns(case)]

    def _patterns(self, case: Case) -> list[str]:
        """Those of its tables that do not take part."""
        return [
            pattern if self.alone else f"{case.schema}.{pattern.removeprefix('public.')}"
            for pattern in case.exclude
        ]

    def run(self) -> list[Result]:
        try:
            self._make()
            self._judge()
            cases = [case for case in self.cases if not case.blocked]
            if cases:
                self._copy()
                self._look()
        finally:
            self._drop()
        return list(self.results.values())

    def _make(self) -> None:
        with _session(self.pair.origin) as cursor:
            for role in sorted({role for case in self.cases for role in case.roles}):
                cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,))
                if not cursor.fetchone():
                    cursor.execute(f'CREATE ROLE "{role}"')
            cursor.execute(f'CREATE DATABASE "{self.origin["dbname"]}" TEMPLATE template0')
        with _session(self.origin) as cursor:
            for case in self.cases:
                if not self.alone:
                    cursor.execute(
                        f"CREATE SCHEMA {case.schema}; SET search_path = {case.schema}, public"
                    )
                try:
                    cursor.execute(case.sql)
                except psycopg2.Error as error:
                    raise RuntimeError(f"the SQL of {case.schema} fails: {error}") from error
                # What it set is its own.
                cursor.execute("RESET ALL; RESET ROLE")

    def _say(self, case: Case, problem: str) -> None:
        self.results[case.name].problems.append(problem)

    def _of(self, schema: str) -> Case | None:
        """The case that a schema belongs to."""
        if len(self.cases) == 1:
            return self.cases[0]
        return next((case for case in self.cases if case.schema == schema), None)

    def _judge(self) -> None:
        wanted = Wanted(exclude=tuple(self.exclude), check_os_users="never")
        values = examine(try_restores(survey(self.masters, wanted), self.masters)).values()
        found: dict[str, dict[tuple[str, str], str]] = {case.name: {} for case in self.cases}
        for severity, key in (("blocker", "blockers"), ("warning", "cautions")):
            for finding in values[key]:
                words = f"{finding['object']}: {finding['message']}"
                case = self._of(_schema_of(finding["object"])) or self._mentioned(words)
                if finding["check"] in GENERAL and not (
                    case and (severity, finding["check"]) in case.expected
                ):
                    continue
                if case is None:
                    raise AssertionError(f"whose {severity} is this: {finding}")
                found[case.name].setdefault((severity, finding["check"]), words)
        for case in self.cases:
            for severity, check in sorted(case.expected - set(found[case.name])):
                self._say(case, f"preflight has no {severity} {check}")
            for key, words in sorted(found[case.name].items()):
                if key not in case.expected:
                    self._say(case, f"preflight has the {' '.join(key)}: {words}")

    def _mentioned(self, words: str) -> Case | None:
        return next((case for case in self.cases if re.search(rf"\b{case.schema}\b", words)), None)

    def _copy(self) -> None:
        topology = Topology.from_options(self.masters)
        origin, target = topology.masters
        self._clone(origin, target)
        again = self._clone(origin, target)
        if (again.values["state"], again.changed) != ("identical", False):
            raise AssertionError(f"a second clone says {again}")
        options = Options(["*.*"], self.exclude, require_triggers=False, workers=1)
        with Scope(check=False) as scope:
            plan_seed(origin, target, options, scope).apply()
        selection = Selection(exclude=tuple(self.exclude))
        for result in compare(topology, selection, CompareOptions(timeout=0, workers=1)):
            if result.problem:
                case = self._of(_schema_of(result.name))
                self._say(case or self.cases[0], f"data_compare: {result.name} {result.problem}")

    def _clone(self, origin: Master, target: Master) -> Change:
        with Scope(check=False) as scope:
            change = plan_change(origin, target, CloneOptions(), scope)
            change.apply()
        return change

    def _look(self) -> None:
        """What somebody else would see, who trusts none of the code under test."""
        sides = []
        for params in (self.origin, self.target):
            with _session(params) as cursor:
                cursor.execute("SET search_path = ''")
                cursor.execute(LOOK)
                catalog = [tuple(row) for row in cursor.fetchall()]
                cursor.execute(_ROWS)
                sides.append((catalog, [("rows", *row) for row in cursor.fetchall()]))
        (catalog, rows), (other_catalog, other_rows) = sides
        left_out = {pattern for case in self.cases for pattern in self._patterns(case)}
        for ours, theirs, sign in (
            (catalog, other_catalog, "only on the origin"),
            (other_catalog, catalog, "only in the clone"),
        ):
            for row in sorted(set(ours) - set(theirs)):
                self._say(self._of(row[0]) or self.cases[0], f"{sign}: {' | '.join(row)}")
        for row in sorted(set(rows) ^ set(other_rows)):
            if f"{row[1]}.{row[2]}" not in left_out:
                self._say(self._of(row[1]) or self.cases[0], f"rows differ: {' | '.join(row)}")

    def _drop(self) -> None:
        with contextlib.suppress(psycopg2.OperationalError), _session(self.origin) as cursor:
            cursor.execute(
                "SELECT s.subname FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid"
                " WHERE d.datname = current_database()"
            )
            for (name,) in cursor.fetchall():
                cursor.execute(f'DROP SUBSCRIPTION "{name}"')
        for params in (self.origin, self.target):
            with _session({**params, "dbname": "postgres"}) as cursor:
                cursor.execute(f'DROP DATABASE IF EXISTS "{params["dbname"]}" WITH (FORCE)')


def _schema_of(object_: str) -> str:
    return object_.strip('"').split(".")[0].strip('"')


def _options(name: str, params: Params, origin: bool) -> dict[str, t.Any]:
    return {
        "name": name,
        "origin": origin,
        "maintenance_db": "postgres",
        "login_host": params["host"],
        "login_port": params.get("port"),
        "login_user": params["user"],
        "login_password": params.get("password"),
        "login_db": params["dbname"],
    }


@contextlib.contextmanager
def _session(params: Params) -> t.Iterator[t.Any]:
    connection = psycopg2.connect(**params)
    try:
        connection.autocommit = True
        yield connection.cursor()
    finally:
        connection.close()


def run_group(pair: Pair, cases: t.Sequence[Case], name: str) -> list[Result]:
    """The results of cases in one database; whoever breaks all of it is found and left out."""
    try:
        return Group(pair, cases, name).run()
    except Exception as error:
        words = _words(error)
        if len(cases) == 1:
            return [Result(cases[0].name, [words])]
        blamed = [case for case in cases if re.search(rf"\b{case.schema}\b", words)]
        if blamed and len(blamed) < len(cases):
            parts = [[case] for case in blamed]
            parts.append([case for case in cases if case not in blamed])
        else:
            half = len(cases) // 2
            parts = [list(cases[:half]), list(cases[half:])]
        return [
            result
            for number, part in enumerate(parts)
            for result in run_group(pair, part, f"{name}_{number}")
        ]


def _words(error: Exception) -> str:
    if isinstance(error, MultimasterError):
        lines = error.details.get("differences", [])
        return "\n".join([f"{type(error).__name__}: {error}", *lines[:200]])
    return "".join(traceback.format_exception_only(error)) + traceback.format_exc(limit=-2)


def main() -> None:
    """`pairs`: versions of the origin to its and the target's parameters, the first one
    preferred; `only`: names of cases; `alone`: no two cases share a database."""
    order = json.loads(sys.argv[1])
    pairs = {int(version): Pair(**pair) for version, pair in order["pairs"].items()}
    todo: dict[int, list[Case]] = {}
    for case in every():
        if order.get("only") and case.name not in order["only"]:
            continue
        version = next((version for version in pairs if version >= case.server), 0)
        if version:
            todo.setdefault(version, []).append(case)
        else:
            print(json.dumps({"case": case.name, "skipped": f"needs PostgreSQL {case.server}"}))
    jobs = [
        (pairs[version], group, f"corpus_{version}_{number}")
        for version, cases in todo.items()
        for number, group in enumerate(groups(cases, order.get("alone", False)))
    ]
    # The largest first. A clone takes all roles of its origin along, and two that make the same
    # role at one moment fail: cases with roles of their own come one after the other.
    jobs.sort(key=lambda job: -len(job[1]))
    lonely = [job for job in jobs if any(case.roles for case in job[1])]
    started = time.monotonic()
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(3, context) as pool:
        together = pool.map(_job, [job for job in jobs if job not in lonely])
        for results in itertools.chain(together, map(_job, lonely)):
            for result in results:
                print(json.dumps(dataclasses.asdict(result)), flush=True)
    print(f"{time.monotonic() - started:.1f} s", file=sys.stderr)


def _job(job: tuple[Pair, list[Case], str]) -> list[Result]:
    return run_group(*job)


if __name__ == "__main__":
    main()
