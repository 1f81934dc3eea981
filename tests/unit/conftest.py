# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all unit tests share."""

from __future__ import annotations

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._ansible import runlog


@pytest.fixture(autouse=True, scope="session")
def no_log_of_runs(tmp_path_factory):
    """Modules that run here leave no line in the home directory of whoever tests."""
    patch = pytest.MonkeyPatch()
    patch.setattr(runlog, "SHARED", str(tmp_path_factory.mktemp("runs")))
    yield
    patch.undo()
