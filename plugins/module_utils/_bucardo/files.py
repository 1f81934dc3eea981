# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files and directories of Bucardo's host, all of them in one pass.

Ansible's own modules take one to three steps for each, which is most of what a first run waits for
in this part; docs/decisions/quick-play.md.
"""

from __future__ import annotations

import contextlib
import dataclasses
import grp
import os
import pwd
import shutil
import stat
import tempfile
import time
import typing as t

from .._common.change import Change, Scope
from .._common.errors import CommandFailed, Refused

# A path's kind, owner, group and mode, and its text where it is a file.
State = t.Dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A file, or a directory.

    :param mode: in octal digits.
    :param content: None for a directory.
    :param backup: keep what is replaced, beside it.
    """

    path: str
    owner: str
    group: str
    mode: str
    content: str | None = None
    backup: bool = False

    @property
    def state(self) -> State:
        """As `found` would tell of it."""
        state: State = {
            "state": "directory" if self.content is None else "file",
            "owner": self.owner,
            "group": self.group,
            "mode": self.mode.rjust(4, "0"),
        }
        return state if self.content is None else {**state, "content": self.content}


def plan(scope: Scope, wanted: t.Sequence[Wanted]) -> Change:
    """Whatever is not as it shall be is made so, in this order.

    :raises Refused: where something else is in the way, or there is no such user or group.
    """
    before = {one.path: _found(one) for one in wanted}
    differing = [one for one in wanted if before[one.path] != one.state]
    for one in differing:
        try:
            _ids(one)
        except Refused as error:
            scope.lacks(error)

    def work(_change: Change) -> None:
        for one in differing:
            try:
                _make(one, before[one.path])
            except OSError as error:
                raise CommandFailed(
                    f"{one.path} cannot be written: {error.strerror or error}",
                    "What was there is left; mend the cause, then run again.",
                ) from error

    return Change(
        changed=bool(differing),
        before={one.path: before[one.path] or {"state": "absent"} for one in differing},
        after={one.path: one.state for one in differing},
        values={"written": [one.path for one in differing]},
        commands=[f"write {one.path}" for one in differing],
        work=work,
    )


def _found(wanted: Wanted) -> State | None:
    """What is there, None for nothing."""
    is_directory = wanted.content is None
    try:
        # A link to a directory is one; a link in the place of a file is replaced.
        found = os.stat(wanted.path) if is_directory else os.lstat(wanted.path)
    except FileNotFoundError:
        return None
    except NotADirectoryError as error:
        raise Refused(f"{error.filename} is in no directory", "Move what is in its way.") from error
    if stat.S_ISDIR(found.st_mode) is not is_directory:
        what = "no directory" if is_directory else "a directory"
        raise Refused(f"{wanted.path} is {what}", "Move it out of the way, then run again.")
    state: State = {
        "state": "directory" if is_directory else "file",
        "owner": _name(lambda: pwd.getpwuid(found.st_uid).pw_name, found.st_uid),
        "group": _name(lambda: grp.getgrgid(found.st_gid).gr_name, found.st_gid),
        "mode": f"{stat.S_IMODE(found.st_mode):04o}",
    }
    if is_directory:
        return state
    if not stat.S_ISREG(found.st_mode):
        return {**state, "state": "link" if stat.S_ISLNK(found.st_mode) else "special"}
    with open(wanted.path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        return {**state, "content": file.read()}


def _name(look: t.Callable[[], str], number: int) -> str:
    try:
        return look()
    except KeyError:
        return str(number)


def _ids(wanted: Wanted) -> tuple[int, int]:
    try:
        owner = pwd.getpwnam(wanted.owner).pw_uid
    except KeyError:
        raise Refused(
            f"{wanted.path}: there is no user {wanted.owner}", "Install Bucardo's package first."
        ) from None
    try:
        return owner, grp.getgrnam(wanted.group).gr_gid
    except KeyError:
        raise Refused(
            f"{wanted.path}: there is no group {wanted.group}", "Install Bucardo's package first."
        ) from None


def _make(wanted: Wanted, before: State | None) -> None:
    owner, group = _ids(wanted)
    mode = int(wanted.mode, 8)
    if wanted.content is None:
        if before is None:
            os.makedirs(wanted.path, 0o755)
        os.chown(wanted.path, owner, group)
        os.chmod(wanted.path, mode)
        return
    if wanted.backup and before is not None and before.get("content") != wanted.content:
        _keep(wanted.path)
    replace(wanted.path, wanted.content.encode("utf-8"), owner, group, mode)


def replace(path: str, content: bytes, owner: int, group: int, mode: int) -> None:
    """Whole or not at all: whoever reads or runs it has the old file or the new one."""
    number, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".multimaster-")
    try:
        with os.fdopen(number, "wb") as file:
            os.fchown(number, owner, group)
            os.fchmod(number, mode)
            file.write(content)
            file.flush()
            os.fsync(number)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _keep(path: str) -> None:
    """Under the name that Ansible's own modules give to a backup."""
    moment = time.strftime("%Y-%m-%d@%H:%M:%S~", time.localtime())
    copy = f"{path}.{os.getpid()}.{moment}"
    shutil.copy2(path, copy, follow_symlinks=False)
    found = os.lstat(path)
    os.chown(copy, found.st_uid, found.st_gid, follow_symlinks=False)
