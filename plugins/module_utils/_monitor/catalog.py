# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the control database and the daemon tell, as results show it."""

from __future__ import annotations

import dataclasses
import typing as t

from .._bucardo.catalog import Catalog
from .._bucardo.objects import Sync, format_dsn, parse_dsn
from .._common.errors import Refused
from .._ledger import newcomers

Values = t.Dict[str, t.Any]


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
                "joining": sorted(newcomers.known(control.session, sync.dbgroup)),
                "runs": [dataclasses.asdict(run) for run in control.runs(name)],
            }
            for name, sync in syncs.items()
        },
        "settings": control.shown_settings(),
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
