# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No password where others can read it."""

from __future__ import annotations

import os
import subprocess

import pytest

# Parts of the passwords that survive every kind of quoting.
NEEDLES = ["r%d=o", "g%r=e"]


@pytest.mark.parametrize("needle", NEEDLES)
def test_no_log_holds_a_password(here, there, needle):
    for master in (here, there):
        found = master.host.run(
            "grep --recursive --files-with-matches --fixed-strings -e %s /var/log /tmp /run"
            " /var/lib/bucardo/*.log",
            needle,
        )
        assert found.stdout == ""


@pytest.mark.parametrize("needle", NEEDLES)
def test_only_their_owner_reads_files_with_passwords(here, there, needle):
    for master in (here, there):
        found = master.host.run(
            "grep --recursive --files-with-matches --fixed-strings --no-messages -e %s"
            " /etc /home /opt /root /usr/local /var/lib/bucardo /var/lib/postgresql",
            needle,
        )
        for path in found.stdout.splitlines():
            file = master.host.file(path)
            assert file.mode & 0o077 == 0, path


def test_the_control_database_holds_no_password(there):
    assert there.value("SELECT count(*) FROM bucardo.db WHERE dbpass <> ''", "bucardo") == "0"


def test_a_module_in_background_leaves_no_file(there):
    """Its file holds its options, and Ansible's own wrapper lets it lie for some seconds."""
    done = subprocess.run(
        ["ansible", "bucardo", "--inventory", os.environ["MOLECULE_INVENTORY_FILE"]]
        + ["--become", "--become-user=bucardo"]
        + ["--module-name=multimaster.bucardo.bucardo_kick", "--args=name=multimaster"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = there.host.run("find /tmp /var/tmp -name '*.py' -o -name 'multimaster.*'")
    assert found.stdout == ""
