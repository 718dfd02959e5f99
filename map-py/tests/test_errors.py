"""`raise_for_reply`: ours, and what a program written for smtplib catches in its place."""

from __future__ import annotations

import smtplib

import mapagent
import pytest

from conftest import World, WorldMaker

SCRIPT = """
domain good.example
  mx 10 mx.good.example
host mx.good.example 127.0.0.2

domain greeting.example
  mx 10 mx.greeting.example
host mx.greeting.example 127.0.0.3
  on greeting reply 554 go away

domain hello.example
  mx 10 mx.hello.example
host mx.hello.example 127.0.0.4
  on ehlo reply 550 no
  on helo reply 550 5.7.1 no

domain mail.example
  mx 10 mx.mail.example
host mx.mail.example 127.0.0.5
  on mail reply 553 not you

domain rcpt.example
  mx 10 mx.rcpt.example
host mx.rcpt.example 127.0.0.6
  on rcpt reply 550 5.1.1 no such user

domain data.example
  mx 10 mx.data.example
host mx.data.example 127.0.0.7
  on data reply 554 no

domain content.example
  mx 10 mx.content.example
host mx.content.example 127.0.0.8
  on content reply 554 5.6.0 no

domain lost.example
  mx 10 mx.lost.example
host mx.lost.example 127.0.0.9
  on content close

domain down.example
  mx 10 mx.down.example
host mx.down.example 127.0.0.10 refused
"""

CASES = [
    ("", mapagent.FieldError, ValueError),
    ("bob", mapagent.FieldError, ValueError),
    ("bob@nowhere.example", mapagent.DomainError, smtplib.SMTPException),
    ("bob@down.example", mapagent.UnreachableError, ConnectionError),
    ("bob@down.example", mapagent.UnreachableError, smtplib.SMTPServerDisconnected),
    ("bob@greeting.example", mapagent.ConnectRefusedError, smtplib.SMTPConnectError),
    ("bob@hello.example", mapagent.HelloRefusedError, smtplib.SMTPHeloError),
    ("bob@mail.example", mapagent.SenderRefusedError, smtplib.SMTPSenderRefused),
    ("bob@rcpt.example", mapagent.RecipientRefusedError, smtplib.SMTPRecipientsRefused),
    ("bob@data.example", mapagent.ContentRefusedError, smtplib.SMTPDataError),
    ("bob@content.example", mapagent.ContentRefusedError, smtplib.SMTPDataError),
    ("bob@lost.example", mapagent.UncertainError, smtplib.SMTPException),
]


@pytest.fixture
def mail_world(world: WorldMaker) -> World:
    return world(SCRIPT)


def raised(mail_world: World, to: str) -> mapagent.MapError:
    report = mail_world.agent().send("cxw@apple.com", to, "test", "test content.")
    with pytest.raises(mapagent.MapError) as caught:
        report.raise_for_reply()
    assert caught.value.report is report
    assert caught.value.reply is report.reply
    assert str(caught.value) == f"{report.text} {report.advice}"
    return caught.value


@pytest.mark.parametrize(("to", "ours", "theirs"), CASES, ids=[f"{to}-{theirs.__name__}" for to, _, theirs in CASES])
def test_is_both(mail_world: World, to: str, ours: type[mapagent.MapError], theirs: type[Exception]) -> None:
    error = raised(mail_world, to)
    assert type(error) is ours
    assert isinstance(error, theirs)


def test_smtplib_s_attributes(mail_world: World) -> None:
    for to, code, text in [
        ("bob@greeting.example", 554, b"go away"),
        ("bob@hello.example", 550, b"5.7.1 no"),
        ("bob@mail.example", 553, b"not you"),
        ("bob@content.example", 554, b"5.6.0 no"),
    ]:
        error = raised(mail_world, to)
        assert isinstance(error, smtplib.SMTPResponseException)
        assert (error.smtp_code, error.smtp_error) == (code, text)
    sender = raised(mail_world, "bob@mail.example")
    assert isinstance(sender, smtplib.SMTPSenderRefused) and sender.sender == "cxw@apple.com"
    recipient = raised(mail_world, "bob@rcpt.example")
    assert isinstance(recipient, smtplib.SMTPRecipientsRefused)
    assert recipient.recipients == {"bob@rcpt.example": (550, b"5.1.1 no such user")}


def test_a_handler_that_tries_again_does_not_catch_uncertain(mail_world: World) -> None:
    error = raised(mail_world, "bob@lost.example")
    assert not isinstance(error, (ConnectionError, TimeoutError, smtplib.SMTPServerDisconnected))


def test_success_raises_nothing(mail_world: World) -> None:
    mail_world.agent().send("cxw@apple.com", "bob@good.example", "test", "content").raise_for_reply()
    assert len(mail_world.sandbox.mails) == 1


def test_every_reply_has_its_exception() -> None:
    from mapagent._errors import _BY_REPLY

    by_stage = {mapagent.RE_SUCCESS, mapagent.RE_BADREPLY, mapagent.RE_SERVICE_DENIED}
    assert set(_BY_REPLY) == set(mapagent.Reply) - by_stage


def test_no_handler_of_others_repeats_what_somebody_has() -> None:
    # Whoever catches one of these tries the whole again: Celery, tenacity and airflow are set up that way.
    assert not issubclass(mapagent.PartlyDeliveredError, OSError)
    assert issubclass(mapagent.PartlyDeliveredError, mapagent.MapError)
    assert issubclass(mapagent.LocalError, OSError)
    assert not issubclass(mapagent.LocalError, (ConnectionError, TimeoutError, smtplib.SMTPException))
