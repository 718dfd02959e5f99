"""What the tests share: a mail world on loopback, a host that never speaks, and child interpreters."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import mapagent
import mapagent_sandbox
import pytest

# A warning is a failure, but for the one that Python 3.12 gives for every fork beside a thread.
WARNINGS = ["-W", "error", "-W", "ignore:This process:DeprecationWarning"]

WorldMaker = Callable[[str], "World"]


class World:
    """A running sandbox, and how to reach it."""

    def __init__(self, sandbox: mapagent_sandbox.Sandbox) -> None:
        self.sandbox = sandbox

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "dns_servers": [self.sandbox.dns_server],
            "smtp_port": self.sandbox.smtp_port,
            "hello_name": "client.example",
            "allow_loopback": True,
        }

    @property
    def options(self) -> list[str]:
        """The same for the command line."""
        return [
            f"--dns-server={self.sandbox.dns_server}",
            f"--smtp-port={self.sandbox.smtp_port}",
            "--hello-name=client.example",
            "--allow-loopback",
        ]

    def agent(self, **more: Any) -> mapagent.Agent:
        return mapagent.Agent(**{**self.settings, **more})


@pytest.fixture
def world() -> Iterator[WorldMaker]:
    """Starts worlds by their scripts."""
    with contextlib.ExitStack() as stack:
        yield lambda script: World(stack.enter_context(mapagent_sandbox.Sandbox(script)))


@pytest.fixture
def default_agent() -> Iterator[Callable[..., None]]:
    """`mapagent.configure`, put back after the test."""
    yield mapagent.configure
    mapagent.configure()


@contextlib.contextmanager
def listening(*numbers: signal.Signals) -> Iterator[None]:
    """Programs that are started meanwhile hear these signals. Whether they do is inherited: a shell that runs the tests
    in the background has had SIGINT ignored."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in numbers}
    blocked = signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for number, handler in before.items():
            signal.signal(number, handler)


class SilentHost:
    """Accepts connections and never says a word."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._connections: list[socket.socket] = []
        self.connected = threading.Event()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            self.connected.set()

    @property
    def settings(self) -> dict[str, Any]:
        return {"smtp_port": self.port, "hello_name": "client.example", "allow_loopback": True}

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for connection in self._connections:
            connection.close()


@pytest.fixture
def silent_host() -> Iterator[SilentHost]:
    host = SilentHost()
    yield host
    host.close()


@pytest.fixture
def python() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts child interpreters that run a program; those still alive at the end are killed."""
    children: list[subprocess.Popen[str]] = []

    def start(program: str, *arguments: str) -> subprocess.Popen[str]:
        with listening(signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGUSR1):
            child = subprocess.Popen(
                [sys.executable, *WARNINGS, "-c", program, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                # A process group of its own, so that what the child has forked ends with it.
                start_new_session=True,
            )
        children.append(child)
        return child

    yield start
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
