"""The command: its exit status is the number of the reply."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import mapagent
import pytest

from conftest import SilentHost, World, WorldMaker, listening

LONG = 60.0

SCRIPT = """
domain good.example
  mx 10 mx.good.example
host mx.good.example 127.0.0.2

domain denied.example
  mx 10 mx.denied.example
host mx.denied.example 127.0.0.3
  on rcpt reply 550 5.7.1 denied
"""


@pytest.fixture
def mail_world(world: WorldMaker) -> World:
    return world(SCRIPT)


def run(*arguments: str | bytes, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "mapagent", *arguments],
        input=stdin,
        capture_output=True,
        timeout=LONG,
        check=False,
        # No /dev/tty, so that nothing is asked for there.
        start_new_session=True,
    )


def test_send(mail_world: World) -> None:
    done = run("send", *mail_world.options, "a@good.example", "b@good.example", "subject", "content")
    assert (done.returncode, done.stdout) == (0, b"RE_SUCCESS.\n"), done.stderr
    assert mail_world.sandbox.mails[0].message["Subject"] == "subject"


def test_the_script_is_installed(mail_world: World) -> None:
    script = Path(sys.executable).with_name("mapagent")
    done = subprocess.run([script, "check", "a@b.example"], capture_output=True, timeout=LONG, check=False)
    assert (done.returncode, done.stdout) == (0, b"a@b.example\n")


def test_refused(mail_world: World) -> None:
    done = run("send", *mail_world.options, "a@good.example", "b@denied.example", "subject", "content")
    assert (done.returncode, done.stdout) == (mapagent.RE_SERVICE_DENIED, b"RE_SERVICE_DENIED.\n")
    assert done.stderr.startswith(b"mapagent: ")


@pytest.mark.parametrize("dash", [(), ("-",)], ids=["absent", "dash"])
def test_content_from_standard_input(mail_world: World, dash: tuple[str, ...]) -> None:
    content = "Grüße\n.\n"
    done = run(
        "send", *mail_world.options, "a@good.example", "b@good.example", "subject", *dash, stdin=content.encode()
    )
    assert done.returncode == 0, done.stderr
    assert mail_world.sandbox.mails[0].message.get_content().replace("\r\n", "\n") == content


def test_ill_formed_input_is_a_reply(mail_world: World) -> None:
    fields = ("a@good.example", "b@good.example")
    done = run("send", *mail_world.options, *fields, "subject", stdin=b"\xff\xfe")
    assert (done.returncode, done.stdout) == (2, b"RE_INVALID_FORMAT: <Content>.\n")
    done = run("send", *mail_world.options, *fields, b"\xff", "content")
    assert (done.returncode, done.stdout) == (2, b"RE_INVALID_FORMAT: <Subject>.\n")
    assert run("send", *mail_world.options, *fields, b"\xff", "content", "--json").returncode == 2
    assert not mail_world.sandbox.mails


def test_json(mail_world: World) -> None:
    fields = ("a@good.example", "b@denied.example", "subject", "content")
    done = run("send", *mail_world.options, "--json", *fields)
    report = json.loads(done.stdout)
    assert done.returncode == report["number"] == mapagent.RE_SERVICE_DENIED
    assert (report["reply"], report["code"]) == ("RE_SERVICE_DENIED", 550)
    assert "transcript" not in report
    done = run("send", *mail_world.options, "--json", "--transcript", *fields)
    assert json.loads(done.stdout)["transcript"].endswith("S: RE_SERVICE_DENIED.\n")


def test_transcript(mail_world: World) -> None:
    done = run("send", *mail_world.options, "--transcript", "a@good.example", "b@good.example", "subject", "content")
    assert done.stdout.startswith(b"C: CMD_FROM: <a@good.example>.\n")
    assert done.stdout.endswith(b"S: RE_SUCCESS.\n")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["sned"],
        ["send", "a@good.example"],
        ["send", "--smtp-port=x", "a", "b", "c", "d"],
        ["send", "--smtp-port=0", "a", "b", "c", "d"],
        ["send", "--dns-server=dns.example", "a", "b", "c", "d"],
        ["send", "--timeout=connect", "a", "b", "c", "d"],
        ["send", "--timeout=conect=1", "a", "b", "c", "d"],
        ["send", "--deadline=-1", "a", "b", "c", "d"],
        ["send", "--relay=two words", "a", "b", "c", "d"],
        ["send", "--relay=mail.example.net:x", "a", "b", "c", "d"],
        ["send", "--relay=mail.example.net", "--relay-security=tls", "a", "b", "c", "d"],
        ["send", "--relay=mail.example.net", "--relay-user=alice", "a", "b", "c", "d"],
        ["send", "--relay=mail.example.net", "--relay-user=a", "--relay-secret-file=/nowhere", "a", "b", "c", "d"],
        ["send", "--relay-user=alice", "a", "b", "c", "d"],
        ["send", "--relay=mail.example.net", "--relay-token", "a", "b", "c", "d"],
        ["send", "--relay=mail.example.net", "--relay-secret-file=/dev/null", "a", "b", "c", "d"],
        ["send", "--proxy=http://proxy.example.net", "a", "b", "c", "d"],
        ["send", "--source-address=mail.example.net", "a", "b", "c", "d"],
        ["send", "--tls-roots=/nowhere", "a", "b", "c", "d"],
        ["send", "--tls-roots=/dev/null", "a", "b", "c", "d"],
        ["send", "--dns-trust-anchor=/dev/null", "a", "b", "c", "d"],
        ["send", "--https-port=0", "a", "b", "c", "d"],
        ["send", "--port25-mail-probe-host=two words", "a", "b", "c", "d"],
    ],
    ids=" ".join,
)
def test_misuse(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == mapagent.RE_MISUSE
    assert done.stdout == b""
    assert b"usage: " in done.stderr and b"Traceback" not in done.stderr


def test_settings_arrive(mail_world: World) -> None:
    fields = ("a@good.example", "b@good.example", "subject", "content")
    settings = ["--deadline=50", "--timeout=connect=5", "--timeout=quit=1"]
    assert run("send", *mail_world.options, *settings, *fields).returncode == 0
    without_loopback = [option for option in mail_world.options if option != "--allow-loopback"]
    assert run("send", *without_loopback, *fields).returncode == mapagent.RE_DNS_FAIL


def send_to(host: SilentHost) -> list[str]:
    options = [f"--smtp-port={host.port}", "--allow-loopback", "--hello-name=client.example"]
    fields = ["a@good.example", "b@[127.0.0.1]", "subject", "content"]
    return [sys.executable, "-m", "mapagent", "send", *options, *fields]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_told_to_stop(silent_host: SilentHost, number: signal.Signals) -> None:
    with listening(number):
        child = subprocess.Popen(send_to(silent_host), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert silent_host.connected.wait(LONG)
        child.send_signal(number)
        out, err = child.communicate(timeout=LONG)
    finally:
        child.kill()
        child.communicate()
    assert (child.returncode, out) == (mapagent.RE_CANCELLED, b"RE_CANCELLED.\n"), err
    assert b"Traceback" not in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_not_told_to_stop_where_that_is_ignored(silent_host: SilentHost, number: signal.Signals) -> None:
    """A shell starts what it runs in the background so, and what is to outlive it."""
    with listening(number):
        signal.signal(number, signal.SIG_IGN)
        command = [*send_to(silent_host), "--deadline=2"]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert silent_host.connected.wait(LONG)
        child.send_signal(number)
        out, err = child.communicate(timeout=LONG)
    finally:
        child.kill()
        child.communicate()
    assert (child.returncode, out) == (mapagent.RE_SERVER_UNREACH, b"RE_SERVER_UNREACH.\n"), err


def test_a_closed_output_does_not_change_the_status(mail_world: World) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    fields = ["a@good.example", "b@good.example", "subject", "content"]
    for to, status in [("b@good.example", 0), ("b@denied.example", 7)]:
        fields[1] = to
        done = subprocess.run(
            [sys.executable, "-m", "mapagent", "send", *mail_world.options, *fields],
            stdout=writer,
            stderr=subprocess.PIPE,
            timeout=LONG,
            check=False,
        )
        assert done.returncode == status
        assert b"Traceback" not in done.stderr and b"Exception" not in done.stderr
    os.close(writer)


@pytest.mark.parametrize("descriptor", [1, 2])
def test_a_missing_output_does_not_change_the_status(mail_world: World, descriptor: int) -> None:
    for to, status in [("b@good.example", 0), ("b@denied.example", 7)]:
        command = [sys.executable, "-m", "mapagent", "send", *mail_world.options, "a@good.example", to, "s", "c"]
        shell = ["sh", "-c", f'exec "$@" {descriptor}>&-', "sh", *command]
        done = subprocess.run(shell, capture_output=True, timeout=LONG, check=False)
        assert done.returncode == status
        assert b"Traceback" not in done.stderr and b"Exception" not in done.stderr


@pytest.mark.parametrize("command", [["send", "a@b.example", "b@b.example", "subject"], ["session"]], ids=" ".join)
def test_a_missing_input_is_misuse(command: list[str]) -> None:
    shell = ["sh", "-c", 'exec "$@" <&-', "sh", sys.executable, "-m", "mapagent", *command]
    done = subprocess.run(shell, capture_output=True, timeout=LONG, check=False)
    assert done.returncode == mapagent.RE_MISUSE
    assert b"standard input is closed" in done.stderr and b"Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", ["send", "session"])
def test_told_to_stop_behind_the_send(mail_world: World, command: str, number: signal.Signals) -> None:
    """The reply cannot be printed, the pipe being full; the mail is delivered all the same."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(1024))
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(1))
    os.set_blocking(writer, True)
    fields = ["a@good.example", "b@good.example", "subject", "content"] if command == "send" else []
    with listening(number):
        child = subprocess.Popen(
            [sys.executable, "-m", "mapagent", command, *mail_world.options, *fields],
            stdin=subprocess.PIPE,
            stdout=writer,
            stderr=subprocess.PIPE,
        )
    try:
        assert child.stdin is not None
        child.stdin.write(dialogue("b@good.example"))
        child.stdin.flush()
        # The system says where the process waits: writing to the pipe.
        until = time.monotonic() + LONG
        while not Path(f"/proc/{child.pid}/wchan").read_text().endswith("pipe_write"):
            assert child.poll() is None and time.monotonic() < until
            time.sleep(0.01)
        child.send_signal(number)
        _, err = child.communicate(timeout=LONG)
    finally:
        child.kill()
        child.communicate()
        os.close(reader)
        os.close(writer)
    assert child.returncode == 0, err
    assert len(mail_world.sandbox.mails) == 1
    assert b"Traceback" not in err


def test_check() -> None:
    done = run("check", " bob@example.com", "bob", "a@[192.0.2.1]")
    assert done.returncode == mapagent.RE_INVALID_FORMAT
    assert done.stdout == b"bob@example.com\na@[192.0.2.1]\n"
    assert done.stderr.startswith(b"bob: ")
    assert run("check", "bob@example.com").returncode == 0


def dialogue(to: str, content: str = "content") -> bytes:
    return f"""CMD_FROM: <a@good.example>.
CMD_TO: <{to}>.
CMD_SUBJECT: <subject>.
CMD_CONTENT: <{content}>.
CMD_END.
""".encode()


def test_session(mail_world: World) -> None:
    done = run(
        "session",
        *mail_world.options,
        stdin=dialogue("b@good.example") + dialogue("") + dialogue("b@denied.example", "two\nlines"),
    )
    assert done.stdout == b"RE_SUCCESS.\nRE_NO_EMPTY: <To,>.\nRE_SERVICE_DENIED.\n", done.stderr
    assert done.returncode == mapagent.RE_SERVICE_DENIED
    assert len(mail_world.sandbox.mails) == 1


def test_a_session_says_what_is_out_of_order_and_goes_on(mail_world: World) -> None:
    done = run("session", *mail_world.options, stdin=b"CMD_TO: <x>.\nHELLO\n" + dialogue("b@good.example"))
    early, unknown, sent = done.stdout.splitlines()
    assert early.startswith(b"RE_MISUSE: <") and b"CMD_FROM" in early
    assert unknown.startswith(b"RE_MISUSE: <")
    assert (sent, done.returncode) == (b"RE_SUCCESS.", 0)


@pytest.mark.parametrize(
    "stdin", [dialogue("b@good.example").removesuffix(b"CMD_END.\n"), b"CMD_FROM: <a@good.example"], ids=["END", "field"]
)
def test_a_session_cut_short_sends_nothing(mail_world: World, stdin: bytes) -> None:
    done = run("session", *mail_world.options, stdin=stdin)
    assert done.returncode == mapagent.RE_MISUSE
    assert not mail_world.sandbox.sessions


def test_a_session_answers_while_the_input_stays_open(mail_world: World) -> None:
    command = [sys.executable, "-m", "mapagent", "session", *mail_world.options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None and child.stdout is not None
        for to, reply in [("b@good.example", b"RE_SUCCESS.\n"), ("b", b"RE_INVALID_FORMAT: <b>.\n")]:
            child.stdin.write(dialogue(to))
            child.stdin.flush()
            assert child.stdout.readline() == reply
        child.stdin.close()
        assert child.wait(LONG) == mapagent.RE_INVALID_FORMAT


def test_version_and_help() -> None:
    assert run("--version").stdout == f"mapagent {mapagent.__version__}\n".encode()
    assert b"64 RE_UNCERTAIN" in run("--help").stdout.replace(b"\n", b" ").replace(b"  ", b" ")


HOSTILE = "\x1b[2J\x9b0m\u202e\u061c\u200b\ufeff\U000e0041"


def steers(printed: bytes) -> set[str]:
    text = printed.decode("utf-8", "replace")
    return set(HOSTILE) & set(text) - {"[", "2", "J", "0", "m"}


def test_nothing_that_is_printed_steers_a_terminal(world: WorldMaker) -> None:
    mail_world = world(
        "domain good.example\n  mx 10 mx.good.example\nhost mx.good.example 127.0.0.2\n"
        f"  on rcpt reply 550 5.7.1 {HOSTILE}\n"
    )
    fields = ("a@good.example", "b@good.example", f"s{HOSTILE}", f"c{HOSTILE}")
    commands: list[tuple[str, ...]] = [
        ("send", *mail_world.options, *fields),
        ("send", *mail_world.options, "--transcript", *fields),
        ("send", *mail_world.options, "--json", "--transcript", *fields),
        ("send", f"--hello-name={HOSTILE}", *fields),
        ("send", f"--tls-roots=/nowhere/{HOSTILE}", *fields),
        ("send", f"--timeout={HOSTILE}", *fields),
        ("send", *mail_world.options, f"{HOSTILE}@x", "b@good.example", "s", "c"),
        ("check", f"{HOSTILE}@x"),
        (HOSTILE,),
    ]
    for command in commands:
        done = run(*command)
        assert done.returncode != 0
        assert not steers(done.stdout + done.stderr), command


def test_a_long_argument_is_not_repeated_to_its_end(mail_world: World) -> None:
    # Linux takes no longer one.
    long = "a" * 130_000
    fields = ("a@good.example", "b@good.example", "s", "c")
    commands: list[tuple[str, ...]] = [
        ("check", long),
        ("check", f"a@-{long}"),
        ("send", f"--hello-name={long}", *fields),
        ("send", f"--dns-server={long}", *fields),
        ("send", f"--timeout={long}", *fields),
        ("send", f"--smtp-port={long}", *fields),
        ("send", *mail_world.options, long, "b@good.example", "s", "c"),
        (long,),
    ]
    for command in commands:
        done = run(*command)
        assert done.returncode != 0
        assert len(done.stdout + done.stderr) < 8_000, command


@pytest.mark.skipif(os.name != "posix", reason="permissions are lists of names there")
def test_a_secret_that_others_can_get_at(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    options = ["--relay=127.0.0.1:9", "--relay-user=a", "--relay-security=implicit", f"--relay-secret-file={secret}"]
    for mode, status, said in [
        (0o600, mapagent.RE_SERVER_UNREACH, b""),
        (0o640, mapagent.RE_SERVER_UNREACH, b"mapagent: warning: others can read the secret in "),
        (0o666, mapagent.RE_MISUSE, b"every user of this machine can write this file"),
    ]:
        secret.chmod(mode)
        done = run("send", *options, "a@b.example", "b@b.example", "s", "c")
        assert done.returncode == status, done.stderr
        assert said in done.stderr
        assert (b"chmod 600" in done.stderr) == bool(said)
