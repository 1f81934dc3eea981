# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: no stability promise for other users.

"""Action plugins that show lines while their module works.

The module runs in the background (Ansible's own async wrapper) and keeps a small file with its
state, which is read every second or so; see C(module_utils/_live.py). It stops by itself when
nobody reads any more: an interrupted play leaves nothing running.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import time
import typing as t

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.utils.vars import merge_hash

display = Display()

# The background job may take as long as it takes (seconds; the wrapper needs a number).
_NO_LIMIT = 10**8
# Seconds between two looks: short at first, since most tasks have nothing to do.
_FIRST_LOOKS = 0.3
_LOOKS = 1.0
# Seconds of failing connections after which the play gives up; the module then stops as well.
_PATIENCE = 25
_MARK = "multimaster-result:"


class Interrupted(BaseException):
    """A signal asked this process to end. Not an Exception, so that nobody swallows it."""

    def __init__(self, signum: int) -> None:
        super().__init__()
        self.signum = signum


class LiveAction(ActionBase):
    """Runs the module of the same name and shows C(line(state)) every few seconds.

    The module has the options C(progress_dir) and C(progress_interval).
    """

    _supports_async = True
    _supports_check_mode = True
    # Default of the module's option progress_interval.
    interval = 5
    # Ask the module in check mode first whether there is anything to do: one step, where work in
    # the background costs many. Only for modules whose check is as thorough as their run.
    looks_first = False
    # Where Ansible puts the module's file on the host.
    _module_directory: str | None = None

    def line(self, state: dict[str, t.Any], args: dict[str, t.Any], detailed: bool) -> str:
        """One line of plain text for the module's state, "" for nothing to say."""
        raise NotImplementedError

    def last_line(self, result: dict[str, t.Any], args: dict[str, t.Any]) -> str:
        """What to say at the end, when lines were shown before."""
        return ""

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Entry point."""
        result = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        interval = self._interval()
        quiet = interval <= 0 or self._task.check_mode or self._task.async_val
        if self.looks_first and not quiet:
            seen = self._look(task_vars)
            if not seen.get("failed") and not seen.get("changed"):
                return merge_hash(result, seen)
        directory = None if quiet or self._task.args.get("progress_dir") else self._directory()
        if directory is None:
            return merge_hash(
                result,
                self._execute_module(task_vars=task_vars, wrap_async=bool(self._task.async_val)),
            )
        try:
            with self._signals():
                return merge_hash(result, self._live(directory, interval, task_vars))
        except Interrupted as interrupted:
            # What would have happened without us: the end of this process.
            os.kill(os.getpid(), interrupted.signum)
            raise

    def _look(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """What the module would do."""
        self._task.check_mode = True
        try:
            found = self._execute_module(task_vars=task_vars)
        finally:
            self._task.check_mode = False
        return t.cast("dict[str, t.Any]", found)

    def _interval(self) -> float:
        try:
            return float(self._task.args.get("progress_interval", self.interval))
        except (TypeError, ValueError):
            # The module says it better.
            return 0

    @contextlib.contextmanager
    def _signals(self) -> t.Iterator[None]:
        """Turn the signals by which Ansible ends its workers into an exception.

        Its own handlers end the process at once, and the module would go on until its lease ends.
        """

        def interrupt(signum: int, frame: t.Any) -> None:
            for number in before:
                signal.signal(number, signal.SIG_IGN)
            raise Interrupted(signum)

        before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
        for number in before:
            signal.signal(number, interrupt)
        try:
            yield
        except Interrupted:
            raise
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _directory(self) -> str | None:
        """A directory for the module's state, made by the user that runs it."""
        found = self._low_level_execute_command(
            'umask 077 && d=$(mktemp -d "${TMPDIR:-/tmp}/multimaster.XXXXXXXX")'
            ' && : > "$d/lease" && echo "$d"'
        )
        lines = found["stdout"].strip().splitlines()
        return lines[-1] if found["rc"] == 0 and lines else None

    def _live(
        self, directory: str, interval: float, task_vars: dict[str, t.Any]
    ) -> dict[str, t.Any]:
        args = dict(self._task.args)
        job = None
        ended = False
        try:
            try:
                job = self._start({**args, "progress_dir": directory}, task_vars)
            except AnsibleConnectionFailure:
                raise
            except AnsibleError as error:
                # For example: a temporary file cannot be given to an unprivileged user.
                display.vvv(f"No live display, since nothing can be started in background: {error}")
                return self._execute_module(module_args=args, task_vars=task_vars)
            if "ansible_job_id" not in job:
                return job
            shown = self._watch(directory, job["results_file"], interval, args)
            ended = True
            self._remove_module()
            result = self._collect(job, task_vars)
            line = self.last_line(result, args) if shown and not result.get("failed") else ""
            if line:
                display.display(line)
            return result
        finally:
            self._clean_up(directory, (job or {}).get("results_file", ""), wait=not ended)

    def _clean_up(self, directory: str, results_file: str, wait: bool) -> None:
        """Remove the files; first withdraw the lease and wait for the module's end if need be."""
        remove = shlex.join(["rm", "-rf", directory, *([results_file] if results_file else [])])
        if not (wait and results_file):
            self._quietly(remove)
            return
        # A module that stops without its lease still writes its result.
        waiting = (
            f"i=0; while head -c 200 {shlex.quote(results_file)} | grep -q started"
            f" && [ $i -lt 20 ]; do sleep 0.5; i=$((i+1)); done; {remove}"
        )
        self._quietly(
            f"rm -f {shlex.quote(directory)}/lease;"
            f" (nohup sh -c {shlex.quote(waiting)} >/dev/null 2>&1 &)"
        )

    def _remove_module(self) -> None:
        """Remove the file of a module that has ended at once, since it holds the passwords.

        The wrapper would do it up to five seconds later, and can't in a directory that belongs to
        the user that logged in when the module ran as another one.
        """
        self._cleanup_remote_tmp = True
        with contextlib.suppress(Exception):
            self._remove_tmp_path(self._module_directory)

    def _start(self, args: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        # Made here, since Ansible forgets its name once the job runs.
        if self._connection._shell.tmpdir is None:
            self._make_tmp_path()
        self._module_directory = self._connection._shell.tmpdir
        before = self._task.async_val
        self._task.async_val = _NO_LIMIT
        try:
            started = self._execute_module(module_args=args, task_vars=task_vars, wrap_async=True)
        finally:
            self._task.async_val = before
        return t.cast("dict[str, t.Any]", started)

    def _watch(
        self, directory: str, results_file: str, interval: float, args: dict[str, t.Any]
    ) -> bool:
        """Show lines until the job is done; whether any was shown."""
        place = shlex.quote(directory)
        command = (
            f"touch -c {place}/lease; cat {place}/progress.json 2>/dev/null; echo;"
            # While it runs, the results file says "started" in its first bytes.
            f" printf {_MARK}; head -c 200 {shlex.quote(results_file)}"
        )
        shown = False
        parent = os.getppid()
        begun = last = heard = time.monotonic()
        while True:
            now = time.monotonic()
            time.sleep(_FIRST_LOOKS if now - begun < 2 else min(_LOOKS, interval))
            if os.getppid() != parent:
                raise AnsibleError("The play is gone, and nobody is there to look on.")
            try:
                found = self._low_level_execute_command(command)
            except AnsibleConnectionFailure:
                if time.monotonic() - heard > _PATIENCE:
                    raise
                continue
            heard = time.monotonic()
            text, _mark, status = found["stdout"].partition(_MARK)
            if '"started"' not in status:
                return shown
            if heard - last < interval:
                continue
            line = self._line(text, args)
            if line:
                last = heard
                shown = True
                display.display(line)

    def _line(self, text: str, args: dict[str, t.Any]) -> str:
        try:
            state = json.loads(text)
        except ValueError:
            return ""
        return self.line(state, args, display.verbosity > 0)

    def _collect(self, job: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        result = self._execute_module(
            module_name="ansible.legacy.async_status",
            module_args={
                "jid": job["ansible_job_id"],
                "_async_dir": os.path.dirname(job["results_file"]),
            },
            task_vars=task_vars,
        )
        for key in ("ansible_job_id", "started", "finished", "results_file"):
            result.pop(key, None)
        return t.cast("dict[str, t.Any]", result)

    def _quietly(self, command: str) -> None:
        with contextlib.suppress(Exception):
            self._low_level_execute_command(command)


def size(count: float) -> str:
    """Bytes for people: C(1.2 GB)."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(count) < 999.5 or unit == "TB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "B" or count >= 9.95 else f"{count:.1f} {unit}"


def duration(seconds: float) -> str:
    """Seconds for people: C(42 s), C(3 min 05 s), C(2 h 07 min)."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def names(items: t.Sequence[str], limit: int = 3) -> str:
    """The first few names of a list."""
    shown = ", ".join(items[:limit])
    return shown if len(items) <= limit else f"{shown} and {len(items) - limit} more"
