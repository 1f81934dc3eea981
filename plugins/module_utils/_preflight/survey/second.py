# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The second look at a target: tries there what the origin turned out to need.

Lists of what a server has do not tell whether it works: some extensions refuse to be created
unless their library was preloaded, and a locale that was generated later is in no list.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..._common.errors import MultimasterError
from ..._postgres import pg
from ..._postgres.conninfo import ConnInfo
from ..._postgres.locale import normal_locale
from ..facts import Database, Server, SurveyedMaster
from . import trials
from .master import Options


def look_again(
    options: Options, master: SurveyedMaster, origin: SurveyedMaster | None
) -> SurveyedMaster:
    """The target with what was tried there; as it was where there is nothing to try."""
    if master.server is None or origin is None or origin.server is None or origin.database is None:
        return master
    extensions = _not_preloaded(master.server, origin.server, origin.database)
    locales = _unlisted(master.server, origin.database)
    if not extensions and not locales:
        return master
    try:
        conninfo = ConnInfo.from_options(options)
        if master.database is None:
            conninfo = conninfo.database(str(options["maintenance_db"]))
        with pg.Session(conninfo) as session:
            refused = trials.refused_extensions(session, extensions)
            known = trials.known_locales(session, locales)
    except MultimasterError as error:
        note = f"cannot try extensions and locales: {error.message}"
        return dataclasses.replace(master, unread=(*master.unread, note))
    offers = dataclasses.replace(master.server.offers, refused_extensions=refused)
    server = dataclasses.replace(
        master.server,
        offers=offers,
        locales=master.server.locales | {normal_locale(name) for name in known},
    )
    return dataclasses.replace(master, server=server)


def _not_preloaded(server: Server, model: Server, database: Database) -> list[str]:
    """Extensions whose library the origin preloads and this server does not."""
    missing = set(model.offers.preloaded) - set(server.offers.preloaded)
    return sorted(missing & set(database.extensions) & set(server.available))


def _unlisted(server: Server, database: Database) -> list[str]:
    """Locales of the C library that the server does not list."""
    wanted = {*database.locale[:2], *(one.name for one in database.needs.locales)}
    return sorted(name for name in wanted if normal_locale(name) not in server.locales)


def origin_of(masters: t.Sequence[SurveyedMaster]) -> SurveyedMaster | None:
    """The one origin, None without or with several."""
    origins = [master for master in masters if master.origin]
    return origins[0] if len(origins) == 1 else None
