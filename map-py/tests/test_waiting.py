"""While a send waits: other threads run, signals are heard, and the interpreter can end."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import mapagent
import pytest

from conftest import SilentHost, WorldMaker

Python = Callable[..., "subprocess.Popen[str]"]

# Long enough that a test which waits for it has failed.
LONG = 60.0

FIELDS = ("a@example.com", "b@[127.0.0.1]", "subject", "content")

SEND_TO_SILENCE = """
import os, signal, sys, threading, time
import mapagent
agent = mapagent.Agent(smtp_port=int(sys.argv[1]), hello_name="client.example", allow_loopback=True)
FIELDS = ("a@example.com", "b@[127.0.0.1]", "subject", "content")
"""


def test_other_threads_run_while_a_send_waits(silent_host: SilentHost) -> None:
    agent = mapagent.Agent(**silent_host.settings, deadline=2)
    reports: list[mapagent.Report] = []
    sender = threading.Thread(target=lambda: reports.append(agent.send(*FIELDS)))
    sender.start()
    assert silent_host.connected.wait(LONG)
    # The send now waits for a greeting that never comes. With the GIL held, this loop could not begin before its end.
    turns = 0
    while turns < 100_000 and sender.is_alive():
        turns += 1
    assert turns == 100_000
    sender.join(LONG)
    assert [report.reply for report in reports] == [mapagent.RE_SERVER_UNREACH]


def test_the_deadline_of_the_call_rules(silent_host: SilentHost) -> None:
    report = mapagent.Agent(**silent_host.settings, deadline=0.3).send(*FIELDS)
    assert report.reply is mapagent.RE_SERVER_UNREACH
    assert report.delivered == "no"
    # A machine under load may not even have connected by then.
    assert report.stage in {"route", "connect", "greeting"}


def test_the_deadline_of_a_step_rules(silent_host: SilentHost) -> None:
    report = mapagent.Agent(**silent_host.settings, timeouts={"greeting": 0.3}).send(*FIELDS)
    assert report.reply is mapagent.RE_SERVER_UNREACH
    assert (report.delivered, report.stage) == ("no", "greeting")


def test_ctrl_c_interrupts_at_once_and_carries_the_report(silent_host: SilentHost, python: Python) -> None:
    child = python(
        SEND_TO_SILENCE
        + """
try:
    agent.send(*FIELDS)
except KeyboardInterrupt as interrupt:
    assert type(interrupt) is mapagent.SendInterrupted, type(interrupt)
    assert interrupt.report.reply is mapagent.RE_CANCELLED, interrupt.report
    assert interrupt.report.delivered == "no"
    print(interrupt)
    sys.exit(42)
""",
        str(silent_host.port),
    )
    assert silent_host.connected.wait(LONG)
    child.send_signal(signal.SIGINT)
    started = time.monotonic()
    out, err = child.communicate(timeout=LONG)
    assert child.returncode == 42, err
    assert out.startswith("RE_CANCELLED. ")
    # Ten looks a second; the rest is a machine under load and the end of an interpreter. The silence lasts 300 s.
    assert time.monotonic() - started < 10


def test_ctrl_c_behind_the_commit_point_says_that_the_mail_may_have_gone(
    world: WorldMaker, python: Python
) -> None:
    mail_world = world(
        """
domain example.org
  mx 10 mx.example.org
host mx.example.org 127.0.0.2
  on content silent
"""
    )
    child = python(
        """
import sys
import mapagent
agent = mapagent.Agent(dns_servers=[sys.argv[1]], smtp_port=int(sys.argv[2]), hello_name="client.example",
    allow_loopback=True)
try:
    agent.send("a@example.com", "b@example.org", "subject", "content")
except mapagent.SendInterrupted as interrupt:
    print(interrupt.report.text, interrupt.report.delivered)
""",
        mail_world.sandbox.dns_server,
        str(mail_world.sandbox.smtp_port),
    )
    until = time.monotonic() + LONG
    while not any(session.contents_complete for session in mail_world.sandbox.sessions):
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=LONG)
    assert out == "RE_UNCERTAIN. unknown\n", err


def test_ctrl_c_is_not_heard_where_it_is_ignored(silent_host: SilentHost, python: Python) -> None:
    """As by `script &`: who is not to be interrupted is not."""
    child = python(
        SEND_TO_SILENCE
        + """
signal.signal(signal.SIGINT, signal.SIG_IGN)
agent = mapagent.Agent(smtp_port=int(sys.argv[1]), hello_name="client.example", allow_loopback=True, deadline=2)
print(agent.send(*FIELDS))
assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
""",
        str(silent_host.port),
    )
    assert silent_host.connected.wait(LONG)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=LONG)
    assert out == "RE_SERVER_UNREACH.\n", err


def test_another_handler_s_exception_comes_through_with_the_report(
    silent_host: SilentHost, python: Python
) -> None:
    child = python(
        SEND_TO_SILENCE
        + """
class Alarm(Exception):
    pass

def ring(*_):
    raise Alarm("rings")

signal.signal(signal.SIGALRM, ring)
try:
    agent.send(*FIELDS)
except Alarm as alarm:
    print(alarm, alarm.report.reply)
""",
        str(silent_host.port),
    )
    assert silent_host.connected.wait(LONG)
    child.send_signal(signal.SIGALRM)
    out, err = child.communicate(timeout=LONG)
    assert out == "rings RE_CANCELLED\n", err


def test_a_handler_that_returns_lets_the_send_go_on(silent_host: SilentHost, python: Python) -> None:
    child = python(
        SEND_TO_SILENCE
        + """
signal.signal(signal.SIGUSR1, lambda *_: print("heard", flush=True))
agent = mapagent.Agent(smtp_port=int(sys.argv[1]), hello_name="client.example", allow_loopback=True, deadline=2)
print(agent.send(*FIELDS))
""",
        str(silent_host.port),
    )
    assert silent_host.connected.wait(LONG)
    child.send_signal(signal.SIGUSR1)
    out, err = child.communicate(timeout=LONG)
    assert out == "heard\nRE_SERVER_UNREACH.\n", err


@pytest.mark.parametrize("threads", [1, 8])
def test_the_interpreter_ends_with_sends_under_way(
    silent_host: SilentHost, python: Python, threads: int
) -> None:
    child = python(
        SEND_TO_SILENCE
        + """
for _ in range(int(sys.argv[2])):
    threading.Thread(target=agent.send, args=FIELDS, daemon=True).start()
sys.stdin.readline()
""",
        str(silent_host.port),
        str(threads),
    )
    assert silent_host.connected.wait(LONG)
    out, err = child.communicate("go\n", timeout=LONG)
    assert (child.returncode, out, err) == (0, "", "")


def test_an_agent_closed_under_a_send_lets_it_end(silent_host: SilentHost) -> None:
    agent = mapagent.Agent(**silent_host.settings, deadline=1)
    with ThreadPoolExecutor(1) as pool:
        send = pool.submit(agent.send, *FIELDS)
        assert silent_host.connected.wait(LONG)
        agent.close()
        assert send.result(LONG).reply is mapagent.RE_SERVER_UNREACH


def test_many_threads_share_an_agent(world: WorldMaker) -> None:
    mail_world = world(
        """
domain example.org
  mx 10 mx.example.org
host mx.example.org 127.0.0.2
"""
    )
    agent = mail_world.agent()
    with ThreadPoolExecutor(16) as pool:
        sends = [
            pool.submit(agent.send, "a@example.com", "b@example.org", f"number {number}", "content")
            for number in range(64)
        ]
        reports = [send.result(LONG) for send in sends]
    assert {report.reply for report in reports} == {mapagent.RE_SUCCESS}
    assert len({report.message_id for report in reports}) == 64
    subjects = {mail.message["Subject"] for mail in mail_world.sandbox.mails}
    assert subjects == {f"number {number}" for number in range(64)}


class GaveUp(Exception):
    """Raised by a progress callback."""


class Silence:
    """Gives up when it has been called four times with the same."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, int]] = []

    def __call__(self, progress: mapagent.Progress) -> None:
        self.seen.append((progress.stage, progress.sent))
        if self.seen[-4:] == [self.seen[-1]] * 4:
            raise GaveUp


SILENCES = """
domain dns.example
  silent
domain connect.example
  mx 10 mx.connect.example
host mx.connect.example 127.0.0.2 unanswered
domain greeting.example
  mx 10 mx.greeting.example
host mx.greeting.example 127.0.0.3
  on greeting silent
domain hello.example
  mx 10 mx.hello.example
host mx.hello.example 127.0.0.4
  on ehlo silent
domain tls.example
  mx 10 mx.tls.example
host mx.tls.example 127.0.0.5
  tls stall
domain mail.example
  mx 10 mx.mail.example
host mx.mail.example 127.0.0.6
  on mail silent
domain rcpt.example
  mx 10 mx.rcpt.example
host mx.rcpt.example 127.0.0.7
  on rcpt silent
domain data.example
  mx 10 mx.data.example
host mx.data.example 127.0.0.8
  on data silent
domain final.example
  mx 10 mx.final.example
host mx.final.example 127.0.0.9
  on content silent
domain quit.example
  mx 10 mx.quit.example
host mx.quit.example 127.0.0.10
  on quit silent
domain policy.example
  mx 10 mx.policy.example
  mta-sts enforce stall
host mx.policy.example 127.0.0.11
"""


@pytest.mark.parametrize("kind", ["texts", "message"])
def test_a_progress_is_told_in_every_silence_and_ends_it(world: WorldMaker, kind: str) -> None:
    mail_world = world(SILENCES)
    sandbox = mail_world.sandbox
    agent = mail_world.agent(https_port=sandbox.https_port, tls_roots=sandbox.certificate_authority)
    replies = {
        stage: mapagent.RE_CANCELLED
        for stage in ("dns", "connect", "greeting", "hello", "tls", "mail", "rcpt", "data", "policy")
    }
    replies |= {"final": mapagent.RE_UNCERTAIN, "quit": mapagent.RE_SUCCESS}
    for stage, reply in replies.items():
        silence, to = Silence(), f"bob@{stage}.example"
        with pytest.raises(GaveUp) as gave_up:
            if kind == "texts":
                agent.send("a@example.com", to, "subject", "content", progress=silence)
            else:
                message = mapagent.Message(from_="a@example.com", to=to, subject="subject", text="content")
                agent.send_message(message, progress=silence)
        report = gave_up.value.report  # type: ignore[attr-defined]
        assert (report.reply, silence.seen[-4:]) == (reply, [silence.seen[-1]] * 4), stage


def test_a_silent_proxy_is_given_up(silent_host: SilentHost) -> None:
    agent = mapagent.Agent(**silent_host.settings, proxy=f"socks5h://127.0.0.1:{silent_host.port}")
    with pytest.raises(GaveUp) as gave_up:
        agent.send(*FIELDS, progress=Silence())
    assert gave_up.value.report.reply is mapagent.RE_CANCELLED  # type: ignore[attr-defined]


def test_the_functions_of_the_module_tell_it_too(
    silent_host: SilentHost, default_agent: Callable[..., None]
) -> None:
    default_agent(**silent_host.settings)
    for send in (mapagent.send, mapagent.send_report):
        with pytest.raises(GaveUp) as gave_up:
            send(*FIELDS, progress=Silence())
        assert gave_up.value.report.reply is mapagent.RE_CANCELLED  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="progress is to be called"):
        mapagent.send(*FIELDS, progress=1)  # type: ignore[arg-type]
    assert mapagent.PROGRESS_INTERVAL == 0.1
