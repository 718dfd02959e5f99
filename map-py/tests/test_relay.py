"""`Relay`: what can be one, and what it shows of itself."""

from __future__ import annotations

import copy
import pickle
import traceback
from typing import Any

import mapagent
import pytest

SECRET = "s3cret-0f-alice"


def test_a_relay() -> None:
    relay = mapagent.Relay("mail.example.net", 587)
    assert (str(relay), relay.port, relay.security) == ("mail.example.net:587", 587, "starttls")
    assert repr(relay) == "<mapagent.Relay mail.example.net:587 starttls>"
    assert str(mapagent.Relay("2001:db8::1", 465, "implicit")) == "[2001:db8::1]:465"
    for security in ("starttls", "implicit", "opportunistic", "clear"):
        assert mapagent.Relay("localhost", 25, security).security == security


@pytest.mark.parametrize("security", ["starttls", "implicit"])
@pytest.mark.parametrize("kind", ["password", "token"])
def test_a_log_in_is_not_shown(security: Any, kind: str) -> None:
    relay = mapagent.Relay("mail.example.net", 587, security, user="alice", **{kind: SECRET})
    assert SECRET not in f"{relay} {relay!r} {vars(mapagent.Relay)}"
    for dump in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="secret"):
            dump(relay)


@pytest.mark.parametrize(
    ("arguments", "keywords", "reason"),
    [
        (("two words", 587), {}, "its domain name or its IP address"),
        (("", 587), {}, "relay"),
        (("mail.example.net", 0), {}, "port"),
        (("mail.example.net", 65536), {}, "65536"),
        (("mail.example.net", 2**70), {}, "port"),
        (("mail.example.net", 587, "tls"), {}, "starttls, implicit, opportunistic, clear"),
        (("mail.example.net", 25, "opportunistic"), {"user": "alice", "password": SECRET}, "verified TLS"),
        (("mail.example.net", 25, "clear"), {"user": "alice", "token": SECRET}, "verified TLS"),
        (("mail.example.net", 587), {"user": "alice"}, "password or a token"),
        (("mail.example.net", 587), {"password": SECRET}, "a user"),
        (("mail.example.net", 587), {"user": "alice", "password": SECRET, "token": SECRET}, "one secret"),
        (("mail.example.net", 587), {"user": "", "password": SECRET}, "user name"),
        (("mail.example.net", 587), {"user": "alice", "password": ""}, "secret"),
        (("mail.example.net", 587), {"user": "alice", "password": f"{SECRET}\r\n"}, "control"),
        # Python's own exception for this carries the whole text.
        (("mail.example.net", 587), {"user": "alice", "password": f"{SECRET}\udcff"}, "surrogate"),
        (("mail.example.net\udcff", 587), {}, "surrogate"),
    ],
    ids=repr,
)
def test_what_cannot_be_a_relay(arguments: tuple[Any, ...], keywords: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        mapagent.Relay(*arguments, **keywords)
    assert_silent(caught.value)


@pytest.mark.parametrize(
    "keywords",
    [
        {"user": "alice", "password": SECRET.encode()},
        {"user": b"alice", "password": SECRET},
        {"user": "alice", "passwd": SECRET},
    ],
    ids=repr,
)
def test_of_another_type(keywords: dict[str, Any]) -> None:
    with pytest.raises(TypeError) as caught:
        mapagent.Relay("mail.example.net", 587, **keywords)
    assert_silent(caught.value)


@pytest.mark.parametrize("proxy", [f"socks4://alice:{SECRET}@proxy", f"socks5://a:{SECRET}\udcff@proxy"], ids=ascii)
def test_a_proxy_that_cannot_be_does_not_show_its_password(proxy: str) -> None:
    with pytest.raises(ValueError, match="socks5://|surrogate") as caught:
        mapagent.Agent(proxy=proxy)
    assert_silent(caught.value)


def assert_silent(exception: BaseException) -> None:
    """What a log would hold of an exception, and of those after it."""
    shown = [str(exception), repr(exception), repr(exception.args), repr(vars(exception))]
    # Not the source lines of this test, in which the secret stands.
    shown += traceback.TracebackException.from_exception(exception, limit=0).format()
    assert SECRET not in "\n".join(shown)
