# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A check of the teardown tells what would go, and takes nothing away."""

from __future__ import annotations

import os
import re
import subprocess


def test_a_check_removes_nothing(there):
    objects = "SELECT count(*) FROM pg_class WHERE relnamespace = 'bucardo'::regnamespace"
    before = there.value(objects)
    done = subprocess.run(
        ["ansible-playbook", "--check", "--inventory", os.environ["MOLECULE_INVENTORY_FILE"]]
        + ["--extra-vars", "multimaster_confirm_teardown=multimaster"]
        + ["multimaster.bucardo.teardown"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert sum(int(number) for number in re.findall(r"changed=(\d+)", done.stdout)) > 0
    assert there.value(objects) == before
    assert there.value("SELECT status FROM bucardo.sync", "bucardo") == "active"
