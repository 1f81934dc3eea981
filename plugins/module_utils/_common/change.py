# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one shape of every change: what is, what shall be, what that disturbs, and how it is done."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from .errors import MultimasterError

# Told of what is missing; it returns where that may be passed over, see `Scope.lacks`.
Lacks = t.Callable[[MultimasterError], None]


def refuse(error: MultimasterError) -> None:
    """Pass over nothing that is missing.

    :raises MultimasterError: the error.
    """
    raise error


@dataclasses.dataclass
class Change:
    """What a plan comes to. Until it is applied it says what would be, afterwards what was done.

    :param changed: whether something would be, or was, changed.
    :param before: state for the diff, {} for absent; secrets never belong here.
    :param after: the same, as it would be or is now.
    :param disturbs: what others may notice of it, one line each.
    :param values: further return values of the module.
    :param commands: what would be, or was, run; secrets are masked on the way out.
    :param warnings: lines for the user.
    :param work: does it, and corrects the rest of these to what was done. None where there is
        never anything to do.
    :param always: let it work even if nothing differs, as something is to be found out that a
        check must not ask for.
    """

    changed: bool = False
    before: t.Any = None
    after: t.Any = None
    disturbs: list[str] = dataclasses.field(default_factory=list)
    values: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    commands: list[str] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)
    work: t.Callable[[Change], None] | None = dataclasses.field(default=None, repr=False)
    always: bool = False

    def apply(self) -> None:
        """Do it, if there is anything to do."""
        if self.work is not None and (self.changed or self.always):
            self.work(self)


Known = t.TypeVar("Known")


class Scope(contextlib.ExitStack):
    """What a plan opens stays open in here until its change is applied.

    The only thing that a plan can be told apart by in a check from one that will be applied; it
    never needs to know which of them it is.
    """

    def __init__(self, *, check: bool) -> None:
        super().__init__()
        self._check = check

    def lock(self, guard: t.ContextManager[object]) -> None:
        """Keep other runs away, from the plan's first look on. A check keeps nobody away."""
        if not self._check:
            self.enter_context(guard)

    def lacks(self, error: MultimasterError) -> None:
        """Something is missing.

        A check takes it for what an earlier task of the play would have made, and goes on.

        :raises MultimasterError: the error, otherwise.
        """
        if not self._check:
            raise error

    def suspects(self, error: MultimasterError) -> None:
        """Something looks wrong, and only applying can find out whether it is.

        :raises MultimasterError: the error, in a check.
        """
        if self._check:
            raise error

    def foresees(self, look: t.Callable[[], None]) -> None:
        """What applying would run into, and leave nothing of: a check looks for it instead.

        :raises MultimasterError: in a check, where the look does.
        """
        if self._check:
            look()

    def tries(
        self,
        known: Known,
        work: t.Callable[[Known], Known],
        in_check: t.Callable[[Known], Known],
    ) -> Known:
        """What is more than a look, but leaves nothing behind, adds to what is known.

        :param in_check: the same in a check, whose transactions are all rolled back.
        """
        return in_check(known) if self._check else work(known)


# A module's part: reads, writes nothing, and returns what is to be done.
Plan = t.Callable[[t.Dict[str, t.Any], Scope], Change]
