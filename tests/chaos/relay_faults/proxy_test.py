"""The proxy itself: what it is told to do with a connection, it does."""
import socket
import struct
import threading
import time

import pytest

from tests.chaos.relay_faults.proxy import Proxy
from tests.support.observe import wait_for


class Echo:
    """Answers everything with itself, and keeps what it heard."""

    def __init__(self):
        self.heard = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            while data := connection.recv(65536):
                self.heard += data
                connection.sendall(data)
        except OSError:
            pass
        connection.close()

    def close(self):
        self._listener.close()


@pytest.fixture
def echo():
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def proxy(echo):
    made = Proxy(("127.0.0.1", 0), echo.port, kafka=True)
    yield made
    made.close()


@pytest.fixture
def client(proxy):
    with socket.create_connection(proxy.address, timeout=5) as connection:
        yield connection


def request(key, correlation):
    return struct.pack(">ihhi", 8, key, 9, correlation)


def test_passes_everything_on(client):
    sent = bytes(range(256)) * 20_000
    threading.Thread(target=client.sendall, args=(sent,), daemon=True).start()
    got = b""
    while len(got) < len(sent):
        got += client.recv(65536)
    assert got == sent


def test_a_cut_resets(proxy, client):
    client.sendall(b"x")
    assert client.recv(1) == b"x"
    assert proxy.cut() == 1
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_refuses(proxy):
    proxy.refuse(True)
    with pytest.raises(ConnectionResetError), socket.create_connection(proxy.address, timeout=5) as refused:
        refused.recv(1)
    assert proxy.refused == 1


@pytest.mark.parametrize("direction, heard", [("to_server", b""), ("to_client", b"x")])
def test_holds_back_one_direction(proxy, echo, client, direction, heard):
    proxy.hang(direction)
    client.sendall(b"x")
    client.settimeout(0.3)
    with pytest.raises(TimeoutError):
        client.recv(1)
    assert echo.heard == heard
    client.settimeout(5)
    proxy.hang()
    assert client.recv(1) == b"x"


def test_delays_each_way(proxy, client):
    proxy.delay = 0.2
    began = time.monotonic()
    client.sendall(b"x")
    assert client.recv(1) == b"x"
    assert time.monotonic() - began >= 0.4


def test_bytes_under_way_arrive_after_their_sender_is_gone(proxy, echo, client):
    proxy.delay = 0.3
    client.sendall(b"late")
    wait_for(lambda: proxy.under_way() == 4, "the bytes to be on their way")
    client.close()
    wait_for(lambda: echo.heard == b"late", "the bytes to arrive")
    assert proxy.late_bytes == 4


def test_loses_the_answer_to_a_produce_request_and_no_other(proxy, echo, client):
    """The echo's answers have a correlation id where Kafka's have it only if it is put there."""
    proxy.lose_next_answer()
    other = struct.pack(">iii", 8, 5, 77)   # to a reader of requests: key 0, version 5; not asked as such before
    client.sendall(request(key=3, correlation=77))
    assert client.recv(12) == request(key=3, correlation=77)
    assert proxy.waits_to_lose
    proxy._links[0].requests.produce.add(5)
    client.sendall(other)
    with pytest.raises(ConnectionResetError):
        client.recv(12)
    assert echo.heard.endswith(other) and proxy.lost_answers == 1


def test_knows_produce_requests_however_they_are_cut_into_pieces(proxy, client):
    data = request(0, 1) + request(3, 2) + struct.pack(">ihhi", 108, 0, 9, 3) + b"p" * 100 + request(18, 4) + request(0, 5)
    for start in range(0, len(data), 7):
        client.sendall(data[start:start + 7])
    left = len(data)
    while left:
        left -= len(client.recv(left))
    assert proxy._links[0].requests.produce == {1, 3, 5}
