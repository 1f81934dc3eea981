# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work in pieces that are neither too many nor too large (pure)."""

from __future__ import annotations

import typing as t

Item = t.TypeVar("Item")


def fill(
    items: t.Iterable[Item], size: t.Callable[[Item], int], most: int, largest: int
) -> list[list[Item]]:
    """Batches of items in their order.

    :param size: of one item.
    :param most: items of a batch.
    :param largest: size of a batch; an item that is larger has one of its own.
    """
    batches: list[list[Item]] = []
    filling: list[Item] = []
    filled = 0
    for item in items:
        if filling and (filled + size(item) > largest or len(filling) >= most):
            batches.append(filling)
            filling, filled = [], 0
        filling.append(item)
        filled += size(item)
    if filling:
        batches.append(filling)
    return batches


def chunks(items: t.Sequence[Item], most: int) -> t.Iterator[t.Sequence[Item]]:
    """Parts of at most so many items."""
    return (items[first : first + most] for first in range(0, len(items), most))
