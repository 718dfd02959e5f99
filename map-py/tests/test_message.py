"""Messages: what goes in comes out, what cannot be mailed is said, and each recipient has an answer."""

from __future__ import annotations

import email
import email.policy
import io
import pickle
import runpy
import threading
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone, tzinfo
from email.headerregistry import Address
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import mapagent
import pytest
from mapagent import Message, Part

from conftest import World, WorldMaker

SCRIPT = """
domain good.example
  mx 10 mx.good.example
host mx.good.example 127.0.0.2
  offer PIPELINING, SIZE 100000000, 8BITMIME

domain refusing.example
  mx 10 mx.refusing.example
host mx.refusing.example 127.0.0.3
  on rcpt reply 550 5.1.1 No such user

domain silent.example
  mx 10 mx.silent.example
host mx.silent.example 127.0.0.4
  on greeting silent
"""

EXAMPLE = Path(__file__).parents[2] / "examples" / "python" / "message.py"

KEY = """-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
"""


@pytest.fixture
def mail_world(world: WorldMaker) -> World:
    return world(SCRIPT)


def message(**more: Any) -> Message:
    return Message(**{"from_": "anna@example.com", "to": "bob@good.example", "subject": "s", "text": "t", **more})


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    path = tmp_path / "Отчёт.pdf"
    path.write_bytes(b"%PDF")
    sent = Message(
        from_=["Анна <anna@example.com>", Address("Doe, John", "john", "example.com")],
        sender=mapagent.Mailbox("office@example.com"),
        to="Bob <bob@example.net>, Team: carol@example.net;",
        cc=Address("Zoë", "zoe", "example.net"),
        bcc=["hidden@example.net"],
        reply_to="answers@example.com",
        envelope_from="bounces@example.com",
        subject="Grüße",
        date=datetime(2026, 11, 22, 1, 40, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        message_id="<one@example.com>",
        in_reply_to="question@example.net",
        references=["first@example.net", "<question@example.net>"],
        comments=["first", "second"],
        keywords="weather, Köln",
        headers={"X-Own": "own", "List-Id": "<list.example.com>"},
        text="Schön.\n",
        html='<p>Schön</p><img src="cid:logo@example.com">',
        inline=[Part.data(b"\x89PNG", filename="logo.png", content_id="logo@example.com")],
        attachments=[
            path,
            ("data.bin", bytearray(b"a\0b")),
            Part.reader(lambda: io.BytesIO(b"z" * 100_000), 100_000, filename="stream.dat"),
            Part.multipart("parallel", [Part.message(message(subject="inner")), Part.html("<p>", description="d")]),
        ],
    )
    assert sent.recipients == ("bob@example.net", "carol@example.net", "zoe@example.net", "hidden@example.net")
    assert sent.envelope_from == "bounces@example.com"
    assert sent.message_id == "one@example.com"
    assert (sent.body_type, sent.needs_smtputf8, sent.warnings) == ("7bit", False, ())
    octets = sent.as_bytes()
    assert sent.size == len(octets) == len(bytes(sent))
    assert octets.isascii() and b"hidden" not in octets and b"bounces" not in octets

    got = sent.to_email()
    assert str(got["From"]) == 'Анна <anna@example.com>, "Doe, John" <john@example.com>'
    assert got["Sender"].address.addr_spec == "office@example.com"
    assert [group.display_name for group in got["To"].groups] == [None, "Team"]
    assert (got["Cc"].addresses[0].display_name, got["Reply-To"]) == ("Zoë", "answers@example.com")
    assert got["Subject"] == "Grüße"
    assert got["Date"] == "Sun, 22 Nov 2026 01:40:00 +0530"
    assert got["Message-ID"] == "<one@example.com>"
    assert got["References"] == "<first@example.net> <question@example.net>"
    assert got.get_all("Comments") == ["first", "second"]
    assert (got["Keywords"], got["X-Own"], got["List-Id"]) == ("weather, Köln", "own", "<list.example.com>")
    text, html = got.get_body(("plain",)), got.get_body(("html",))
    assert text is not None and text.get_content() == "Schön.\r\n"
    assert html is not None and "logo@example.com" in html.get_content()
    parts = [part for part in got.iter_parts()][1:]
    assert [part.get_filename() for part in parts[:3]] == ["Отчёт.pdf", "data.bin", "stream.dat"]
    assert [part.get_content() for part in parts[:3]] == [b"%PDF", b"a\0b", b"z" * 100_000]
    assert parts[3].get_content_type() == "multipart/parallel"
    forwarded, beside = parts[3].iter_parts()
    assert forwarded.get_content()["Subject"] == "inner"
    assert beside["Content-Description"] == "d"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"from_": None}, "no address in From"),
        ({"to": None}, "no recipient"),
        ({"to": []}, "no recipient"),
        ({"to": "Bob bob@good.example"}, "Bob bob@good.example"),
        ({"to": ["bob@good.example", "nobody"]}, "nobody"),
        ({"from_": ["a@example.com", "b@example.com"]}, "several addresses in From"),
        ({"subject": "a\nBcc: c@example.com"}, "subject: there is a line end"),
        ({"subject": "\ud800"}, "subject: "),
        ({"text": "a\0b"}, "NUL"),
        ({"html": "\udfff"}, "not UTF-8"),
        ({"message_id": "no at"}, "message_id: "),
        ({"references": ["a@b", "c"]}, "references: "),
        ({"headers": {"Bcc": "c@example.com"}}, "Bcc"),
        ({"headers": [("X-A", "a\r\nb")]}, "X-A"),
        ({"date": datetime(1800, 1, 1, tzinfo=timezone.utc)}, "1800"),
        ({"body_type": "9bit"}, "7bit, 8bit and binary"),
        ({"notify": "SOMETIMES"}, "notify: "),
        ({"ret": "some"}, "full and headers"),
        ({"attachments": [b"data"]}, "needs a name"),
        ({"attachments": [("a\nb", b"")]}, "filename: "),
        ({"inline": [Part.data(b"", content_id="a@b")]}, "HTML"),
        ({"body": Part.text("x")}, "cannot both be the body"),
        ({"resent": [{"from": "a@example.com", "for": "b@example.com"}]}, "no \"for\" in resent"),
    ],
)
def test_what_no_mail_can_carry_is_a_value_error(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=r"(?s).*") as caught:
        message(**given)
    assert reason in str(caught.value)


def test_what_others_write_is_taken_as_it_is(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("Grüße", encoding="utf-8")
    link = "<https://list.example/" + "x" * 200 + "?a=?b>"
    local_part = "bounces+" + "0" * 200
    sent = message(
        to=f"Jo(x)hn <{local_part} @good.example>",
        in_reply_to="<17@>",
        references="<[17@abc]> <a..b@c.>\r\n <no-at><a@b@c>",
        headers={"List-Unsubscribe": f"{link},  <mailto:leave@list.example>", "List-Id": "Büro <b.list.example>"},
        subject="see https://example.com/" + "y" * 80 + "?q=?",
        html="<img src='cid:logo'>",
        inline=[Part.data(b"PNG", content_id="logo")],
        attachments=[notes],
    )
    octets = bytes(sent).replace(b"\r\n ", b" ").decode("ascii")
    assert sent.recipients == (f"{local_part}@good.example",)
    assert f"\r\nTo: Jo hn <{local_part}@good.example>\r\n" in octets
    assert "\r\nIn-Reply-To: <17@>\r\n" in octets
    assert "\r\nReferences: <[17@abc]> <a..b@c.> <no-at> <a@b@c>\r\n" in octets
    assert f"\r\nList-Unsubscribe: {link},  <mailto:leave@list.example>\r\n" in octets
    assert "\r\nList-Id: =?utf-8?B?QsO8cm8=?= <b.list.example>\r\n" in octets
    assert "\r\nSubject: see https://example.com/" + "y" * 80 + "?q=?\r\n" in octets
    assert "\r\nContent-ID: <logo>\r\n" in octets
    assert 'Content-Type: text/plain; charset="utf-8"; name="notes.txt"' in octets
    assert any("<logo>" in warning for warning in sent.warnings)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"to": "first(middle)last@good.example"}, "comment"),
        ({"to": "<b@exa(x)mple.example>"}, "comment"),
        ({"to": "b@good.example’"}, "’"),
        ({"to": "b@xn--a.example"}, "xn--a"),
        ({"references": "<a b@c>"}, "identifier"),
        ({"headers": {"List-Unsubscribe": "<" + "x" * 1000 + ">"}}, "List-Unsubscribe"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        message(**given)


@pytest.mark.parametrize(
    "given",
    [
        {"to": b"bob@good.example"},
        {"to": 7},
        {"text": b"t"},
        {"nonsense": 1},
        {"sign": "key"},
        {"attachments": 7},
        {"attachments": "report.pdf"},
        {"attachments": b"data"},
        {"attachments": bytearray(b"data")},
        {"attachments": EXAMPLE},
        {"attachments": (str(EXAMPLE), b"data")},
        {"inline": "logo.png"},
        {"inline": b"data"},
        {"date": "2026-11-22"},
        {"date": date(2026, 11, 22)},
    ],
)
def test_another_type_is_a_type_error(given: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=next(iter(given))):
        message(**given)


def test_a_zone_that_knows_no_offset_is_the_local_one() -> None:
    class Zone(tzinfo):
        def __init__(self, offset: timedelta | None) -> None:
            self._offset = offset

        def utcoffset(self, when: datetime | None) -> timedelta | None:
            return self._offset

        def dst(self, when: datetime | None) -> None:
            return None

        def tzname(self, when: datetime | None) -> None:
            return None

    naive = datetime(2026, 11, 22, 1, 40)
    for given in (naive, naive.replace(tzinfo=Zone(None))):
        assert message(date=given).to_email()["Date"].datetime == naive.astimezone()
    with pytest.raises(ValueError, match="offset"):
        message(date=naive.replace(tzinfo=Zone(timedelta(days=2))))


def test_files_that_are_not_there_are_os_errors(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        message(attachments=[tmp_path / "nothing"])
    with pytest.raises(IsADirectoryError):
        Part.file(tmp_path)
    with pytest.raises(OSError, match="not a regular file"):
        Part.file("/dev/null")
    with pytest.raises(FileNotFoundError):
        Message.raw(tmp_path / "nothing")


def test_octets_travel_unchanged(mail_world: World) -> None:
    octets = b"From: a@example.com\r\nTo: b@good.example\r\nBcc: c@good.example\r\nDate: x\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n"
    with pytest.raises(ValueError, match="Bcc"):
        Message.raw(octets)
    with pytest.raises(ValueError, match="from_ and to"):
        Message.raw(octets, blind_copies="keep", from_="x@example.com")
    taken = Message.raw(octets, blind_copies="keep", from_="x@example.com", to="d@good.example")
    assert taken.as_bytes() == octets
    assert (taken.body_type, taken.message_id) == ("8bit", None)
    assert taken.warnings == ("the message has no header field Message-ID",)
    report = mail_world.agent().send_message(taken)
    assert report.reply is mapagent.RE_SUCCESS, report.advice
    (mail,) = mail_world.sandbox.mails
    assert (mail.content, mail.reverse_path, mail.forward_paths) == (octets, "x@example.com", ["d@good.example"])
    removed = Message.raw(octets, blind_copies="remove")
    assert removed.recipients == ("b@good.example", "c@good.example")
    assert removed.as_bytes() == octets.replace(b"Bcc: c@good.example\r\n", b"")
    assert Message.raw(octets.replace(b"\r", b""), blind_copies="keep", unix_line_ends=True).as_bytes() == octets


def email_message() -> EmailMessage:
    given = EmailMessage()
    given["From"] = "Анна <anna@example.com>"
    given["To"] = "bob@good.example"
    given["Bcc"] = "hidden@good.example"
    given["Subject"] = "Grüße"
    given["Date"] = "Sun, 22 Nov 2026 01:40:00 +0100"
    given.set_content("From here.\nSchön\n" + "x" * 2000 + "\n")
    given.add_attachment(b"\0\xff", maintype="image", subtype="png", filename="ä.png")
    return given


def test_email_in_and_out(mail_world: World) -> None:
    given = email_message()
    report = mail_world.agent().send_message(given)
    assert report.reply is mapagent.RE_SUCCESS, report.advice
    assert [one.recipient for one in report.recipients] == ["bob@good.example", "hidden@good.example"]
    assert report.sender == "anna@example.com"
    (mail,) = mail_world.sandbox.mails
    assert mail.content.isascii() and b"hidden" not in mail.content
    got = email.message_from_bytes(mail.content, policy=email.policy.default)
    assert (str(got["From"]), got["Subject"]) == ("Анна <anna@example.com>", "Grüße")
    body, attachment = got.iter_parts()
    assert body.get_content().splitlines() == ["From here.", "Schön", "x" * 2000]
    assert (attachment.get_filename(), attachment.get_content()) == ("ä.png", b"\0\xff")


def test_a_signed_email_stays_as_it_is() -> None:
    octets = (
        b"From: a@example.com\r\nTo: b@good.example\r\nDate: x\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/signed; protocol="application/pgp-signature"; boundary="b"\r\n\r\n'
        b"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSch\xc3\xb6n\r\n"
        b"--b\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n--b--\r\n"
    )
    parsed = email.message_from_bytes(octets, policy=email.policy.default)
    taken = Message.from_email(parsed)
    assert b"Sch\xc3\xb6n\r\n" in taken.as_bytes()
    assert taken.body_type == "8bit"


@pytest.mark.parametrize("policy", [email.policy.default, email.policy.SMTP, email.policy.compat32])
def test_a_field_under_a_signature_stays_as_it_is(policy: Any) -> None:
    octets = (
        b"DKIM-Signature: v=1; a=ed25519-sha256; d=example.com; s=s; h=from:subject:to; bh=x;\r\n"
        b"\tb=y\r\n"
        b"From: a@example.com\r\nTo: b@good.example\r\nDate: x\r\nMessage-ID: <" + b"m" * 90 + b"@example.com>\r\n"
        b"Subject: =?utf-8?Q?" + b"Gr=C3=BC=C3=9Fe_" * 8 + b"?=\r\n\r\nt\r\n"
    )
    assert Message.from_email(email.message_from_bytes(octets, policy=policy)).as_bytes() == octets


def test_utf8_only_where_an_address_needs_it() -> None:
    given = email_message()
    assert not Message.from_email(given).needs_smtputf8
    del given["To"]
    given["To"] = "bøb@good.example"
    taken = Message.from_email(given)
    assert taken.needs_smtputf8
    assert taken.recipients[0] == "bøb@good.example"
    assert not Message.from_email(given, from_="a@example.com", to="b@good.example").recipients[1:]
    with pytest.raises(TypeError, match="EmailMessage"):
        Message.from_email("From: a@example.com")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="unix_line_ends"):
        Message.from_email(given, unix_line_ends=True)  # type: ignore[call-arg]


def test_each_recipient_has_an_answer(mail_world: World) -> None:
    report = mail_world.agent().send_message(
        message(to="bob@good.example, nobody@refusing.example", cc="carol@good.example")
    )
    assert (report.reply, report.text) == (mapagent.RE_PARTIAL, "RE_PARTIAL: <2 of 3>.")
    assert (report.delivered, report.transient, report.retry_after, report.code) == ("some", False, None, None)
    assert report.to_dict()["delivered"] == "some"
    assert "bob@good.example" in report.advice and "nobody@refusing.example" in report.advice
    assert {attempt.host: attempt.outcome for attempt in report.attempts} == {
        "mx.good.example": "accepted",
        "mx.refusing.example": "failed",
    }
    assert [(one.recipient, one.text, one.delivered) for one in report.recipients] == [
        ("bob@good.example", "RE_SUCCESS.", "yes"),
        ("nobody@refusing.example", "RE_SERVICE_DENIED.", "no"),
        ("carol@good.example", "RE_SUCCESS.", "yes"),
    ]
    with pytest.raises(mapagent.PartlyDeliveredError) as caught:
        report.raise_for_reply()
    assert caught.value.recipients == {"nobody@refusing.example": (550, b"5.1.1 No such user")}
    (mail,) = mail_world.sandbox.mails
    assert mail.forward_paths == ["bob@good.example", "carol@good.example"]


def test_the_default_agent_sends_messages(mail_world: World, default_agent: Callable[..., None]) -> None:
    default_agent(**mail_world.settings)
    assert mapagent.send_message(message(null_reverse_path=True)).reply is mapagent.RE_SUCCESS
    (mail,) = mail_world.sandbox.mails
    assert mail.reverse_path == ""


def test_data_is_read_in_the_thread_that_waits(mail_world: World) -> None:
    opened: list[tuple[threading.Thread, Data]] = []

    class Data(io.BytesIO):
        pass

    def begin() -> Data:
        data = Data(bytes(range(256)) * 20_000)
        opened.append((threading.current_thread(), data))
        return data

    for size in (256 * 20_000, None):
        opened.clear()
        sent = message(attachments=[Part.reader(begin, size, filename="data")])
        assert opened == []
        assert (sent.size is None) == (size is None)
        assert mail_world.agent().send_message(sent).reply is mapagent.RE_SUCCESS
        assert opened and all(thread is threading.current_thread() and data.closed for thread, data in opened)
        (mail,) = mail_world.sandbox.mails
        _, attachment = mail.message.iter_parts()
        assert attachment.get_content() == bytes(range(256)) * 20_000
        mail_world.sandbox.clear()


def test_one_message_by_many_threads(mail_world: World) -> None:
    sent = message(attachments=[Part.reader(lambda: io.BytesIO(b"x" * 300_000), 300_000, filename="data")])
    agent = mail_world.agent()
    reports: list[mapagent.Report] = []
    threads = [threading.Thread(target=lambda: reports.append(agent.send_message(sent))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [report.reply for report in reports] == [mapagent.RE_SUCCESS] * 4


class Broken(Exception):
    pass


def test_what_a_callable_raises_comes_through_with_the_report(mail_world: World) -> None:
    class Stream:
        def read(self, size: int) -> bytes:
            raise Broken("the tape is torn")

    def fails() -> Stream:
        raise Broken("no tape")

    for opener, words in ((Stream, "the tape is torn"), (fails, "no tape")):
        sent = message(attachments=[Part.reader(opener, 100, filename="data")])
        with pytest.raises(Broken, match=words) as caught:
            mail_world.agent().send_message(sent)
        report = caught.value.report  # type: ignore[attr-defined]
        assert report.delivered == "no"
        with pytest.raises(Broken, match=words):
            sent.as_bytes()
    wrong = message(attachments=[Part.reader(lambda: io.StringIO("text"), filename="data")])  # type: ignore[arg-type, return-value]
    with pytest.raises(TypeError, match="bytes"):
        wrong.as_bytes()
    assert mail_world.sandbox.mails == []


def test_each_send_has_its_own_data_and_exceptions(mail_world: World) -> None:
    def begin() -> io.BytesIO:
        if threading.current_thread().name.startswith("bad"):
            raise Broken(threading.current_thread().name)
        return io.BytesIO(b"x" * 300_000)

    sent = message(attachments=[Part.reader(begin, 300_000, filename="data")])
    agent = mail_world.agent()
    outcomes: dict[str, str] = {}

    def send() -> None:
        try:
            outcome = agent.send_message(sent).reply.name
        except Broken as raised:
            outcome = str(raised)
        outcomes[threading.current_thread().name] = outcome

    names = ["good 1", "bad 1", "good 2", "bad 2", "good 3", "bad 3"]
    threads = [threading.Thread(target=send, name=name) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert outcomes == {name: "RE_SUCCESS" if name.startswith("good") else name for name in names}
    # None of them is left for who comes next.
    agent.send_message(sent).raise_for_reply()
    assert b"eHh4" in sent.as_bytes()


class Endless:
    def __init__(self) -> None:
        self.closed = 0

    def read(self, size: int) -> bytes:
        return b"x" * size

    def close(self) -> None:
        self.closed += 1


def test_what_is_opened_is_closed_once_when_it_ends_early(mail_world: World) -> None:
    opened: list[Endless] = []

    def begin() -> Endless:
        opened.append(Endless())
        return opened[-1]

    def stop(progress: mapagent.Progress) -> None:
        if progress.sent > 100_000:
            raise Broken("enough")

    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError("full")

    def fail() -> Endless:
        raise Broken("no second one")

    def parts(*openers: Callable[[], Endless]) -> Message:
        return message(attachments=[Part.reader(opener, filename="data") for opener in openers])

    endless = parts(begin, begin)
    with pytest.raises(Broken, match="enough") as caught:
        mail_world.agent().send_message(endless, progress=stop)
    assert caught.value.report.reply is mapagent.RE_CANCELLED  # type: ignore[attr-defined]
    with pytest.raises(OSError, match="full"):
        endless.write_to(Full())
    for read in (Message.as_bytes, mail_world.agent().send_message):
        with pytest.raises(Broken, match="no second one"):
            read(parts(begin, fail))
    assert [stream.closed for stream in opened] == [1] * 6


def test_data_in_a_forwarded_and_signed_message(mail_world: World) -> None:
    opened: list[threading.Thread] = []

    def begin() -> io.BytesIO:
        opened.append(threading.current_thread())
        return io.BytesIO(b"x")

    signer = mapagent.DkimSigner("example.com", "mail2026", key=KEY)
    inner = message(attachments=[Part.reader(begin, 1, filename="data")], sign=signer)
    outer = message(attachments=[Part.message(inner)], sign=signer)
    mail_world.agent().send_message(outer).raise_for_reply()
    assert len(opened) == 3 and set(opened) == {threading.current_thread()}
    (mail,) = mail_world.sandbox.mails
    assert mail.content == outer.as_bytes()


def test_a_callable_cannot_send(mail_world: World) -> None:
    agent = mail_world.agent()

    def nested() -> io.BytesIO:
        agent.send("a@example.com", "b@good.example", "s", "c")
        return io.BytesIO()

    with pytest.raises(RuntimeError, match="cannot send another"):
        agent.send_message(message(attachments=[Part.reader(nested, filename="data")]))


def test_data_of_another_length_is_not_sent(mail_world: World) -> None:
    for announced in (99, 101):
        sent = message(attachments=[Part.reader(lambda: io.BytesIO(b"x" * 100), announced, filename="data")])
        report = mail_world.agent().send_message(sent)
        assert report.reply is not mapagent.RE_SUCCESS and report.delivered == "no", report.text
    assert mail_world.sandbox.mails == []


def test_progress(mail_world: World) -> None:
    seen: list[mapagent.Progress] = []
    threads: set[threading.Thread] = set()

    def watch(progress: mapagent.Progress) -> None:
        seen.append(progress)
        threads.add(threading.current_thread())

    sent = message(attachments=[("data", bytes(2_000_000))])
    assert mail_world.agent().send_message(sent, progress=watch).reply is mapagent.RE_SUCCESS
    assert threads == {threading.current_thread()}
    assert seen[-1].stage == "content"
    assert seen[-1].sent == seen[-1].total == sent.size
    assert all(one != other for one, other in zip(seen, seen[1:]))
    assert repr(seen[-1]) == f"<mapagent.Progress content: {sent.size} of {sent.size}>"


def test_progress_cancels_by_raising(mail_world: World) -> None:
    def stop(progress: mapagent.Progress) -> None:
        raise Broken(progress.stage)

    # A host that answers would race with the exception.
    with pytest.raises(Broken) as caught:
        mail_world.agent().send_message(message(to="bob@silent.example"), progress=stop)
    assert caught.value.report.reply is mapagent.RE_CANCELLED  # type: ignore[attr-defined]
    assert mail_world.sandbox.mails == []


def test_progress_that_cannot_be_called_sends_nothing(mail_world: World) -> None:
    with pytest.raises(TypeError, match="progress"):
        mail_world.agent().send_message(message(), progress="bar")  # type: ignore[arg-type]
    assert mail_world.sandbox.sessions == []


def test_signed(mail_world: World) -> None:
    signer = mapagent.DkimSigner("example.com", "mail2026", key=KEY, expires_after=86400)
    assert (signer.domain, signer.selector, signer.algorithm) == ("example.com", "mail2026", "ed25519-sha256")
    assert signer.record_name == "mail2026._domainkey.example.com"
    assert "p=" in signer.record
    assert repr(signer) == "<mapagent.DkimSigner mail2026._domainkey.example.com ed25519-sha256>"
    assert message(sign=signer).as_bytes().startswith(b"DKIM-Signature: v=1; a=ed25519-sha256;")
    assert message(sign=[signer, signer]).as_bytes().count(b"DKIM-Signature: ") == 2
    mail_world.agent(dkim_signers=[signer]).send_message(
        message(attachments=[Part.reader(lambda: io.BytesIO(b"x"), 1, filename="data")])
    ).raise_for_reply()
    (mail,) = mail_world.sandbox.mails
    assert mail.content.startswith(b"DKIM-Signature: v=1; a=ed25519-sha256;")
    for given in ({}, {"key": KEY, "key_file": "x"}, {"key": "none"}):
        with pytest.raises(ValueError, match="key"):
            mapagent.DkimSigner("example.com", "mail2026", **given)  # type: ignore[arg-type]
    for seconds in (0, 0.9):
        with pytest.raises(ValueError, match="one second"):
            mapagent.DkimSigner("example.com", "mail2026", key=KEY, expires_after=seconds)
    with pytest.raises(ValueError, match="domain"):
        mapagent.DkimSigner("not a domain", "s", key=KEY)


def test_resent(mail_world: World) -> None:
    first = message(message_id="first@example.com")
    again = Message.raw(first.as_bytes(), resent=[{"from": "bob@good.example", "to": ["carol@good.example"]}])
    assert (again.envelope_from, again.recipients) == ("bob@good.example", ("carol@good.example",))
    got = again.to_email()
    assert (str(got["Resent-From"]), got["Message-ID"]) == ("bob@good.example", "<first@example.com>")


def test_written_in_blocks(tmp_path: Path) -> None:
    sent = message(attachments=[("data", bytes(1_000_000))])
    with (tmp_path / "mail.eml").open("wb") as file:
        sent.write_to(file)
    assert (tmp_path / "mail.eml").read_bytes() == sent.as_bytes()
    assert Message.raw(tmp_path / "mail.eml").as_bytes() == sent.as_bytes()
    assert Message.raw(str(tmp_path / "mail.eml")).size == sent.size

    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        sent.write_to(Full())


def test_wishes_and_bodies_as_they_are() -> None:
    by_text: dict[str, str] = {"bob@good.example": "rfc822;list@good.example"}
    by_mailbox = {mapagent.Mailbox(text): original for text, original in by_text.items()}
    sent = message(
        text="Grüße",
        body_type="8bit",
        notify="SUCCESS,DELAY",
        ret="headers",
        envelope_id="one",
        original_recipients=by_text,
        require_tls=True,
        null_reverse_path=True,
    )
    for originals in (by_text, by_mailbox):
        assert message(original_recipients=originals).recipients == ("bob@good.example",)
    Message.raw(sent.as_bytes(), from_="a@example.com", to="bob@good.example", original_recipients=by_text)
    Message.raw(sent.as_bytes(), from_="a@example.com", to="bob@good.example", original_recipients=by_mailbox)
    assert sent.body_type == "8bit"
    assert "Grüße".encode() in sent.as_bytes()
    assert sent.envelope_from is None
    assert repr(sent) == f"<mapagent.Message <{sent.message_id}> to 1>"


def test_the_example_sends(
    mail_world: World,
    default_agent: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    default_agent(**mail_world.settings)
    path = tmp_path / "report.txt"
    path.write_text("All is well.")
    to = "Bob <bob@good.example>, nobody@refusing.example"
    monkeypatch.setattr("sys.argv", ["message.py", "anna@example.com", to, "Report", str(path)])
    monkeypatch.setattr("sys.stdin", io.StringIO("Please <read>.\n"))
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert end.value.code == mapagent.RE_PARTIAL
    printed = capsys.readouterr()
    assert printed.out.startswith("bob@good.example: RE_SUCCESS. ")
    assert "\nnobody@refusing.example: RE_SERVICE_DENIED. " in printed.out
    (mail,) = mail_world.sandbox.mails
    _, attachment = mail.message.iter_parts()
    assert (attachment.get_filename(), attachment.get_content()) == ("report.txt", "All is well.")


def test_they_are_not_pickled() -> None:
    for thing in (message(), Part.text("x"), mapagent.DkimSigner("example.com", "s", key=KEY)):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(thing)


def test_those_who_lack_it_get_the_same_message(mail_world: World) -> None:
    agent = mail_world.agent()
    first = message(to="bob@good.example, nobody@refusing.example", bcc="carol@good.example")
    rest = first.for_recipients(["carol@good.example", mapagent.Mailbox("carol@good.example")])
    assert rest.recipients == ("carol@good.example",)
    assert (rest.message_id, rest.as_bytes()) == (first.message_id, first.as_bytes())
    assert b"carol" not in rest.as_bytes()
    assert agent.send_message(rest).reply is mapagent.RE_SUCCESS
    (mail,) = mail_world.sandbox.mails
    assert mail.forward_paths == ["carol@good.example"]
    assert first.for_recipients("bob@good.example").recipients == ("bob@good.example",)
    report = agent.send_message(first)
    undelivered = [one.recipient for one in report.recipients if one.delivered == "no"]
    assert first.for_recipients(undelivered).recipients == ("nobody@refusing.example",)
    with pytest.raises(ValueError, match="dave@good.example is not a recipient of the message"):
        first.for_recipients(["dave@good.example"])
    with pytest.raises(ValueError, match="nobody is named"):
        first.for_recipients([])
    with pytest.raises(ValueError, match="a name without an address"):
        first.for_recipients("dave")
    with pytest.raises(TypeError, match="recipients"):
        first.for_recipients(7)  # type: ignore[arg-type]
