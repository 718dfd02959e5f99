"""The keywords of `Agent` and `configure`: each is taken, and what cannot be is refused with a reason."""

import math
import pickle
from collections.abc import Callable
from typing import Any

import mapagent
import pytest
from mapagent._native import restore_default, saved_default

from conftest import WorldMaker

Maker = Callable[..., object]
BOTH = pytest.mark.parametrize("make", [mapagent.Agent, mapagent.configure], ids=["Agent", "configure"])

TIMEOUTS = ["connect", "greeting", "hello", "mail", "rcpt", "data", "content", "final_reply", "quit", "start"]


@pytest.fixture(autouse=True)
def default_agent_put_back(default_agent: object) -> None:
    """`configure` is tried here."""


@BOTH
@pytest.mark.parametrize(
    "keywords",
    [
        {},
        {"dns_servers": None},
        {"dns_servers": ["127.0.0.1:5300", "[::1]:53", "192.0.2.1"]},
        {"dns_servers": ("192.0.2.1",)},
        {"smtp_port": 65535},
        {"hello_name": "mail.example.org"},
        {"hello_name": "[192.0.2.1]"},
        {"hello_name": None},
        {"hello_name": ""},
        {"port25_check": False},
        {"deadline": 60},
        {"deadline": 0.001},
        {"deadline": None},
        {"allow_loopback": True, "public_only": True, "require_mx": True},
        {"timeouts": None},
        {"timeouts": {name: 1.5 for name in TIMEOUTS}},
    ],
    ids=repr,
)
def test_taken(make: Maker, keywords: dict[str, Any]) -> None:
    make(**keywords)


@BOTH
@pytest.mark.parametrize(
    ("keywords", "reason"),
    [
        ({"dns_servers": ["dns.example"]}, "dns.example"),
        ({"dns_servers": ["192.0.2.1:0"]}, "192.0.2.1:0"),
        ({"smtp_port": 0}, "port"),
        ({"smtp_port": 65536}, "65536"),
        ({"smtp_port": -1}, "-1"),
        ({"smtp_port": 2**70}, "port"),
        ({"hello_name": "not a name"}, "not a name"),
        ({"hello_name": "x\r\nMAIL FROM:<>"}, "EHLO name"),
        ({"deadline": 0}, "deadline"),
        ({"deadline": -1}, "deadline"),
        ({"deadline": math.nan}, "deadline"),
        ({"deadline": math.inf}, "deadline"),
        ({"deadline": 1e300}, "deadline"),
        ({"deadline": 10**400}, "deadline .* at most a year"),
        ({"timeouts": {"conect": 1}}, "connect, greeting"),
        ({"timeouts": {"connect": 0}}, "deadline"),
        ({"timeouts": {"connect": -1}}, "connect"),
    ],
    ids=repr,
)
def test_refused(make: Maker, keywords: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        make(**keywords)


@BOTH
@pytest.mark.parametrize(
    "keywords",
    [
        {"dns_servers": "127.0.0.1"},
        {"dns_servers": [53]},
        {"smtp_port": "25"},
        {"smtp_port": None},
        {"hello_name": b"mail.example.org"},
        {"deadline": "60"},
        {"deadline": True},
        {"allow_loopback": 1},
        {"port25_check": 0},
        {"allow_loopback": None},
        {"timeouts": 5},
        {"timeouts": {"connect": "5"}},
        {"timeouts": {1: 5}},
        {"dead_line": 60},
    ],
    ids=repr,
)
def test_of_another_type(make: Maker, keywords: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        make(**keywords)


@BOTH
def test_by_keyword_only(make: Maker) -> None:
    with pytest.raises(TypeError):
        make(["127.0.0.1:5300"])


def test_what_the_default_agent_was_told_can_be_restored(world: WorldMaker) -> None:
    mail_world = world("domain example.org\n  mx 10 mx.example.org\nhost mx.example.org 127.0.0.2\n")
    fields = ("a@example.com", "b@example.org", "subject", "content")
    mapagent.configure(**mail_world.settings)
    saved = saved_default()
    mapagent.configure(**{**mail_world.settings, "allow_loopback": False})
    assert mapagent.send(*fields) is mapagent.RE_DNS_FAIL
    restore_default(saved)
    assert mapagent.send(*fields) is mapagent.RE_SUCCESS


@pytest.mark.parametrize("position", range(4))
@pytest.mark.parametrize("wrong", [None, b"text", 1], ids=repr)
@pytest.mark.parametrize("send", [mapagent.send, mapagent.send_report, mapagent.Agent().send])
def test_fields_are_text(send: Maker, wrong: object, position: int) -> None:
    fields: list[object] = ["a@example.com", "b@example.com", "subject", "content"]
    fields[position] = wrong
    with pytest.raises(TypeError):
        send(*fields)


def test_an_agent_says_little_and_is_not_pickled() -> None:
    agent = mapagent.Agent(hello_name="secret.example")
    assert "secret" not in repr(agent)
    with pytest.raises(TypeError, match="make one in each process"):
        pickle.dumps(agent)
    agent.close()
    agent.close()
    assert "closed" in repr(agent)
    with pytest.raises(RuntimeError, match="closed"):
        agent.send("a@example.com", "b@example.com", "subject", "content")
