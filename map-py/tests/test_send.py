"""A send and its report, against a mail world on loopback."""

from __future__ import annotations

import email.utils
import json
import pickle
from collections.abc import Callable

import mapagent
import pytest

from conftest import World, WorldMaker

SCRIPT = """
domain good.example
  mx 10 mx.good.example
host mx.good.example 127.0.0.2
  offer PIPELINING, SIZE 10000000
  on content reply 250 2.0.0 Ok: queued as 4711

domain second.example
  mx 10 down.second.example
  mx 20 mx.good.example
host down.second.example 127.0.0.6 refused

domain full.example
  mx 10 mx.full.example
host mx.full.example 127.0.0.3
  on rcpt reply 452 4.2.2 Mailbox full

domain strange.example
  mx 10 mx.strange.example
host mx.strange.example 127.0.0.4
  on rcpt raw 550 5.1.1 \\xff\\x1b[31mno\\r\\n

domain lost.example
  mx 10 mx.lost.example
host mx.lost.example 127.0.0.5
  on content close

domain address.example
  a 127.0.0.2

domain null.example
  mx 0 .
"""

STAGES = {"check", "route", "connect", "greeting", "hello", "tls", "auth", "mail", "rcpt", "data", "content"}


@pytest.fixture
def mail_world(world: WorldMaker) -> World:
    return world(SCRIPT)


def send(mail_world: World, to: str, **settings: object) -> mapagent.Report:
    return mail_world.agent(**settings).send("cxw@apple.com", to, "test", "test content.")


def test_delivered(mail_world: World) -> None:
    report = send(mail_world, "Bob@good.example")
    assert report.reply is mapagent.RE_SUCCESS
    assert isinstance(report.reply, mapagent.Reply)
    assert report.text == str(report) == "RE_SUCCESS."
    assert report.delivered == "yes"
    assert report.transient is False
    assert report.retry_after is None
    assert (report.code, report.enhanced) == (250, "2.0.0")
    assert report.server_text is not None and "queued as 4711" in report.server_text
    assert report.server_octets == report.server_text.encode()
    assert report.stage == "content"
    assert (report.host, report.address) == ("mx.good.example", "127.0.0.2")
    assert report.sender == "cxw@apple.com"
    assert report.warnings == ()
    assert report.advice
    assert report.transcript.startswith("C: CMD_FROM: <cxw@apple.com>.\n")
    assert report.transcript.endswith("S: RE_SUCCESS.\n")
    report.raise_for_reply()

    (mail,) = mail_world.sandbox.mails
    assert (mail.hello, mail.reverse_path, mail.forward_paths) == (
        "client.example",
        "cxw@apple.com",
        ["Bob@good.example"],
    )
    assert mail.message["Message-ID"] == f"<{report.message_id}>"
    assert mail.message["Subject"] == "test"
    assert mail.message.get_content().splitlines() == ["test content."]
    assert email.utils.parsedate_to_datetime(mail.message["Date"]).tzinfo is not None

    (recipient,) = report.recipients
    assert isinstance(recipient, mapagent.RecipientReport) and isinstance(recipient, mapagent.Outcome)
    assert recipient.recipient == "Bob@good.example"
    assert (recipient.reply, recipient.code, recipient.host) == (report.reply, report.code, report.host)

    (attempt,) = report.attempts
    assert (attempt.host, attempt.address, attempt.stage) == ("mx.good.example", "127.0.0.2", "content")
    assert (attempt.outcome, attempt.code) == ("accepted", 250)
    assert 0 < attempt.duration < 60


def test_the_next_host(mail_world: World) -> None:
    report = send(mail_world, "bob@second.example")
    assert report.reply is mapagent.RE_SUCCESS
    failed, accepted = report.attempts
    assert (failed.host, failed.stage, failed.outcome) == ("down.second.example", "connect", "failed")
    assert failed.code is None
    assert failed.detail
    assert (accepted.host, accepted.outcome) == ("mx.good.example", "accepted")


def test_try_again_later(mail_world: World) -> None:
    report = send(mail_world, "bob@full.example")
    assert report.text == "RE_BADREPLY: <452>."
    assert (report.delivered, report.transient, report.stage) == ("no", True, "rcpt")
    assert (report.code, report.enhanced) == (452, "4.2.2")
    assert report.recipients[0].transient is True
    assert report.retry_after is None or report.retry_after > 0


def test_what_a_server_says_is_octets(mail_world: World) -> None:
    report = send(mail_world, "bob@strange.example")
    assert report.reply is mapagent.RE_SERVICE_DENIED
    assert report.server_octets is not None and report.server_octets.endswith(b"\xff\x1b[31mno")
    assert report.server_text is not None and report.server_text.endswith("\\xff\x1b[31mno")
    for shown in (report.advice, report.transcript, repr(report), *(a.detail for a in report.attempts)):
        assert "\x1b" not in shown


def test_nobody_knows(mail_world: World) -> None:
    report = send(mail_world, "bob@lost.example")
    assert report.reply is mapagent.RE_UNCERTAIN
    assert (report.delivered, report.transient) == ("unknown", False)
    assert report.attempts[-1].outcome == "uncertain"


def test_a_literal(mail_world: World) -> None:
    report = send(mail_world, "bob@[127.0.0.2]")
    assert report.reply is mapagent.RE_SUCCESS
    assert report.address == "127.0.0.2"


def test_null_mx(mail_world: World) -> None:
    report = send(mail_world, "bob@null.example")
    assert report.text == "RE_DNS_FAIL: <null.example>."
    assert (report.enhanced, report.transient, report.stage, report.host) == ("5.1.10", False, "route", None)


def test_each_setting_reaches_the_core(mail_world: World) -> None:
    assert send(mail_world, "bob@address.example").reply is mapagent.RE_SUCCESS
    assert send(mail_world, "bob@address.example", require_mx=True).reply is mapagent.RE_DNS_FAIL
    assert send(mail_world, "bob@good.example", allow_loopback=False).text == "RE_DNS_FAIL: <good.example>."
    assert send(mail_world, "bob@good.example", hello_name="other.example").reply is mapagent.RE_SUCCESS
    assert mail_world.sandbox.mails[-1].hello == "other.example"


def test_public_only(world: WorldMaker) -> None:
    # 192.168.x.y routes nowhere here or is refused at once: what matters is who refuses it.
    mail_world = world("domain private.example\n  a 192.168.255.254\n")
    report = send(mail_world, "bob@private.example", public_only=True)
    assert report.text == "RE_DNS_FAIL: <private.example>."
    assert report.enhanced == "5.4.6"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (("", "", "", ""), "RE_NO_EMPTY: <From, To, Subject, Content,>."),
        ((" ", "b@good.example", "\t", "content"), "RE_NO_EMPTY: <From, Subject,>."),
        (("a", "b", "subject", "content"), "RE_INVALID_FORMAT: <a>."),
        (("a@good.example", "b\x00@good.example", "subject", "content"), None),
        (("a@good.example", "b@good.example", "sub\nject", "content"), "RE_INVALID_FORMAT: <Subject>."),
        (("a@good.example", "b@good.example", "subject", "con\x00tent"), "RE_INVALID_FORMAT: <Content>."),
        (("a\ud800@good.example", "b@good.example", "subject", "content"), None),
        (("a@good.example", "b\ud800@good.example", "subject", "content"), None),
        (("a@good.example", "b@good.example", "\udcff", "content"), "RE_INVALID_FORMAT: <Subject>."),
        (("a@good.example", "b@good.example", "subject", "con\ud83dtent"), "RE_INVALID_FORMAT: <Content>."),
    ],
    ids=ascii,
)
def test_the_client_s_checks(mail_world: World, fields: tuple[str, str, str, str], text: str | None) -> None:
    report = mail_world.agent().send(*fields)
    if text is None:
        assert report.reply is mapagent.RE_INVALID_FORMAT
    else:
        assert report.text == text
    assert (report.stage, report.delivered, report.message_id, report.attempts) == ("check", "no", None, ())
    assert report.sender == fields[0]
    assert not mail_world.sandbox.sessions


def test_the_default_agent(mail_world: World, default_agent: Callable[..., None]) -> None:
    default_agent(**mail_world.settings)
    fields = ("cxw@apple.com", "bob@good.example", "test", "test content.")
    assert mapagent.send(*fields) is mapagent.RE_SUCCESS
    assert mapagent.send(from_=fields[0], to=fields[1], subject=fields[2], content=fields[3]) is mapagent.RE_SUCCESS
    assert mapagent.send_report(*fields).host == "mx.good.example"
    assert len(mail_world.sandbox.mails) == 3


def test_with(mail_world: World) -> None:
    with mail_world.agent() as agent:
        assert agent.send("a@good.example", "b@good.example", "subject", "content").reply is mapagent.RE_SUCCESS
    with pytest.raises(RuntimeError, match="closed"):
        agent.send("a@good.example", "b@good.example", "subject", "content")
    with pytest.raises(KeyError), mail_world.agent():
        raise KeyError


@pytest.mark.parametrize("to", ["bob@good.example", "bob@full.example", "bob@null.example", "bob@lost.example", "x"])
def test_in_plain_types(mail_world: World, to: str) -> None:
    report = send(mail_world, to)
    plain = report.to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["reply"] == report.reply.name and plain["number"] == report.reply
    assert plain["stage"] in STAGES
    for name in ("text", "delivered", "transient", "retry_after", "code", "enhanced", "server_text", "stage", "host"):
        assert plain[name] == getattr(report, name)
    for name in ("address", "advice", "sender", "message_id"):
        assert plain[name] == getattr(report, name)
    assert plain["warnings"] == list(report.warnings)
    assert plain["recipients"] == [recipient.to_dict() for recipient in report.recipients]
    assert plain["recipients"][0]["recipient"] == to
    assert plain["attempts"] == [attempt.to_dict() for attempt in report.attempts]


def test_parts_are_frozen_shown_and_not_pickled(mail_world: World) -> None:
    report = send(mail_world, "bob@good.example")
    assert repr(report) == "<mapagent.Report RE_SUCCESS. delivered: yes>"
    assert repr(report.recipients[0]) == '<mapagent.RecipientReport "bob@good.example": RE_SUCCESS. delivered: yes>'
    assert repr(report.attempts[0]).startswith("<mapagent.Attempt mx.good.example [127.0.0.2] content: ")
    for part in (report, report.recipients[0], report.attempts[0]):
        with pytest.raises(TypeError, match="to_dict"):
            pickle.dumps(part)
        with pytest.raises(AttributeError):
            part.code = 250  # type: ignore[misc]
        with pytest.raises(TypeError):
            type(part)()


def test_a_large_content(mail_world: World) -> None:
    content = "0123456789abcde\n" * 500_000
    report = mail_world.agent().send("a@good.example", "b@good.example", "subject", content)
    assert report.reply is mapagent.RE_SUCCESS
    (mail,) = mail_world.sandbox.mails
    assert mail.content.partition(b"\r\n\r\n")[2] == content.replace("\n", "\r\n").encode()


def test_unicode_arrives(mail_world: World) -> None:
    subject, content = "Grüße 📬 שלום", "Zeile 1\n.\n..\nשלום 👋🏽\n"
    report = mail_world.agent().send("a@good.example", "b@good.example", subject, content)
    assert report.reply is mapagent.RE_SUCCESS
    (mail,) = mail_world.sandbox.mails
    assert mail.message["Subject"] == subject
    assert mail.message.get_content().replace("\r\n", "\n") == content
