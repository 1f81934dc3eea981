# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects in this collection's and Bucardo's schemas that are somebody else's (pure)."""

from __future__ import annotations

import typing as t

CURE = (
    "Find out who made it and why; what is wanted there must belong to a superuser, its triggers"
    " looked through first."
)


class Foreign(t.NamedTuple):
    """One object in a schema of ours that is somebody else's.

    :param kind: schema, relation or function.
    """

    kind: str
    name: str
    owner: str

    @property
    def line(self) -> str:
        """What is wrong with it."""
        return f"the {self.kind} {self.name} belongs to {self.owner}, who is no superuser"
