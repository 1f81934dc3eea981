# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugins that show lines while their module works.

The module runs in the background (Ansible's own async wrapper) and keeps a small file with its
state, which is read every second or so; see `_ansible/progress.py`. It stops by itself when
nobody reads any more: an interrupted play leaves nothing running.

The task succeeds with the module's own, finished result in hand and in no other way; what the
answers mean is in `_looks.py`.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import time
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.utils.vars import merge_hash

from ansible_collections.multimaster.bucardo.plugins.plugin_utils import _looks

display = Display()

# The background job may take as long as it takes (seconds; the wrapper needs a number).
_NO_LIMIT = 10**8
# Seconds between two looks: short at first, since most tasks have nothing to do.
_FIRST_LOOKS = 0.3
_LOOKS = 1.0
# Most seconds that a module works before anything could be shown.
_BEGINNING = 5.0
# Seconds without an answer after which the play gives up. As long as the module's lease (LEASE of
# _ansible/progress.py), so that the module has then stopped as well.
PATIENCE = 60
# What several looks in a row have found is no moment between two states.
_SURE = 3
# How often to try to start a job, or to remove a file, while answers fail to come.
_TRIES = 5


class Interrupted(BaseException):
    """A signal asked this process to end. Not an Exception, so that nobody swallows it."""

    def __init__(self, signum: int) -> None:
        super().__init__()
        self.signum = signum


class LiveAction(ActionBase):
    """Runs the module of the same name and shows `line(state)` every few seconds.

    The module has the options `progress_dir` and `progress_interval`.
    """

    _supports_async = True
    _supports_check_mode = True
    # Default of the module's option progress_interval.
    interval = 5
    # Ask the module in check mode first whether there is anything to do: one step, where work in
    # the background costs many. Only for modules whose check is as thorough as their run.
    looks_first = False
    # Work in one step for as many seconds as nothing would be shown anyway: most have no more to
    # do. Only for modules that go on where they were and can say that they are `unfinished`.
    begins = False
    # Keys that every result of a success has.
    returned: t.Collection[str] = ()
    # What is true when the module ended before its work did.
    kept = "Whatever is complete is kept."

    def line(self, state: dict[str, t.Any], args: dict[str, t.Any], detailed: bool) -> str:
        """One line of plain text for the module's state, "" for nothing to say."""
        raise NotImplementedError

    def begin(self, args: dict[str, t.Any], seconds: float) -> dict[str, t.Any]:
        """The options with which the module ends after so many seconds, and does not fail then.

        Those given, where it ends as early by itself.
        """
        return args

    def go_on(self, args: dict[str, t.Any], begun: dict[str, t.Any]) -> dict[str, t.Any]:
        """The options for what is left to do, and of its time."""
        return args

    def sums(self, begun: dict[str, t.Any], rest: dict[str, t.Any]) -> dict[str, t.Any]:
        """What of the result counts what was done, over what was begun and the rest."""
        return {}

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
            if not seen.get("failed") and seen.get("changed") is False and self._complete(seen):
                return merge_hash(result, seen)
        if quiet or self._task.args.get("progress_dir"):
            return merge_hash(
                result,
                self._execute_module(task_vars=task_vars, wrap_async=bool(self._task.async_val)),
            )
        begun: dict[str, t.Any] = {}
        if self.begins:
            args = dict(self._task.args)
            seconds = min(interval, _BEGINNING)
            brief = self.begin(args, seconds)
            begun = self._begun(brief, task_vars)
            if not begun:
                # It may still be at work behind a connection that broke.
                time.sleep(seconds)
            elif not (begun.get("unfinished") and brief != args):
                return merge_hash(result, begun)
        try:
            with self._signals():
                return merge_hash(result, self._both(begun, self._live(interval, task_vars, begun)))
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

    def _begun(self, args: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """What the module says after a short time, {} when it gave no answer that makes sense."""
        found = self._execute_module(module_args=args, task_vars=task_vars)
        whole = _looks.is_answer(found) and (found.get("failed") or self._complete(found))
        return found if whole else {}

    def _both(self, begun: dict[str, t.Any], rest: dict[str, t.Any]) -> dict[str, t.Any]:
        """One result of what was begun and the rest, from the very beginning on."""
        if not begun or rest.get("failed"):
            return rest
        both = {**rest, "changed": begun["changed"] or rest["changed"], "before": begun["before"]}
        if "commands" in begun:
            both["commands"] = begun["commands"]
        if "diff" in begun and "diff" in rest:
            both["diff"] = {"before": begun["diff"]["before"], "after": rest["diff"]["after"]}
        return {**both, **self.sums(begun, rest)}

    def _complete(self, result: t.Mapping[str, t.Any]) -> bool:
        return all(key in result for key in self.returned)

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

    def _live(
        self, interval: float, task_vars: dict[str, t.Any], begun: dict[str, t.Any]
    ) -> dict[str, t.Any]:
        args = dict(self._task.args)
        if begun:
            args = self.go_on(args, begun)
        try:
            job = self._start(args, task_vars)
        except _NoBackground as error:
            display.vvv(f"No live display, since nothing can be started in background: {error}")
            return self._execute_module(module_args=args, task_vars=task_vars)
        if not isinstance(job, _looks.Job):
            return job
        ended = False
        try:
            watch = _Watch(self, job, interval, args, task_vars)
            result = watch.result()
            ended = True
            self._remove_module(job)
            if watch.shown and not result.get("failed"):
                line = self.last_line(self._both(begun, result), args)
                if line:
                    display.display(line)
            return result
        except _Failure as failure:
            ended = failure.ended
            if ended:
                self._remove_module(job)
            msg = f"{self._name()}: {failure} {self.kept} Run it again to go on."
            return {"failed": True, "msg": msg, **failure.details}
        finally:
            self._clean_up(job, wait=not ended)

    def _name(self) -> str:
        return str(self._task.action).rpartition(".")[2]

    # Starting

    def _start(
        self, args: dict[str, t.Any], task_vars: dict[str, t.Any]
    ) -> _looks.Job | dict[str, t.Any]:
        """A job in the background, or the result of one that ended instead.

        Tried again when the connection fails: what an unseen try may have started has a lease that
        is gone, and stops before it begins.
        """
        tries = 0
        while True:
            tries += 1
            try:
                job = self._try_to_start(args, task_vars)
            except AnsibleError as error:
                # That is: a temporary file cannot be given to an unprivileged user.
                if "unprivileged" in str(error):
                    raise _NoBackground(str(error)) from error
                if tries >= _TRIES:
                    if isinstance(error, AnsibleConnectionFailure):
                        raise
                    raise _NoBackground(str(error)) from error
            else:
                if job is not None:
                    return job
                if tries >= _TRIES:
                    msg = f"{self._name()} could not be started: no answer that makes sense."
                    return {"failed": True, "msg": f"{msg} Run it again."}
            self._connection._shell.tmpdir = None
            time.sleep(tries)

    def _try_to_start(
        self, args: dict[str, t.Any], task_vars: dict[str, t.Any]
    ) -> _looks.Job | dict[str, t.Any] | None:
        # Made here, since Ansible forgets its name once the job runs.
        if self._connection._shell.tmpdir is None:
            self._make_tmp_path()
        module_directory = str(self._connection._shell.tmpdir)
        directory = self._directory(module_directory)
        before = self._task.async_val
        self._task.async_val = _NO_LIMIT
        job = None
        try:
            started = self._execute_module(
                module_args={**args, "progress_dir": directory},
                task_vars=task_vars,
                wrap_async=True,
            )
            if "ansible_job_id" in started and "results_file" in started:
                job = _looks.Job(
                    directory, module_directory, started["results_file"], started["ansible_job_id"]
                )
                return job
            return None if "module_stdout" in started or not started.get("failed") else started
        finally:
            self._task.async_val = before
            if job is None:
                self._quietly(shlex.join(["rm", "-rf", directory]))
                self._remove_files(module_directory, tries=1)

    def _directory(self, module_directory: str) -> str:
        """A directory for the module's state, made by the user that runs it."""
        command = _looks.prepare(module_directory, PATIENCE // 60)
        found = self._low_level_execute_command(command)
        made, left = _looks.prepared(found["rc"], found["stdout"], module_directory)
        for directory in left:
            display.vvv(f"Removing what a play that was killed left: {directory}")
            self._remove_files(directory, tries=1)
        if not made:
            raise AnsibleError(f"No directory for the module's state: {found['stderr'].strip()}")
        return made

    # Cleaning up

    def _clean_up(self, job: _looks.Job, wait: bool) -> None:
        """Remove the files; first withdraw the lease and wait for the module's end if need be."""
        remove = shlex.join(["rm", "-rf", job.directory, job.results_file])
        if not wait:
            self._quietly(remove, _TRIES)
            return
        # A module that stops without its lease still writes its result.
        waiting = (
            f"i=0; while head -c 200 {shlex.quote(job.results_file)} | grep -q started"
            f" && [ $i -lt 60 ]; do sleep 0.5; i=$((i+1)); done; {remove};"
            f" {shlex.join(['rm', '-rf', job.module_directory])}"
        )
        self._quietly(
            f"rm -f {shlex.quote(job.directory)}/lease;"
            f" (nohup sh -c {shlex.quote(waiting)} >/dev/null 2>&1 &)"
        )

    def _remove_module(self, job: _looks.Job) -> None:
        """Remove the file of a module that has ended at once, since it holds the passwords.

        The wrapper would do it up to five seconds later, and can't in a directory that belongs to
        the user that logged in when the module ran as another one, or after it was killed.
        """
        self._remove_files(job.module_directory)

    def _remove_files(self, directory: str, tries: int = _TRIES) -> None:
        """Remove a directory that Ansible made for a module, as the user that logged in."""
        if not C.config.get_config_value("DEFAULT_KEEP_REMOTE_FILES"):
            self._quietly(shlex.join(["rm", "-rf", directory]), tries, sudoable=False)

    def _quietly(self, command: str, tries: int = 1, sudoable: bool = True) -> None:
        for number in range(1, tries + 1):
            with contextlib.suppress(Exception):
                found = self._low_level_execute_command(command, sudoable=sudoable)
                if found["rc"] == 0:
                    return
            if number < tries:
                time.sleep(number)


def seconds_of(args: t.Mapping[str, t.Any], option: str, default: float) -> float:
    """An option's value, less than 0 for what the module will say is none."""
    try:
        return float(args.get(option, default))
    except (TypeError, ValueError):
        return -1.0


class _NoBackground(Exception):
    """Nothing can be run in the background on this host."""


class _Failure(Exception):
    """The job has no result.

    :param ended: nothing of it runs any more.
    """

    def __init__(self, text: str, ended: bool, **details: t.Any) -> None:
        super().__init__(text)
        self.ended = ended
        self.details = details


class _Watch:
    """Follows a job until it has a result.

    :param action: whose connection is used.
    """

    def __init__(
        self,
        action: LiveAction,
        job: _looks.Job,
        interval: float,
        args: dict[str, t.Any],
        task_vars: dict[str, t.Any],
    ) -> None:
        self.shown = False
        self._action = action
        self._job = job
        self._command = _looks.command(job)
        self._interval = interval
        self._args = args
        self._task_vars = task_vars
        self._begun = self._heard = self._last = time.monotonic()
        # What was seen last, and how many times in a row.
        self._state, self._times = "", 0
        self._line = ""
        self._words = ""

    def result(self) -> dict[str, t.Any]:
        """The module's result.

        :raises _Failure: when it can no longer have one.
        """
        parent = os.getppid()
        while True:
            time.sleep(
                _FIRST_LOOKS if time.monotonic() - self._begun < 2 else min(_LOOKS, self._interval)
            )
            if os.getppid() != parent:
                raise AnsibleError("The play is gone, and nobody is there to look on.")
            state, progress = self._look()
            if state == _looks.ENDED:
                state, found = self._collect()
                if state == _looks.ENDED:
                    return _looks.own(found)
            self._note(state)
            self._show(progress)

    def _look(self) -> tuple[str, dict[str, t.Any]]:
        try:
            found = self._action._low_level_execute_command(self._command)
        except AnsibleError as error:
            self._words = str(error)
            return _looks.SILENT, {}
        look = _looks.read(found["rc"], found["stdout"])
        self._words = "" if look.state != _looks.SILENT else found["stderr"] or f"rc {found['rc']}"
        return look.state, look.progress

    def _collect(self) -> tuple[str, dict[str, t.Any]]:
        try:
            found = self._action._execute_module(
                module_name="ansible.legacy.async_status",
                module_args={
                    "jid": self._job.id,
                    "_async_dir": os.path.dirname(self._job.results_file),
                },
                task_vars=self._task_vars,
            )
        except AnsibleError as error:
            self._words = str(error)
            return _looks.SILENT, {}
        state = _looks.judge(found, self._action.returned)
        if state != _looks.ENDED:
            self._words = str(found.get("module_stderr") or found.get("stderr") or "")
        return state, found

    def _note(self, state: str) -> None:
        """Draw the consequence of what was seen, once it is no passing state."""
        self._times = self._times + 1 if state == self._state else 1
        self._state = state
        now = time.monotonic()
        if state != _looks.SILENT:
            self._heard = now
        elif now - self._heard > PATIENCE:
            raise _Failure(
                f"no answer from the host for {PATIENCE} s ({self._last_words()}). The module"
                f" stops by itself when nobody looks on.{self._seen()}",
                ended=False,
            )
        if self._times < _SURE:
            return
        if state == _looks.GONE:
            raise _Failure(
                "it ended without a result: its process was killed, as for want of memory or when"
                f" the host restarted ({self._last_words()}).{self._seen()}",
                ended=True,
            )
        if state == _looks.LOST:
            raise _Failure(
                f"its result cannot be had any more: {self._job.results_file} was removed."
                f"{self._seen()}",
                ended=False,
            )

    def _last_words(self) -> str:
        return " ".join(self._words.split())[-300:] or "it said nothing"

    def _seen(self) -> str:
        return f" Last seen: {self._line}." if self._line else ""

    def _show(self, progress: dict[str, t.Any]) -> None:
        line = self._action.line(progress, self._args, display.verbosity > 0) if progress else ""
        if not line:
            return
        self._line = line
        now = time.monotonic()
        if now - self._last >= self._interval:
            self._last = now
            self.shown = True
            display.display(line)
