# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files and directories are made so, once, and what is in the way is named."""

from __future__ import annotations

import grp
import os
import pwd

import pytest

from ansible_collections.multimaster.bucardo.plugins.module_utils._bucardo import files
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.change import Scope
from ansible_collections.multimaster.bucardo.plugins.module_utils._common.errors import (
    CommandFailed,
    Refused,
)

ME = pwd.getpwuid(os.getuid()).pw_name
MINE = grp.getgrgid(os.getgid()).gr_name
TEXT = "first = 'ü'\r\nlast\n"


def wanted(path, content=None, mode="640", owner=ME, group=MINE, **more):
    return files.Wanted(str(path), owner, group, mode, content, **more)


def run(*entries, check=False):
    with Scope(check=check) as scope:
        change = files.plan(scope, entries)
        if not check:
            change.apply()
    return change


def test_what_is_missing_is_made_and_left_alone_then(tmp_path):
    entries = [wanted(tmp_path / "a", mode="750"), wanted(tmp_path / "a" / "f", TEXT)]
    assert run(*entries, check=True).values["written"] == [one.path for one in entries]
    assert not (tmp_path / "a").exists()
    assert run(*entries).changed
    assert (tmp_path / "a" / "f").read_bytes() == TEXT.encode()
    assert [oct(os.stat(one.path).st_mode & 0o7777) for one in entries] == ["0o750", "0o640"]
    inode = os.stat(entries[1].path).st_ino
    assert not run(*entries).changed
    assert os.stat(entries[1].path).st_ino == inode


@pytest.mark.parametrize("differs", ["content", "mode"])
def test_what_differs_is_replaced(tmp_path, differs):
    path = tmp_path / "f"
    path.write_text("old" if differs == "content" else TEXT, "utf-8", newline="")
    path.chmod(0o644 if differs == "mode" else 0o640)
    change = run(wanted(path, TEXT, backup=True))
    assert change.before[str(path)][differs] != change.after[str(path)][differs]
    assert path.read_bytes() == TEXT.encode()
    assert path.stat().st_mode & 0o7777 == 0o640
    kept = [one for one in os.listdir(tmp_path) if one != "f"]
    assert len(kept) == (differs == "content")
    assert all((tmp_path / one).read_text() == "old" for one in kept)


def test_a_link_is_replaced_and_what_it_leads_to_is_left(tmp_path):
    (tmp_path / "other").write_text("theirs")
    (tmp_path / "f").symlink_to("other")
    run(wanted(tmp_path / "f", TEXT))
    assert not (tmp_path / "f").is_symlink()
    assert (tmp_path / "other").read_text() == "theirs"
    (tmp_path / "real").mkdir(mode=0o750)
    (tmp_path / "d").symlink_to("real")
    assert not run(wanted(tmp_path / "d", mode="750")).changed


def test_what_is_in_the_way_is_named(tmp_path):
    (tmp_path / "f").write_text("")
    (tmp_path / "d").mkdir()
    for entry in (wanted(tmp_path / "f"), wanted(tmp_path / "d", "")):
        with pytest.raises(Refused, match=f"{entry.path} is"):
            run(entry)
    with pytest.raises(Refused, match="is in no directory"):
        run(wanted(tmp_path / "f" / "g", ""))


@pytest.mark.parametrize("lacking", ["owner", "group"])
def test_users_may_be_missing_in_a_check_only(tmp_path, lacking):
    entry = wanted(tmp_path / "f", TEXT, **{lacking: "nobody-of-this-name"})
    assert run(entry, check=True).changed
    with pytest.raises(Refused, match="nobody-of-this-name"):
        run(entry)
    assert os.listdir(tmp_path) == []


def test_a_write_that_fails_leaves_the_old_text(tmp_path, monkeypatch):
    (tmp_path / "f").write_text("old")

    def full(_number):
        raise OSError("no space")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(CommandFailed, match="f cannot be written: no space"):
        run(wanted(tmp_path / "f", TEXT))
    assert (tmp_path / "f").read_text() == "old"
    assert os.listdir(tmp_path) == ["f"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_an_owner_is_set(tmp_path):
    run(wanted(tmp_path / "f", TEXT, owner="nobody", group="nogroup"))
    found = os.stat(tmp_path / "f")
    assert pwd.getpwuid(found.st_uid).pw_name == "nobody"
    assert not run(wanted(tmp_path / "f", TEXT, owner="nobody", group="nogroup")).changed
