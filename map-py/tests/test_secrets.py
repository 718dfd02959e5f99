"""No secret in any output: what a log-in proves who one is by is in nothing that a program can print or log."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import mapagent
import pytest

from conftest import World, WorldMaker

LONG = 60.0
SECRET = "s3cret-0f-alice"
MECHANISMS = ["SCRAM-SHA-256", "PLAIN", "LOGIN", "XOAUTH2"]


def shapes(secret: str) -> list[bytes]:
    """A secret in clear, and in base64 wherever it may stand in a longer text: there are three alignments."""
    octets = secret.encode()
    found = [octets]
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + octets)
        # Without the characters that share bits with what stands before or after.
        found.append(encoded[-(-before * 8 // 6) : (before + len(octets)) * 8 // 6])
    return found


def shown(output: bytes, secret: str = SECRET) -> list[bytes]:
    return [shape for shape in shapes(secret) if shape in output]


def test_the_search_finds_a_secret_wherever_it_stands() -> None:
    assert len(set(shapes(SECRET))) == 4
    for before in range(6):
        message = b"\0" + b"u" * before + b"\0" + SECRET.encode() + b"\1\1"
        assert shown(b"AUTH PLAIN " + base64.b64encode(message))
    assert shown(f"password={SECRET!r}".encode())
    assert not shown(base64.b64encode(b"\0alice\0another secret"))


def script(mechanism: str, secret: str, rule: str = "# no rule") -> str:
    return f"""
host relay.example 127.0.0.2
  tls good
  auth alice {secret} {mechanism}
  {rule}
"""


def everything(report: mapagent.Report) -> bytes:
    """All that a program could print of a report, and of the exception made of it."""
    parts: list[Any] = [report, *report.recipients, *report.attempts, report.tls]
    texts = [f"{part} {part!r} {part.__doc__}" for part in parts]
    texts += [report.advice, report.transcript, *report.warnings, repr(report.server_octets)]
    texts += [attempt.detail for attempt in report.attempts]
    texts.append(json.dumps(report.to_dict(), ensure_ascii=False))
    try:
        report.raise_for_reply()
    except mapagent.MapError as error:
        texts += [str(error), repr(error), repr(error.args), repr(vars(error))]
        texts += traceback.TracebackException.from_exception(error, capture_locals=False).format()
        # What smtplib's handlers log.
        texts += [repr(getattr(error, name, None)) for name in ("smtp_code", "smtp_error")]
    return "\n".join(texts).encode()


def send(mail_world: World, mechanism: str) -> tuple[mapagent.Report, bytes]:
    kind = "token" if mechanism == "XOAUTH2" else "password"
    port = mail_world.sandbox.smtp_port
    relay = mapagent.Relay("relay.example", port, "starttls", user="alice", **{kind: SECRET})
    agent = mail_world.agent(
        relay=relay, tls_roots=mail_world.sandbox.certificate_authority, platform_roots=False
    )
    report = agent.send("alice@example.org", "bob@example.com", "test", "test content.")
    return report, everything(report) + f"{agent!r} {relay!r} {relay}".encode()


def log_ins(mail_world: World) -> list[tuple[str, bool]]:
    """What the host saw of AUTH: no test here may pass because nobody logged in."""
    sessions = mail_world.sandbox.wait_for_quiet()
    return [(one.mechanism, one.accepted) for session in sessions for one in session.authentications]


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_log_in_that_is_taken(world: WorldMaker, mechanism: str) -> None:
    mail_world = world(script(mechanism, SECRET))
    report, output = send(mail_world, mechanism)
    assert report.reply is mapagent.RE_SUCCESS, report.advice
    assert log_ins(mail_world) == [(mechanism, True)]
    assert not shown(output)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_log_in_that_is_refused(world: WorldMaker, mechanism: str) -> None:
    mail_world = world(script(mechanism, "another"))
    report, output = send(mail_world, mechanism)
    assert (report.reply, report.code, report.stage) == (mapagent.RE_SERVICE_DENIED, 535, "auth"), report.advice
    assert log_ins(mail_world) == [(mechanism, False)]
    assert not shown(output)


@pytest.mark.parametrize(
    "echo",
    [f"535 5.7.8 {SECRET} is wrong", "535 5.7.8 AUTH PLAIN " + base64.b64encode(b"\0alice\0" + SECRET.encode()).decode()],
    ids=["clear", "base64"],
)
def test_a_relay_that_repeats_what_it_was_told(world: WorldMaker, echo: str) -> None:
    mail_world = world(script("PLAIN", SECRET, f"on auth reply {echo}"))
    report, output = send(mail_world, "PLAIN")
    assert report.code == 535
    assert not shown(output)


@pytest.mark.parametrize("how", ["file", "environment"])
@pytest.mark.parametrize("known", [SECRET, "another"], ids=["taken", "refused"])
def test_the_command(world: WorldMaker, tmp_path: Path, how: str, known: str) -> None:
    mail_world = world(script("PLAIN", known))
    roots = tmp_path / "ca.pem"
    roots.write_text(mail_world.sandbox.certificate_authority)
    options = [f"--relay=relay.example:{mail_world.sandbox.smtp_port}", "--relay-user=alice", f"--tls-roots={roots}"]
    environment = dict(os.environ)
    if how == "file":
        secret_file = tmp_path / "secret"
        secret_file.write_text(f"{SECRET}\n")
        secret_file.chmod(0o600)
        options.append(f"--relay-secret-file={secret_file}")
    else:
        environment["MAPAGENT_RELAY_SECRET"] = SECRET
    for printed in (["--json", "--transcript"], ["--transcript"], []):
        fields = ["alice@example.org", "bob@example.com", "test", "test content."]
        done = subprocess.run(
            [sys.executable, "-m", "mapagent", "send", *mail_world.options, *options, *printed, *fields],
            capture_output=True,
            env=environment,
            timeout=LONG,
            check=False,
        )
        expected = mapagent.RE_SUCCESS if known == SECRET else mapagent.RE_SERVICE_DENIED
        assert done.returncode == expected, done.stderr
        assert not shown(done.stdout + done.stderr)
    assert log_ins(mail_world) == [("PLAIN", known == SECRET)] * 3


def test_the_command_asks_on_a_terminal(world: WorldMaker, tmp_path: Path) -> None:
    mail_world = world(script("PLAIN", SECRET))
    roots = tmp_path / "ca.pem"
    roots.write_text(mail_world.sandbox.certificate_authority)
    keyboard, terminal = os.openpty()
    address = f"--relay=relay.example:{mail_world.sandbox.smtp_port}"
    fields = ["alice@example.org", "bob@example.com", "test", "test content."]
    command = [sys.executable, "-m", "mapagent", "send", *mail_world.options, address, f"--tls-roots={roots}"]
    child = subprocess.Popen(
        [*command, "--relay-user=alice", *fields],
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # No /dev/tty there: the terminal is its standard input alone.
        start_new_session=True,
    )
    try:
        assert child.stderr is not None
        prompt = b"password of alice at relay.example: "
        assert child.stderr.read(len(prompt)) == prompt
        os.write(keyboard, f"{SECRET}\n".encode())
        out, err = child.communicate(timeout=LONG)
    finally:
        child.kill()
        child.communicate()
    os.set_blocking(keyboard, False)
    # At least the end of the line, which getpass has echoed or printed, and not what was typed.
    with contextlib.suppress(BlockingIOError):
        assert not shown(os.read(keyboard, 4096))
    os.close(terminal)
    os.close(keyboard)
    assert (child.returncode, out) == (0, b"RE_SUCCESS.\n"), err
    assert not shown(err)
    assert log_ins(mail_world) == [("PLAIN", True)]


# Runs what follows with a terminal of its own as /dev/tty, and with the standard input that it got itself.
ON_A_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(int(sys.argv[1]), termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


def test_the_command_asks_on_a_terminal_though_its_input_is_a_file() -> None:
    keyboard, terminal = os.openpty()
    command = ["-m", "mapagent", "send", "--relay=relay.example", "--relay-user=alice", "a", "b", "c"]
    child = subprocess.Popen(
        [sys.executable, "-c", ON_A_TERMINAL, str(terminal), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[terminal],
        start_new_session=True,
    )
    try:
        prompt, shown_there = b"password of alice at relay.example: ", b""
        while not shown_there.endswith(prompt):
            assert select.select([keyboard], [], [], LONG)[0], child.poll()
            shown_there += os.read(keyboard, 4096)
        # Ctrl-D: nothing is given.
        os.write(keyboard, b"\x04")
        out, err = child.communicate(timeout=LONG)
    finally:
        child.kill()
        child.communicate()
        os.close(terminal)
        os.close(keyboard)
    assert (child.returncode, out) == (mapagent.RE_MISUSE, b""), err
    assert b"no password of alice at relay.example was given" in err
    assert b"Traceback" not in err


def test_the_command_takes_no_proxy_password_from_its_arguments() -> None:
    fields = ["a@example.org", "b@example.com", "s", "c"]
    command = [sys.executable, "-m", "mapagent", "send", f"--proxy=socks5://alice:{SECRET}@proxy.example", *fields]
    done = subprocess.run(command, capture_output=True, timeout=LONG, check=False)
    assert done.returncode == mapagent.RE_MISUSE
    assert b"MAPAGENT_PROXY" in done.stderr
    assert not shown(done.stdout + done.stderr)
