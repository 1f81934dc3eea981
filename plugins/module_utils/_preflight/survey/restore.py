# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tries on each target that is still without a schema whether it takes the origin's."""

from __future__ import annotations

import dataclasses
import typing as t

from ..._clone import trial
from ..._clone.facts import CloneOptions
from ..._common.errors import MultimasterError
from ..._postgres import topology
from ..._postgres.parallel import each
from ..._postgres.tables import BUCARDO_SCHEMA, OWN_SCHEMA
from ..facts import Facts, SurveyedMaster
from .master import LOCK_TIMEOUT, Options
from .second import origin_of

_AT_ONCE = 4


def try_restores(
    facts: Facts,
    masters: t.Sequence[Options],
    pg_bin_dir: str | None = None,
    scratch: bool = True,
) -> Facts:
    """The facts with what was refused. Never raises because of a server.

    :param masters: in the order of the facts' own.
    :param scratch: whether a scratch database may be made.
    """
    origin = origin_of(facts.masters)
    if origin is None or not origin.server or not origin.database:
        return facts
    newest = max(one.server.major for one in facts.masters if one.server)
    if (facts.host.pg_dump or 0) < newest:
        return facts
    options = CloneOptions(
        tablespaces=facts.wanted.tablespaces, pg_bin_dir=pg_bin_dir, lock_timeout=LOCK_TIMEOUT
    )
    source = topology.Master.from_options(masters[facts.masters.index(origin)])
    todo = {place: one for place, one in enumerate(facts.masters) if _is_without_schema(one)}

    def attempt(place: int, one: SurveyedMaster) -> SurveyedMaster:
        try:
            target = topology.Master.from_options(masters[place])
            refused = trial.refused(source, target, options, scratch)
        except MultimasterError as error:
            return dataclasses.replace(one, restore_untried=error.message)
        return dataclasses.replace(one, refused_objects=tuple(refused or ()))

    tried = each(todo, attempt, _AT_ONCE)
    found = tuple(tried.get(place, one) for place, one in enumerate(facts.masters))
    return dataclasses.replace(facts, masters=found)


def _is_without_schema(master: SurveyedMaster) -> bool:
    """Whether everything is still to be restored there."""
    if master.origin or master.error or master.server is None or master.server.in_recovery:
        return False
    own = (OWN_SCHEMA, BUCARDO_SCHEMA)
    tables = master.database.tables if master.database else ()
    return all(table.extension or table.name.schema in own for table in tables)
