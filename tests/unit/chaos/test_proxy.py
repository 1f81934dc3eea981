# Copyright (c) 2026, multimaster.bucardo contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What passes through the proxy between real sockets: all, late, or nothing until it is healed."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest
from proxy import Link, Proxy


@pytest.fixture
def echo():
    """The port of a server that sends back what it gets."""
    listener = socket.create_server(("127.0.0.1", 0))
    served = []

    def serve(connection):
        with connection, contextlib.suppress(ConnectionError):
            while data := connection.recv(65536):
                connection.sendall(data)

    def accept():
        while True:
            try:
                connection, _address = listener.accept()
            except OSError:
                return
            served.append(threading.Thread(target=serve, args=(connection,)))
            served[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for thread in (accepting, *served):
        thread.join()


@pytest.fixture
def proxy(echo):
    with Proxy("127.0.0.1", {"oslo": Link("127.0.0.1", echo)}) as made:
        yield made


@pytest.fixture
def client(proxy):
    with socket.create_connection(("127.0.0.1", proxy.links["oslo"].port), 5) as made:
        yield made


def said(client, text=b"hello"):
    """What comes back, and after how long."""
    begun = time.monotonic()
    client.sendall(text)
    answer = b""
    while len(answer) < len(text):
        answer += client.recv(65536)
    return answer, time.monotonic() - begun


def first_byte(port):
    """What a new connection brings unasked."""
    with socket.create_connection(("127.0.0.1", port), 5) as other:
        return other.recv(1)


def test_everything_passes(client):
    text = bytes(range(256)) * 4000
    assert said(client, text)[0] == text


def test_it_comes_late_on_a_connection_that_was_there(proxy, client):
    said(client)
    proxy.links["oslo"].delay = 0.05
    answer, seconds = said(client)
    assert answer == b"hello"
    assert seconds >= 0.1
    proxy.heal()
    assert said(client)[0] == b"hello"


def test_what_was_sent_in_silence_arrives_when_it_ends(proxy, client):
    proxy.links["oslo"].silent = True
    client.settimeout(0.2)
    with pytest.raises(TimeoutError):
        said(client)
    proxy.heal()
    client.settimeout(5)
    assert client.recv(10) == b"hello"


def test_a_cut_resets_what_is_there_and_what_comes_until_it_is_healed(proxy, client):
    said(client)
    proxy.cut("oslo")
    with pytest.raises(ConnectionResetError):
        client.recv(10)
    port = proxy.links["oslo"].port
    with pytest.raises(ConnectionResetError):
        first_byte(port)
    proxy.heal()
    with socket.create_connection(("127.0.0.1", port), 5) as other:
        assert said(other)[0] == b"hello"
