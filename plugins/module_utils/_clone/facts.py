# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a clone is asked for, and what servers say about databases and their schemas (pure)."""

from __future__ import annotations

import dataclasses
import typing as t

from .._postgres import dump
from .._postgres.tables import BUCARDO_SCHEMA, OWN_SCHEMA
from . import schema

# What the user's choice of sections means to pg_restore.
SECTIONS = {
    "whole": ("pre-data", "post-data"),
    "pre_data": ("pre-data",),
    "post_data": ("post-data",),
}


# They can be created in the one database only that a setting of the server names.
OF_ONE_DATABASE = frozenset({"pg_cron"})


@dataclasses.dataclass(frozen=True)
class CloneOptions:
    """What the user decides; the module's documentation says what each means."""

    roles: str = "all"
    exclude_roles: tuple[str, ...] = ()
    role_conflict: str = "keep"
    exclude_schemas: tuple[str, ...] = ()
    sections: str = "whole"
    differences: str = "fail"
    tablespaces: bool = True
    pg_bin_dir: str | None = None
    lock_timeout: int = 30000
    diff_lines: int = 100

    @classmethod
    def from_options(cls, options: t.Mapping[str, t.Any]) -> CloneOptions:
        """From a task's options of the same names."""
        given = {field.name: options[field.name] for field in dataclasses.fields(cls)}
        lists = ("exclude_roles", "exclude_schemas")
        return cls(**{**given, **{name: tuple(given[name]) for name in lists}})

    @property
    def schemas_left_out(self) -> tuple[str, ...]:
        """Bucardo's and this collection's own come first."""
        return (BUCARDO_SCHEMA, OWN_SCHEMA, *self.exclude_schemas)


@dataclasses.dataclass(frozen=True)
class SchemaDump:
    """One database's schema, as pg_dump sees it.

    :param command: how it was dumped.
    :param before: the objects of section pre-data.
    :param after: those of section post-data.
    :param pending: invalid indexes.
    """

    archive: str
    command: str
    entries: tuple[dump.TocEntry, ...]
    before: list[schema.Block]
    after: list[schema.Block]
    pending: tuple[schema.IndexName, ...] = ()

    @property
    def anywhere(self) -> tuple[dump.TocEntry, ...]:
        """What can be restored under any name of the database."""
        found = dump.extensions(self.entries)
        return tuple(
            entry
            for place, entry in enumerate(self.entries)
            if found.get(place) not in OF_ONE_DATABASE
        )

    def blocks(self, sections: str) -> list[schema.Block]:
        """The objects that the user's choice of sections speaks of."""
        return {
            "whole": self.before + self.after,
            "pre_data": self.before,
            "post_data": self.after,
        }[sections]


@dataclasses.dataclass(frozen=True)
class Surroundings:
    """What a database speaks of that lives outside of it.

    :param roles: owners, grantees, and those in policies.
    """

    roles: frozenset[str] = frozenset()
    extensions: frozenset[str] = frozenset()
    tablespaces: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class RefusedObject:
    """What a target's server does not take.

    :param type: pg_dump's word, e.g. "TABLE".
    :param name: with its schema, if it has one.
    """

    type: str
    name: str
    message: str
    sqlstate: str = ""
