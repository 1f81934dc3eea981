# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which changes a copy holds."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._tracking.copied import Seen


@pytest.mark.parametrize(
    ("text", "snapshot", "later"),
    [
        ("10:20:10,12", "10:20:10,12", ()),
        ("10:20:10,12 11,15", "10:20:10,12", (11, 15)),
        ("10:10: 11", "10:10:", (11,)),
    ],
)
def test_it_is_kept_as_text(text, snapshot, later):
    seen = Seen.parse(text)
    assert (seen.snapshot, seen.later) == (snapshot, later)
    assert seen.text == text
