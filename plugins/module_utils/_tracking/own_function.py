# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Trigger functions of ours on a master (pure)."""

from __future__ import annotations

import collections
import dataclasses
import typing as t

# Inside SECURITY DEFINER functions nothing of the caller's may be found before the server's own.
SEARCH_PATH = "search_path=pg_catalog, pg_temp"
# A policy for rows that applies to their owner is an error, instead of rows that are not noted.
ROW_SECURITY = "row_security=off"


@dataclasses.dataclass(frozen=True)
class OwnFunction:
    """A trigger function in schema bucardo.

    :param definer: it runs as its owner, and nobody else may make a trigger of it.
    :param settings: as in pg_proc.proconfig.
    :param sequence: a sequence in the same schema that it needs, "" for none.
    """

    name: str
    body: str
    definer: bool = True
    settings: tuple[str, ...] = (SEARCH_PATH, ROW_SECURITY)
    sequence: str = ""


def most(found: t.Iterable[str], order: t.Sequence[str]) -> str:
    """What is found most often but "", by this order among equals; "" if there is none."""
    counts = collections.Counter(filter(None, found))
    return max(order, key=lambda one: counts[one]) if counts else ""
