"""The keywords of `Agent` and `configure`: each is taken, and what cannot be is refused with a reason."""

import inspect
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

TIMEOUTS = ["connect", "greeting", "hello", "starttls", "tls", "auth", "mail", "rcpt", "data", "content"]
TIMEOUTS += ["content_block", "final_reply", "quit", "replies", "start"]

# Of an authority that signed nothing.
AUTHORITY = """\
-----BEGIN CERTIFICATE-----
MIIBhjCCAS2gAwIBAgIUdMUiz7UvDfnD7k7hx1pFQG3Y8jgwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOVGVzdCBhdXRob3JpdHkwHhcNMjYxMTIyMDUyNTA4WhcNNDYx
MTE3MDUyNTA4WjAZMRcwFQYDVQQDDA5UZXN0IGF1dGhvcml0eTBZMBMGByqGSM49
AgEGCCqGSM49AwEHA0IABLVXPiahR9fcTXUo8rEFdYQcEnJXdDBv3/59s2mqvvb8
lnEHy1wmyY/KNcNcDbvWReHn94nXO8XUL24JuQURnJmjUzBRMB0GA1UdDgQWBBSY
sjrnh0Fo12eOmBH7p+ee1xl6ezAfBgNVHSMEGDAWgBSYsjrnh0Fo12eOmBH7p+ee
1xl6ezAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIDG47be0uxrL
QEoA6vAmZaxSPrIlrq7wjJHD2rb9pNkpAiAKbHm5kHU7rPEk/7LmSBA9skq9SBrv
k8icIQrefM0Urg==
-----END CERTIFICATE-----
"""
ROOT_KEY = """. 172800 IN DNSKEY 257 3 13 \
KXX8lzMOgAB9pQn4OYmSzrP0rEVWrdXSu5vQ0DKhUvLNkmJrQtk7QZAzl+QW51cYSs2JiuQwJVEPK0yV6GXgWQ=="""


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
        {"chunking": "prefer"},
        {"dns_trust_anchor": ROOT_KEY},
        {"dns_trust_anchor": None},
        {"source_address": "192.0.2.1"},
        {"source_address": ["2001:db8::1", "192.0.2.1"]},
        {"source_address": ()},
        {"source_address": None},
        {"proxy": "socks5://127.0.0.1:1080"},
        {"proxy": "socks5h://alice:s3cret@proxy.example.net"},
        {"proxy": None},
        {"proxy": ""},
        {"relay": mapagent.Relay("mail.example.net", 25, "clear")},
        {"relay": None},
        {"require_tls": True, "dane": False, "mta_sts": False, "platform_roots": False},
        {"tls_roots": AUTHORITY},
        {"tls_roots": AUTHORITY + AUTHORITY},
        {"tls_roots": None},
        {"https_port": 8443},
        {"port25_probe_hosts": {"mail": ["mx.example.net", "192.0.2.1:2525"], "web": ("www.example.net",)}},
        {"port25_probe_hosts": {"mail": ["mx.example.net"]}},
        {"port25_probe_hosts": None},
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
        ({"chunking": "always"}, "auto, avoid and prefer"),
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
        ({"dns_trust_anchor": "no key"}, "trust anchor"),
        ({"source_address": "mail.example.org"}, "mail.example.org"),
        ({"source_address": "0.0.0.0"}, "0.0.0.0"),
        ({"source_address": ["192.0.2.1", "192.0.2.2"]}, "192.0.2.2"),
        ({"proxy": "http://proxy.example.net"}, "socks5://"),
        ({"proxy": " "}, "socks5://"),
        ({"tls_roots": ""}, "no certificate"),
        ({"tls_roots": "/etc/ssl/certs/ca-certificates.crt"}, "no certificate"),
        ({"tls_roots": "\udcff"}, "surrogate"),
        ({"https_port": 0}, "port"),
        ({"https_port": 65536}, "65536"),
        ({"port25_probe_hosts": {"mails": []}}, "mail and web"),
        ({"port25_probe_hosts": {"mail": ["two words"]}}, "two words"),
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
        {"dns_trust_anchor": ROOT_KEY.encode()},
        {"source_address": 5},
        {"source_address": [5]},
        {"proxy": b"socks5://127.0.0.1"},
        {"relay": "mail.example.net"},
        {"require_tls": None},
        {"dane": 1},
        {"tls_roots": AUTHORITY.encode()},
        {"https_port": None},
        {"port25_probe_hosts": ["mx.example.net"]},
        {"port25_probe_hosts": {"mail": "mx.example.net"}},
    ],
    ids=repr,
)
def test_of_another_type(make: Maker, keywords: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=next(iter(keywords))):
        make(**keywords)


@BOTH
def test_the_signature_tells_every_default(make: Maker) -> None:
    parameters = inspect.signature(make).parameters
    assert {"dns_servers", "relay", "require_tls", "timeouts"} <= set(parameters)
    defaults = {name: parameter.default for name, parameter in parameters.items()}
    make(**defaults)
    for name, default in defaults.items():
        make(**{name: default})


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
