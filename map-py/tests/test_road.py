"""The way to a mail host: by a proxy, from an address, past a policy."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import mapagent
import pytest

from conftest import WorldMaker

Handler = Callable[[socket.socket], None]


class Visits:
    """Takes connections one after the other, and remembers whom they came from."""

    def __init__(self, handle: Handler) -> None:
        self.peers: list[str] = []
        self._handle = handle
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, peer = self._listener.accept()
            except OSError:
                return
            with connection:
                self.peers.append(peer[0])
                self._handle(connection)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture
def visits() -> Iterator[Callable[[Handler], Visits]]:
    made: list[Visits] = []

    def make(handle: Handler) -> Visits:
        made.append(Visits(handle))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_from_a_source_address(visits: Callable[[Handler], Visits]) -> None:
    host = visits(lambda connection: connection.sendall(b"554 go away\r\n"))
    for source in ("127.0.0.77", ["127.0.0.78"]):
        agent = mapagent.Agent(
            smtp_port=host.port, hello_name="client.example", allow_loopback=True, source_address=source
        )
        report = agent.send("a@example.org", "b@[127.0.0.1]", "s", "c")
        assert (report.reply, report.code) == (mapagent.RE_BADREPLY, 554), report.advice
    assert host.peers == ["127.0.0.77", "127.0.0.78"]


def test_by_a_proxy(visits: Callable[[Handler], Visits]) -> None:
    asked: list[bytes] = []

    def refuse(connection: socket.socket) -> None:
        asked.append(connection.recv(64))
        # RFC 1928: none of these methods.
        connection.sendall(b"\x05\xff")

    proxy = visits(refuse)
    agent = mapagent.Agent(proxy=f"socks5h://127.0.0.1:{proxy.port}", hello_name="client.example")
    report = agent.send("a@example.org", "b@[192.0.2.1]", "s", "c")
    assert report.reply is mapagent.RE_SERVER_UNREACH, report.advice
    assert asked and asked[0][:1] == b"\x05"
    assert "proxy" in report.attempts[0].detail
    assert report.port25 is None


def test_mta_sts(world: WorldMaker) -> None:
    mail_world = world("""
domain good.example
  mx 10 mx.good.example
  mta-sts enforce mx other.good.example
host mx.good.example 127.0.0.2
  tls good
domain testing.example
  mx 10 mx.testing.example
  mta-sts testing
host mx.testing.example 127.0.0.3
  tls wrong-name
""")
    settings: dict[str, Any] = {
        "tls_roots": mail_world.sandbox.certificate_authority,
        "platform_roots": False,
        "https_port": mail_world.sandbox.https_port,
    }
    # Its policy names another host than its MX record does.
    fields = ("a@good.example", "b@good.example", "s", "c")
    report = mail_world.agent(**settings).send(*fields)
    assert (report.reply, report.tls_policy) == (mapagent.RE_SERVER_UNREACH, "mta-sts"), report.advice
    with pytest.raises(mapagent.InsecureError):
        report.raise_for_reply()
    assert not mail_world.sandbox.mails
    report = mail_world.agent(**settings, mta_sts=False).send(*fields)
    assert (report.reply, report.tls_policy) == (mapagent.RE_SUCCESS, None), report.advice
    # What is only tested is told, and forbids nothing.
    report = mail_world.agent(**settings).send("a@good.example", "b@testing.example", "s", "c")
    assert (report.reply, report.tls_policy) == (mapagent.RE_SUCCESS, None), report.advice
    assert report.tls is not None and report.tls.verified == "none"
    assert report.tls.problem is not None and "mx.testing.example" in report.tls.problem
