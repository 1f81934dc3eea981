# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: no stability promise for other users.

"""A few processes that take tasks from this one and end with it, however it ends."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import queue
import select
import signal
import socket
import threading
import typing as t

Message = t.Dict[str, t.Any]


class Channel:
    """Messages as lines of JSON over a socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._buffer = b""
        self._sending = threading.Lock()

    def send(self, message: Message) -> None:
        """Send one message; safe to call from several threads."""
        with self._sending:
            self.socket.sendall(json.dumps(message).encode() + b"\n")

    def receive(self) -> list[Message] | None:
        """Wait for data and return the complete messages; None when the other end is gone."""
        try:
            data = self.socket.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            return None
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        return [json.loads(line) for line in lines]


@dataclasses.dataclass
class Process:
    """One process of the pool.

    :param task: what it is at work on, None when idle.
    """

    pid: int
    slot: int
    channel: Channel
    task: Message | None = None


class Pool:
    """Forks processes that each run C(main(channel, slot)).

    :param inherited: file descriptors of this process that the others must not keep open, or
        servers would not notice when this process dies.
    """

    def __init__(
        self, size: int, main: t.Callable[[Channel, int], None], inherited: t.Sequence[int]
    ) -> None:
        self._main = main
        self._inherited = inherited
        self.processes: list[Process] = []
        for slot in range(size):
            self.spawn(slot)

    def spawn(self, slot: int) -> None:
        """Start the process of a slot."""
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid:
            theirs.close()
            self.processes.append(Process(pid, slot, Channel(ours)))
            return
        # In the new process: never return into the caller's code, whatever happens.
        try:
            for signum in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(signum, signal.SIG_DFL)
            # Ctrl-C reaches the whole group; the parent decides what it means.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            ours.close()
            # With the others' sockets open here they would outlive the parent.
            for process in self.processes:
                process.channel.socket.close()
            for descriptor in self._inherited:
                os.close(descriptor)
            self._main(Channel(theirs), slot)
        finally:
            os._exit(1)

    def idle(self) -> list[Process]:
        """Processes without a task."""
        return [process for process in self.processes if process.task is None]

    def give(self, process: Process, task: Message) -> None:
        """Hand a task to an idle process. That it died meanwhile shows in C(events)."""
        process.task = task
        with contextlib.suppress(OSError):
            process.channel.send(task)

    def events(self, timeout: float) -> list[tuple[Process, Message | None]]:
        """What the processes sent within some seconds; None stands for the end of a process."""
        sockets = {process.channel.socket: process for process in self.processes}
        readable, _ignored, _none = select.select(list(sockets), [], [], timeout)
        found: list[tuple[Process, Message | None]] = []
        for sock in readable:
            process = sockets[sock]
            messages = process.channel.receive()
            if messages is None:
                self._remove(process)
                found.append((process, None))
                continue
            found += [(process, message) for message in messages]
        return found

    def _remove(self, process: Process) -> None:
        self.processes.remove(process)
        process.channel.socket.close()
        _kill(process.pid)

    def close(self) -> None:
        """End all processes at once; their servers roll back what is not committed."""
        for process in list(self.processes):
            self._remove(process)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass


def tasks_of(channel: Channel, out: t.Callable[[Message], None]) -> None:
    """Run C(out) for every task, in the order they come.

    A thread waits for the parent's end all the time: the process must not go on without it, not
    even while it waits for a server.
    """
    todo: queue.Queue[Message] = queue.Queue()

    def listen() -> None:
        while True:
            messages = channel.receive()
            if messages is None:
                os._exit(1)
            for message in messages:
                todo.put(message)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        out(todo.get())
