# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A TCP proxy between Bucardo and each master: what is sent comes late, or not at all.

It runs in a thread of the driver and listens on the address that the containers know the driver's
machine by, so it needs no rights and no netem in the kernel.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading


class Link:
    """The way to one master. Whatever is set is heeded by connections that are there, too."""

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self.port = 0
        # Seconds each way.
        self.delay = 0.0
        # Nothing is delivered, and nobody is told; what was sent arrives when it ends.
        self.silent = False
        # Connections are reset, and new ones, too.
        self.cut = False
        self._pairs: set[asyncio.StreamWriter] = set()

    @property
    def busy(self) -> bool:
        """Whether it has connections."""
        return bool(self._pairs)

    def heal(self) -> None:
        """As if nothing had been."""
        self.delay, self.silent, self.cut = 0.0, False, False

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until an end closes it."""
        far_writer = None
        self._pairs.add(writer)
        try:
            if self.cut:
                return
            # As a connection that nobody answers, until the silence ends.
            await self._heard()
            far_reader, far_writer = await asyncio.open_connection(*self.target)
            self._pairs.add(far_writer)
            for one in (writer, far_writer):
                one.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.gather(self._carry(reader, far_writer), self._carry(far_reader, writer))
        except OSError:
            pass
        finally:
            for one in (writer, far_writer):
                if one is not None:
                    self._pairs.discard(one)
                    _abort(one)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """In order, each byte late; a delay is no limit of the throughput."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                sent, data = await queue.get()
                await asyncio.sleep(max(0.0, sent + self.delay - loop.time()))
                await self._heard()
                if not data:
                    break
                writer.write(data)
                await writer.drain()
            writer.close()

        delivery = asyncio.create_task(deliver())
        try:
            data = b"first"
            while data:
                data = await reader.read(65536)
                queue.put_nowait((loop.time(), data))
            await delivery
        finally:
            delivery.cancel()

    async def _heard(self) -> None:
        while self.silent and not self.cut:
            await asyncio.sleep(0.05)

    def reset(self) -> None:
        """End the connections that are there. For the proxy's thread."""
        for writer in list(self._pairs):
            _abort(writer)


def _abort(writer: asyncio.StreamWriter) -> None:
    """With a reset, not in good order."""
    linger = struct.pack("ii", 1, 0)
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


class Proxy:
    """All links; a context manager."""

    def __init__(self, address: str, links: dict[str, Link]) -> None:
        self.address, self.links = address, links
        self._loop: asyncio.AbstractEventLoop
        self._end = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError(f"the proxy cannot listen on {self.address}")
        return self

    def __exit__(self, *exc: object) -> None:
        for name in self.links:
            self.cut(name)
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def cut(self, name: str) -> None:
        """The connections of a link end with a reset; there are no new ones until it is healed."""
        self.links[name].cut = True
        self._loop.call_soon_threadsafe(self.links[name].reset)

    def heal(self) -> None:
        """All links."""
        for link in self.links.values():
            link.heal()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        servers = []
        for link in self.links.values():
            servers.append(await asyncio.start_server(link.accept, self.address, 0))
            link.port = servers[-1].sockets[0].getsockname()[1]
        self._loop = asyncio.get_running_loop()
        self._ready.set()
        await self._end.wait()
        for server in servers:
            server.close()
        # The last connections have been reset; let them notice.
        while any(link.busy for link in self.links.values()):
            await asyncio.sleep(0.05)
