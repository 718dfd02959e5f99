"""After a fork: the default agent and an explicit one both send in the child, and in the parent as before."""

from __future__ import annotations

import multiprocessing
import subprocess
from collections.abc import Callable
from typing import Any

import mapagent
import pytest

from conftest import World, WorldMaker

LONG = 60.0

SCRIPT = """
domain example.org
  mx 10 mx.example.org
host mx.example.org 127.0.0.2
"""

Python = Callable[..., "subprocess.Popen[str]"]

SETTINGS = """
import gc, os, sys, threading
import mapagent
settings = dict(dns_servers=[sys.argv[1]], smtp_port=int(sys.argv[2]), hello_name="client.example", allow_loopback=True)
mapagent.configure(**settings)
agent = mapagent.Agent(**settings)

def fields(subject):
    return "a@example.com", "b@example.org", subject, "content"
"""


@pytest.fixture
def mail_world(world: WorldMaker) -> World:
    return world(SCRIPT)


def run(python: Python, mail_world: World, program: str) -> str:
    child = python(SETTINGS + program, mail_world.sandbox.dns_server, str(mail_world.sandbox.smtp_port))
    out, err = child.communicate(timeout=LONG)
    assert child.returncode == 0, err
    return out


def subjects(mail_world: World) -> list[str]:
    return sorted(mail.message["Subject"] for mail in mail_world.sandbox.mails)


def test_both_agents_send_in_the_child_and_after_it(python: Python, mail_world: World) -> None:
    out = run(
        python,
        mail_world,
        """
assert mapagent.send(*fields("1")) is mapagent.RE_SUCCESS
assert agent.send(*fields("2")).reply is mapagent.RE_SUCCESS
child = os.fork()
if child == 0:
    status = 1
    try:
        print(mapagent.send_report(*fields("3")), agent.send(*fields("4")), agent.send(*fields("5")), flush=True)
        status = 0
    finally:
        os._exit(status)
assert os.waitpid(child, 0)[1] == 0
print(mapagent.send_report(*fields("6")), agent.send(*fields("7")))
""",
    )
    assert out == "RE_SUCCESS. RE_SUCCESS. RE_SUCCESS.\nRE_SUCCESS. RE_SUCCESS.\n"
    assert subjects(mail_world) == list("1234567")


def test_a_child_that_sends_nothing_ends(python: Python, mail_world: World) -> None:
    # Its interpreter drops an agent whose worker did not come along.
    run(
        python,
        mail_world,
        """
assert agent.send(*fields("1")).reply is mapagent.RE_SUCCESS
child = os.fork()
if child == 0:
    agent.close()
    del agent
    gc.collect()
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
""",
    )


def test_forks_in_the_midst_of_sends(python: Python, mail_world: World) -> None:
    out = run(
        python,
        mail_world,
        """
stop = threading.Event()

def keep_sending():
    while not stop.is_set():
        assert agent.send(*fields("parent")).reply is mapagent.RE_SUCCESS
        assert mapagent.send(*fields("parent")) is mapagent.RE_SUCCESS

threads = [threading.Thread(target=keep_sending) for _ in range(4)]
for thread in threads:
    thread.start()
for _ in range(20):
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if agent.send(*fields("child")).reply is mapagent.RE_SUCCESS:
                if mapagent.send(*fields("child")) is mapagent.RE_SUCCESS:
                    status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
for thread in threads:
    thread.join()
""",
    )
    assert out == ""
    assert subjects(mail_world).count("child") == 40


def test_forks_while_the_data_of_a_message_is_read(python: Python, mail_world: World) -> None:
    run(
        python,
        mail_world,
        """
import io
data = mapagent.Part.reader(lambda: io.BytesIO(b"x" * 300_000), 300_000, filename="data")
message = mapagent.Message(from_="a@example.com", to="b@example.org", text="t", attachments=[data])
stop = threading.Event()

def keep_sending():
    while not stop.is_set():
        agent.send_message(message).raise_for_reply()

thread = threading.Thread(target=keep_sending)
thread.start()
for _ in range(10):
    child = os.fork()
    if child == 0:
        status = 1
        try:
            agent.send_message(message).raise_for_reply()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
thread.join()
""",
    )


def send_by_default(subject: str) -> mapagent.Reply:
    return mapagent.send("a@example.com", "b@example.org", subject, "content")


def configure_and_send(settings: dict[str, Any], subject: str) -> mapagent.Reply:
    mapagent.configure(**settings)
    return send_by_default(subject)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_processes_of_their_own(mail_world: World, method: str) -> None:
    with multiprocessing.get_context(method).Pool(2) as pool:
        sends = [
            pool.apply_async(configure_and_send, (mail_world.settings, str(number))) for number in range(4)
        ]
        # The reply comes back pickled.
        assert [send.get(LONG) for send in sends] == [mapagent.RE_SUCCESS] * 4
    assert subjects(mail_world) == list("0123")


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_pool_of_forked_workers(mail_world: World, default_agent: Callable[..., None]) -> None:
    default_agent(**mail_world.settings)
    assert send_by_default("parent") is mapagent.RE_SUCCESS
    with multiprocessing.get_context("fork").Pool(2) as pool:
        replies = pool.map_async(send_by_default, [str(number) for number in range(8)]).get(LONG)
    assert replies == [mapagent.RE_SUCCESS] * 8
    assert subjects(mail_world) == [*"01234567", "parent"]
