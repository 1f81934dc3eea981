# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a diff shows of Bucardo's login role."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo.login_role import State
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import Refused

GOOD = State(exists=True, superuser=True, login=True, password_fits=True, timed=())
SHOWN = {"superuser": True, "login": True, "password": "as given", "timeouts": "none"}
SHOWN["output"] = "as on all masters"


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        (GOOD, SHOWN),
        (State(False, False, False, False, ("lock_timeout",)), {}),
        (State(True, False, True, True, ()), {**SHOWN, "superuser": False}),
        (State(True, True, False, True, ()), {**SHOWN, "login": False}),
        (State(True, True, True, False, ()), {**SHOWN, "password": "another"}),
        (State(True, True, True, None, ()), SHOWN),
        (State(True, True, True, True, ("lock_timeout",)), {**SHOWN, "timeouts": "some"}),
        (
            State(True, True, True, True, (), unpinned=("DateStyle",)),
            {**SHOWN, "output": "as the server's"},
        ),
    ],
)
def test_states(state, shown):
    assert state.shown == shown


def test_another_password_is_not_taken_away_from_others():
    other = State(True, True, True, False, (), has_password=True)
    with pytest.raises(Refused, match="The role bucardo on here has another password already"):
        other.require_password_fits("bucardo", "here")
    # It has the right one, none at all, or none was asked for.
    State(True, True, True, True, (), has_password=True).require_password_fits("bucardo", "here")
    State(True, True, True, False, ()).require_password_fits("bucardo", "here")
    State(True, True, True, None, (), has_password=True).require_password_fits("bucardo", "here")
