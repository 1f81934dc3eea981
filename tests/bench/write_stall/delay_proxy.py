# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A TCP proxy that delivers every byte late, in both directions.

For kernels without netem. Usage: delay_proxy.py SECONDS PORT=HOST:PORT ...
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    """Deliver what is read after a delay, in order; a delay is no limit of the throughput."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def deliver() -> None:
        while True:
            due, data = await queue.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not data:
                break
            writer.write(data)
            with contextlib.suppress(ConnectionError):
                await writer.drain()
        with contextlib.suppress(ConnectionError, OSError):
            writer.close()

    delivery = asyncio.create_task(deliver())
    data = b"first"
    while data:
        try:
            data = await reader.read(65536)
        except ConnectionError:
            data = b""
        queue.put_nowait((loop.time() + delay, data))
    await delivery


async def main() -> None:
    """Listen for every pair given."""
    delay = float(sys.argv[1])
    servers = []
    for pair in sys.argv[2:]:
        port, _separator, target = pair.partition("=")
        host, _separator, target_port = target.partition(":")

        async def accept(
            reader: asyncio.StreamReader,
            writer: asyncio.StreamWriter,
            host: str = host,
            target_port: str = target_port,
        ) -> None:
            far_reader, far_writer = await asyncio.open_connection(host, int(target_port))
            for one in (writer, far_writer):
                one.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.gather(carry(reader, far_writer, delay), carry(far_reader, writer, delay))

        servers.append(await asyncio.start_server(accept, "127.0.0.1", int(port)))
    print("listening", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(main())
