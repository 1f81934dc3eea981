# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A few processes that take tasks from this one and end with it, however it ends."""

from __future__ import annotations

import contextlib
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


class _Process(t.NamedTuple):
    pid: int
    channel: Channel


class Pool:
    """Processes that each run `main(channel, slot)`, one for each slot.

    Each starts when its slot is given something; the next one after it died takes its slot.

    :param inherited: file descriptors of this process that the others must not keep open, or
        servers would not notice when this process dies.
    """

    def __init__(
        self, size: int, main: t.Callable[[Channel, int], None], inherited: t.Sequence[int]
    ) -> None:
        self.slots = range(size)
        self._main = main
        self._inherited = inherited
        self._processes: dict[int, _Process] = {}

    @property
    def pids(self) -> dict[int, int]:
        """The processes that live, or whose end nobody was told yet, by slot."""
        return {slot: process.pid for slot, process in self._processes.items()}

    def give(self, slot: int, task: Message) -> None:
        """Hand a task to a slot's process. That it died meanwhile shows in `events`."""
        if slot not in self._processes:
            self._spawn(slot)
        with contextlib.suppress(OSError):
            self._processes[slot].channel.send(task)

    def _spawn(self, slot: int) -> None:
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid:
            theirs.close()
            self._processes[slot] = _Process(pid, Channel(ours))
            return
        # In the new process: never return into the caller's code, whatever happens.
        try:
            for signum in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(signum, signal.SIG_DFL)
            # Ctrl-C reaches the whole group; the parent decides what it means.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            ours.close()
            # With the others' sockets open here they would outlive the parent.
            for process in self._processes.values():
                process.channel.socket.close()
            for descriptor in self._inherited:
                os.close(descriptor)
            self._main(Channel(theirs), slot)
        finally:
            os._exit(1)

    def events(self, timeout: float) -> list[tuple[int, Message | None]]:
        """What came from the slots within some seconds; None stands for the end of a process."""
        slots = {process.channel.socket: slot for slot, process in self._processes.items()}
        readable, _ignored, _none = select.select(list(slots), [], [], timeout)
        found: list[tuple[int, Message | None]] = []
        for sock in readable:
            slot = slots[sock]
            messages = self._processes[slot].channel.receive()
            if messages is None:
                self._remove(slot)
                found.append((slot, None))
                continue
            found += [(slot, message) for message in messages]
        return found

    def _remove(self, slot: int) -> None:
        process = self._processes.pop(slot)
        process.channel.socket.close()
        _kill(process.pid)

    def close(self) -> None:
        """End all processes at once; their servers roll back what is not committed."""
        for slot in list(self._processes):
            self._remove(slot)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass


def tasks_of(channel: Channel, out: t.Callable[[Message], None]) -> None:
    """Run `out` for every task, in the order they come.

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
