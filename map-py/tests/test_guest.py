"""What a host program takes for granted: signals, memory, nesting, and errors that name the file."""

from __future__ import annotations

import errno
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import mapagent
import pytest

from conftest import WorldMaker

LONG = 60.0
TAKEN = """
domain taken.example
  mx 10 mx.taken.example
host mx.taken.example 127.0.0.2
"""
MAIL = ("alice@sender.example", "bob@taken.example", "s", "c")
KEY = """-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
"""

Starter = Callable[..., "subprocess.Popen[str]"]


def say(child: subprocess.Popen[str]) -> str:
    printed, complaint = child.communicate(timeout=LONG)
    assert child.returncode == 0 and complaint == "", (child.returncode, complaint)
    return printed.strip()


def test_signals_reach_who_waits_for_them(world: WorldMaker, python: Starter) -> None:
    program = """
import json, os, signal, sys, mapagent
agent = mapagent.Agent(**json.loads(sys.argv[1]))
assert agent.send("alice@sender.example", "bob@taken.example", "s", "c").reply == 0
signals = {signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP}
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
for wanted in sorted(signals):
    os.kill(os.getpid(), wanted)
    assert signal.sigtimedwait([wanted], 10).si_signo == wanted
print("all")
"""
    assert say(python(program, json.dumps(world(TAKEN).settings))) == "all"


def test_the_sandbox_takes_no_signals_either(python: Starter) -> None:
    program = """
import os, signal, mapagent_sandbox
with mapagent_sandbox.Sandbox("domain a.example"):
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    os.kill(os.getpid(), signal.SIGTERM)
    print(signal.sigtimedwait([signal.SIGTERM], 10).si_signo == signal.SIGTERM)
"""
    assert say(python(program)) == "True"


def test_parts_nested_without_end_are_refused() -> None:
    part = mapagent.Part.text("inside")
    with pytest.raises(ValueError, match="nested more than 50 deep"):
        for _ in range(20_000):
            part = mapagent.Part.multipart("mixed", [part])
    message = mapagent.Message(from_="a@example.com", to="b@example.com", body=part)
    with pytest.raises(ValueError, match="nested more than 50 deep"):
        mapagent.Part.message(message)


def test_what_there_is_no_memory_for_is_a_memory_error(world: WorldMaker, python: Starter) -> None:
    program = """
import json, resource, sys, mapagent
from pathlib import Path
agent = mapagent.Agent(**json.loads(sys.argv[1]))
size = 300 << 20
octets, text = b"x" * size, "x" * size
# As much as is in use, and not enough for a copy.
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (200 << 20), -1))
for make in (
    lambda: mapagent.Part.data(octets),
    lambda: mapagent.Part.text(text),
    lambda: mapagent.Message.raw(octets),
    lambda: mapagent.Message(from_="a@example.com", to="b@example.com", text=text),
):
    try:
        make()
    except MemoryError as error:
        assert "no memory" in str(error), error
    else:
        raise AssertionError(make)
report = agent.send("alice@sender.example", "bob@taken.example", "s", text)
print(report.text, report.delivered)
assert agent.send("alice@sender.example", "bob@taken.example", "s", "c").reply == 0
"""
    printed = say(python(program, json.dumps(world(TAKEN).settings)))
    assert printed == "RE_LOCAL: <no memory for the 314572800 octets of Content>. no"


def test_an_error_of_a_file_names_it(tmp_path: Path) -> None:
    missing = tmp_path / "missing.pdf"
    for make in (
        lambda: mapagent.Part.file(missing),
        lambda: mapagent.Message(from_="a@example.com", to="b@example.com", attachments=[missing]),
        lambda: mapagent.Message.raw(missing),
        lambda: mapagent.DkimSigner("example.com", "s", key_file=missing),
    ):
        with pytest.raises(FileNotFoundError) as found:
            make()
        assert found.value.errno == errno.ENOENT
        assert found.value.filename == str(missing)
        assert found.value.strerror == "No such file or directory"
    with pytest.raises(FileNotFoundError) as found:
        mapagent.Part.file("no/such/file")
    assert found.value.filename == "no/such/file"
    with pytest.raises(IsADirectoryError) as directory:
        mapagent.Part.file(tmp_path)
    assert directory.value.filename == str(tmp_path)
    with pytest.raises(NotADirectoryError) as not_one:
        missing.touch()
        mapagent.Part.file(missing / "x")
    assert not_one.value.filename == str(missing / "x")


def test_a_file_that_vanished_is_named(world: WorldMaker, tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    path.write_bytes(b"0123456789")
    message = mapagent.Message(from_="alice@sender.example", to="bob@taken.example", attachments=[path])
    path.unlink()
    with pytest.raises(FileNotFoundError) as found:
        message.as_bytes()
    assert found.value.filename == str(path)
    signer = mapagent.DkimSigner("sender.example", "s", key=KEY)
    with pytest.raises(FileNotFoundError) as found:
        path.write_bytes(b"0123456789")
        message = mapagent.Message(from_="alice@sender.example", to="bob@taken.example", attachments=[path])
        path.unlink()
        mapagent.Message.raw(b"From: a@example.com\r\nTo: b@example.com\r\n\r\n", sign=[signer])
        mapagent.Message(
            from_="a@example.com", to="b@example.com", body=mapagent.Part.message(message), sign=[signer]
        )
    assert found.value.filename == str(path)
    running = world(TAKEN)
    for agent in (running.agent(), running.agent(dkim_signers=[signer])):
        with agent:
            report = agent.send_message(message)
        assert report.text == f"RE_LOCAL: <{path}: No such file or directory>."
        assert report.reply == mapagent.RE_LOCAL
        assert report.delivered == "no" and not report.transient
        assert report.enhanced == "5.3.0" and str(path) in report.advice
        with pytest.raises(mapagent.LocalError):
            report.raise_for_reply()
    assert running.sandbox.mails == []


def test_without_descriptors_it_is_said(world: WorldMaker, python: Starter) -> None:
    program = """
import contextlib, json, os, resource, sys, mapagent
agent = mapagent.Agent(**json.loads(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
taken = []
with contextlib.suppress(OSError):
    while True:
        taken.append(os.open(os.devnull, os.O_RDONLY))
report = agent.send("alice@sender.example", "bob@taken.example", "s", "c")
for one in taken:
    os.close(one)
print(report.text, report.delivered, report.transient)
assert agent.send("alice@sender.example", "bob@taken.example", "s", "c").reply == 0
"""
    printed = say(python(program, json.dumps(world(TAKEN).settings)))
    assert printed == "RE_LOCAL: <no file descriptors left in this process>. no True"


def test_unix_line_ends_are_named_where_they_help() -> None:
    with pytest.raises(ValueError, match="unix_line_ends"):
        mapagent.Message.raw(b"From: a@example.com\nTo: b@example.com\n\nHi\n")
