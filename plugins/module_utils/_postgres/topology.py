# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The masters of a topology as values, and what makes a list of masters one (pure)."""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from .._common.errors import Refused
from .conninfo import ConnInfo

TOO_FEW = "too few"
TWINS = "twins"
NO_ORIGIN = "no origin"
SEVERAL_ORIGINS = "several origins"


class TopologyFault(t.NamedTuple):
    """What keeps masters from being a topology.

    :param kind: one of the words above; who reports it knows what users call things there.
    :param masters: the names that it is about.
    """

    kind: str
    masters: tuple[str, ...]


def faults(masters: t.Iterable[tuple[str, bool]], least: int = 2) -> t.Iterator[TopologyFault]:
    """All that is wrong with a list of masters.

    :param masters: the name of each, and whether it is marked as the origin.
    """
    listed = list(masters)
    names = [name for name, _origin in listed]
    if len(names) < least:
        yield TopologyFault(TOO_FEW, tuple(names))
    for name, times in collections.Counter(names).items():
        if times > 1:
            yield TopologyFault(TWINS, (name,) * times)
    origins = tuple(name for name, origin in listed if origin)
    if not origins:
        yield TopologyFault(NO_ORIGIN, ())
    elif len(origins) > 1:
        yield TopologyFault(SEVERAL_ORIGINS, origins)


@dataclasses.dataclass(frozen=True)
class Master:
    """One master: its name in Bucardo and how to log in.

    :param origin: whether it is marked as the one that the others are copied from.
    :param maintenance_db: a database of its server that exists in any case.
    """

    name: str
    login: ConnInfo
    origin: bool = False
    maintenance_db: str = "postgres"

    @classmethod
    def from_options(cls, options: t.Mapping[str, t.Any]) -> Master:
        """From a task's option, see `master_spec` of _ansible/options.py."""
        return cls(
            name=options["name"],
            login=ConnInfo.from_options(options),
            origin=bool(options["origin"]),
            maintenance_db=options["maintenance_db"],
        )

    @property
    def maintenance(self) -> ConnInfo:
        """The login to the database that exists in any case."""
        return self.login.database(self.maintenance_db)


@dataclasses.dataclass(frozen=True)
class Topology:
    """All masters, in the order in which they were named."""

    masters: tuple[Master, ...]

    @classmethod
    def from_options(
        cls, masters: t.Iterable[t.Mapping[str, t.Any]] | None, least: int = 2
    ) -> Topology:
        """From a task's option `masters`.

        :param least: how many the task needs.
        :raises Refused: when there are fewer, two have one name, or several are the origin.
        """
        found = cls(tuple(Master.from_options(options) for options in masters or ()))
        for fault in faults(((one.name, one.origin) for one in found.masters), least):
            found._refuse(fault, least)
        return found

    def _refuse(self, fault: TopologyFault, least: int) -> None:
        if fault.kind == TOO_FEW:
            raise Refused(
                f"masters: {len(self.masters)} of at least {least} are named", "Name all masters."
            )
        if fault.kind == TWINS:
            raise Refused(
                f"masters: two masters have the name {fault.masters[0]}",
                "Give each a name of its own.",
            )
        if fault.kind == SEVERAL_ORIGINS:
            raise Refused(
                f"masters: {', '.join(fault.masters)} are all marked as origin",
                "Mark exactly one.",
            )

    @property
    def origin(self) -> Master:
        """The one that is marked, or else the first."""
        return next((one for one in self.masters if one.origin), self.masters[0])

    @property
    def targets(self) -> tuple[Master, ...]:
        """All but the origin."""
        return tuple(one for one in self.masters if one is not self.origin)

    @property
    def names(self) -> tuple[str, ...]:
        """In the order of the masters."""
        return tuple(one.name for one in self.masters)

    @property
    def logins(self) -> dict[str, ConnInfo]:
        """How to log in to each, by name."""
        return {one.name: one.login for one in self.masters}

    def __len__(self) -> int:
        return len(self.masters)
