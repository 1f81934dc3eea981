# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of replication, as the control database, the daemon and the masters tell it."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from .._bucardo import status
from .._bucardo.catalog import Catalog
from .._bucardo.objects import Sync, format_dsn, parse_dsn
from .._common.errors import MultimasterError, Refused
from .._ledger import ledger
from .._postgres.conninfo import ConnInfo
from .._postgres.pg import Session
from .._sequences import read as sequences_read
from .._sequences import watch as sequences_watch
from .._tracking.queue import Reading, as_rows, read_queues

Values = t.Dict[str, t.Any]
Logins = t.Mapping[str, ConnInfo]


def info(control: Catalog, logins: Logins, only: str | None, pending: bool) -> Values:
    """The return values of bucardo_info.

    :param logins: connection options of masters by name; others log in as Bucardo does.
    :param only: one sync, None for all.
    :param pending: whether masters are asked.
    """
    values = catalog(control, only)
    values.update(pending=[], queues=[], purges=[], truncates_lost=[], seeds=[])
    if pending:
        for name, sync in values["syncs"].items():
            for reading in read_queues(control, logins, name, sync["dbgroup"]):
                _add(values, name, reading)
        values["seeds"] = _seeds(control, logins, values)
    values["problems"] = status.problems(values)
    if pending:
        values["problems"] += _sequence_problems(control, logins, values)
    return values


def catalog(control: Catalog, only: str | None) -> Values:
    """What the control database and the daemon tell."""
    syncs = _syncs(control, only)
    dbgroups = {sync.dbgroup for sync in syncs.values()}
    daemon = control.daemon
    running = daemon.pid() is not None
    return {
        "installed": control.installed,
        "version": control.version,
        "databases": {
            name: {**dataclasses.asdict(database), "conn": without_password(database.conn)}
            for name, database in control.databases().items()
        },
        "dbgroups": {
            name: dict(group.members)
            for name, group in control.dbgroups().items()
            if only is None or name in dbgroups
        },
        "relgroups": _relgroups(control, only, syncs),
        "syncs": {
            name: {
                **sync.to_result(),
                "runs": [dataclasses.asdict(run) for run in control.runs(name)],
            }
            for name, sync in syncs.items()
        },
        "settings": {
            name: setting.value
            for name, setting in control.settings().items()
            if not name.endswith(("_pass", "_password"))
        },
        "daemon": {"running": running, "answers": running and daemon.answers()},
    }


def _syncs(control: Catalog, only: str | None) -> dict[str, Sync]:
    syncs = control.syncs()
    if only is None:
        return syncs
    if only not in syncs:
        raise Refused(f"There is no sync {only!r}", f"Known: {', '.join(syncs) or 'none'}.")
    return {only: syncs[only]}


def _relgroups(
    control: Catalog, only: str | None, syncs: t.Mapping[str, Sync]
) -> dict[str, Values]:
    found: dict[str, Values] = {
        name: {"db": "", "tables": [], "sequences": []} for name in control.relgroups()
    }
    for goat in control.goats():
        for name in goat.relgroups:
            found[name]["db"] = goat.db
            found[name][f"{goat.reltype}s"].append(str(goat.name))
    if only is None:
        return found
    return {name: found[name] for name in {syncs[only].relgroup} & set(found)}


def without_password(conn: str) -> str:
    """A DSN is a place for a password too."""
    try:
        params = parse_dsn(conn)
    except ValueError:
        return ""
    for keyword in ("password", "sslpassword"):
        params.pop(keyword, None)
    return format_dsn(params)


def _add(values: Values, sync: str, reading: Reading) -> None:
    """What one master's queue tells."""
    where = {"sync": sync, "master": reading.master}
    pending = as_rows(reading.master, reading.pending)
    values["pending"] += [{"sync": sync, **row} for row in pending]
    values["queues"].append(
        {
            **where,
            "changes": sum(row["changes"] for row in pending),
            "oldest": max((row["oldest"] for row in pending), default=0.0),
            "error": reading.error,
        }
    )
    if reading.purge is not None:
        purge = dataclasses.asdict(reading.purge)
        values["purges"].append({**where, **purge, "oldest": round(purge["oldest"], 3)})
    values["truncates_lost"] += [
        {**where, **dataclasses.asdict(one), "table": str(one.table)} for one in reading.lost
    ]


def _sessions(
    control: Catalog, logins: Logins, names: t.Iterable[str]
) -> t.Iterator[tuple[str, Session]]:
    """To these masters, one after the other; who cannot be read is named already."""
    for name in names:
        with contextlib.suppress(MultimasterError):
            conninfo = logins[name] if name in logins else control.conninfo(name)
            with Session(conninfo) as session:
                yield name, session


def _sequence_problems(control: Catalog, logins: Logins, values: Values) -> list[str]:
    """Sequences that have left the share of their master, by sync."""
    found: dict[str, None] = {}
    for sync, about in values["syncs"].items():
        members = values["dbgroups"].get(about["dbgroup"], {})
        surveys = {}
        for name, session in _sessions(control, logins, members):
            with contextlib.suppress(MultimasterError):
                surveys[name] = sequences_read.read_shared(session)
        found.update(dict.fromkeys(sequences_watch.problems(surveys, sync)))
    return list(found)


def _seeds(control: Catalog, logins: Logins, values: Values) -> list[Values]:
    """The last seed of each master. Also of those that Bucardo does not know yet."""
    unreachable = {queue["master"] for queue in values["queues"] if queue["error"]}
    members = [
        name
        for sync in values["syncs"].values()
        for name in values["dbgroups"].get(sync["dbgroup"], {})
    ]
    # A target of a sync has no queue and may be out of reach.
    names = [name for name in dict.fromkeys([*logins, *members]) if name not in unreachable]
    found = []
    for name, session in _sessions(control, logins, names):
        with contextlib.suppress(MultimasterError):
            run = ledger.last_run(session)
            if run is not None:
                found.append(status.seed_row(name, run))
    return found
