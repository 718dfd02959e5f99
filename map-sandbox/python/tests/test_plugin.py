"""The fixture, in a pytest of its own, beside a mapagent that only notes how it was configured."""

from __future__ import annotations

import pathlib
import subprocess
import sys

FAKE_MAPAGENT = """
import sys
import types

calls = []
def configure(**keywords):
    calls.append(keywords)

_native = types.ModuleType("mapagent._native")
_native.saved_default = lambda: list(calls)
_native.restore_default = lambda saved: calls.append(("restored", saved))
sys.modules["mapagent._native"] = _native

configure(deadline=5)
"""

TESTS = """
import pytest

@pytest.mark.mail_world("host only.example 127.0.0.9")
def test_a_world_of_its_own(mail_sandbox):
    import socket
    with socket.create_connection(("127.0.0.9", mail_sandbox.smtp_port)) as client:
        assert client.recv(4) == b"220 "

def test_the_example_world(mail_sandbox):
    import socket
    with socket.create_connection(("127.0.0.2", mail_sandbox.smtp_port)) as client:
        assert client.recv(4) == b"220 "
"""

TESTS_OF_MAPAGENT = """
import mapagent

def test_it_is_configured(mail_sandbox):
    projects_own, call = mapagent.calls
    assert projects_own == {"deadline": 5}
    assert call == {
        "dns_servers": [mail_sandbox.dns_server],
        "dns_trust_anchor": mail_sandbox.trust_anchor,
        "smtp_port": mail_sandbox.smtp_port,
        "tls_roots": mail_sandbox.certificate_authority,
        "https_port": mail_sandbox.https_port,
        "allow_loopback": True,
    }

def test_it_was_put_back():
    assert mapagent.calls[2:] == [("restored", [{"deadline": 5}])]
"""


def run(folder: pathlib.Path, tests: str, mapagent: str) -> subprocess.CompletedProcess[str]:
    (folder / "mapagent.py").write_text(mapagent)
    (folder / "test_it.py").write_text(tests)
    # The folder comes first on the path of `python -m`, so that this mapagent hides an installed one.
    command = [sys.executable, "-m", "pytest", "-q", "--strict-markers", "-p", "no:cacheprovider", "test_it.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_the_fixture_starts_worlds_without_mapagent(tmp_path: pathlib.Path) -> None:
    missing = "raise ModuleNotFoundError(\"No module named 'mapagent'\", name='mapagent')\n"
    done = run(tmp_path, TESTS, missing)
    assert "2 passed" in done.stdout, done.stdout


def test_the_fixture_leads_mapagent_into_the_world(tmp_path: pathlib.Path) -> None:
    done = run(tmp_path, TESTS_OF_MAPAGENT, FAKE_MAPAGENT)
    assert "2 passed" in done.stdout, done.stdout


def test_a_broken_mapagent_is_not_hidden(tmp_path: pathlib.Path) -> None:
    done = run(tmp_path, TESTS, "import module_that_is_missing\n")
    assert "2 errors" in done.stdout, done.stdout
