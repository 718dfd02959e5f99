"""Messages of Python's email package: they go to whom smtplib sends them, and arrive as what they say."""

from __future__ import annotations

import copy
import email
import email.policy
import smtplib
import warnings
from collections.abc import Callable
from email import encoders
from email.charset import QP, Charset
from email.header import Header
from email.headerregistry import Address, Group
from email.message import EmailMessage, Message
from email.mime.application import MIMEApplication
from email.mime.base import MIMEBase
from email.mime.image import MIMEImage
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import formataddr
from typing import Any

import mapagent
import pytest

from conftest import World, WorldMaker

SCRIPT = """
domain good.example
  mx 10 mx.good.example
host mx.good.example 127.0.0.2
  offer PIPELINING, SIZE 100000000, 8BITMIME, SMTPUTF8

domain evil.example
  mx 10 mx.good.example

domain xn--bcher-kva.example
  mx 10 mx.good.example

domain plain.example
  mx 10 mx.plain.example
host mx.plain.example 127.0.0.3
  offer PIPELINING
"""

LURE = "mallory@evil.example, Alice Anders of the Department of Long Names and Sons"
DATE = "Sun, 22 Nov 2026 01:40:00 +0100"


@pytest.fixture
def mail_world(world: WorldMaker) -> World:
    return world(SCRIPT)


Made = Callable[[], Message]
KINDS: dict[str, Made] = {}


def kind(make: Made) -> Made:
    KINDS[make.__name__] = make
    return make


def modern(policy: Any = email.policy.default, **fields: Any) -> EmailMessage:
    message = EmailMessage(policy=policy)
    fields = {"From": "anna@example.com", "To": "bob@good.example", "Subject": "s", "Date": DATE, **fields}
    for name, value in fields.items():
        if value is not None:
            message[name.replace("_", "-")] = value
    message.set_content("t\n")
    return message


def old(message: Message | None = None, **fields: Any) -> Message:
    message = MIMEText("t\n") if message is None else message
    fields = {"From": "anna@example.com", "To": "bob@good.example", "Subject": "s", "Date": DATE, **fields}
    for name, value in fields.items():
        if value is not None:
            message[name.replace("_", "-")] = value
    return message


def parsed(text: str | bytes, policy: Any = email.policy.default) -> Message:
    octets = text.encode() if isinstance(text, str) else text
    if b"From:" not in octets:
        octets = b"From: anna@example.com\n" + octets
    return email.message_from_bytes(octets, policy=policy)


for _field in ("To", "Cc", "Bcc", "Sender", "Reply-To", "From"):
    for _form, _value in {
        "quoted": f'"{LURE}" <alice@good.example>',
        "encoded": f"=?utf-8?q?{LURE.replace(' ', '_').replace('@', '=40').replace(',', '=2C')}?= <alice@good.example>",
        "object": Address(LURE, "alice", "good.example"),
        "beyond ASCII": f'"{LURE} é" <alice@good.example>',
        "bracketed": '"<mallory@evil.example>, Alice Anders of the Department of Names" <alice@good.example>',
        "escaped": r'"\"<mallory@evil.example>, Alice Anders of the Department, of Names" <alice@good.example>',
        "group": Group(LURE, (Address("A", "alice", "good.example"),)),
        "comma": '"Doe, Jane of the Department of Very Long Names and Sons and Daughters" <alice@good.example>',
        "colon": '"Re: Jane of the Department of Very Long Names and Sons and Daughters" <alice@good.example>',
        "parenthesis": '"Jane (of the Department of Very Long Names and Sons and Daughters" <alice@good.example>',
        "backslash": r'"Jane \\ Department of Very Long Names and Sons and Daughters" <alice@good.example>',
    }.items():
        if _form == "group" and _field in ("Sender", "From"):
            continue
        _all = ("default", "SMTP", "SMTPUTF8", "HTTP", "compat32")
        for _policy in _all if _field == "To" else ("default", "compat32"):
            if _policy == "compat32" and not isinstance(_value, str):
                continue

            def _make(field: str = _field, value: Any = _value, policy: str = _policy) -> Message:
                chosen = getattr(email.policy, policy)
                message = Message(policy=chosen) if policy == "compat32" else EmailMessage(policy=chosen)
                fields = {"From": "anna@example.com", "To": "bob@good.example", "Date": DATE, field: value}
                for name, content in fields.items():
                    message[name] = content
                message.set_payload("t\n")
                return message

            KINDS[f"{_field} {_form} {_policy}"] = _make

            if isinstance(_value, str):

                def _read(field: str = _field, value: str = _value, policy: str = _policy) -> Message:
                    fields = {"From": "anna@example.com", "To": "bob@good.example", "Date": DATE, field: value}
                    text = "".join(f"{name}: {content}\n" for name, content in fields.items())
                    return parsed(text + "\nt\n", getattr(email.policy, policy))

                KINDS[f"{_field} {_form} {_policy} parsed"] = _read


@kind
def header_instances() -> Message:
    to = Header("Größe, der Bär", "utf-8")
    to.append("<bob@good.example>", "us-ascii")
    subject = Header("Grüße", "iso-8859-1")
    subject.append("from here", "us-ascii")
    return old(To=to, Subject=subject, From=Header("Jürgen <anna@example.com>", "utf-8"))


@kind
def header_of_ascii() -> Message:
    return old(To=Header('"Doe, John" <bob@good.example>'), Subject=Header("s " * 60))


@kind
def not_encoded_str_in_compat32() -> Message:
    return old(To="Jürgen <bob@good.example>", Subject="Grüße " * 30, X_Own="é" * 100)


@kind
def groups() -> Message:
    return modern(To="undisclosed-recipients:;", Bcc="Team: bob@good.example, carol@good.example;")


@kind
def groups_in_compat32() -> Message:
    return old(To="undisclosed-recipients:;", Cc="Team: bob@good.example, carol@good.example;")


@kind
def many_recipients() -> Message:
    return modern(To=", ".join(f'"Person, {n}" <p{n}@good.example>' for n in range(60)), Cc="carol@good.example")


@kind
def many_recipients_in_compat32() -> Message:
    return old(To=", ".join(f'"Person, {n}" <p{n}@good.example>' for n in range(60)), Cc="carol@good.example")


@kind
def comments_and_old_forms() -> Message:
    return parsed("From: anna@example.com (Anna, the first)\nTo: bob@good.example (Bob <mallory@evil.example>)\n\nt\n")


@kind
def two_to_fields() -> Message:
    return parsed("To: bob@good.example\nTo: carol@good.example\n\nt\n", email.policy.compat32)


@kind
def two_to_fields_in_default() -> Message:
    return parsed("To: bob@good.example\nTo: carol@good.example\n\nt\n")


@kind
def several_authors() -> Message:
    return modern(From="anna@example.com, bert@example.com")


@kind
def a_sender() -> Message:
    return modern(From="anna@example.com, bert@example.com", Sender="carl@example.com")


@kind
def resent() -> Message:
    return modern(
        Resent_Date=DATE,
        Resent_From=f'"{LURE}" <dora@example.com>',
        Resent_To=f'"{LURE}" <carol@good.example>',
        Resent_Bcc="hidden@good.example",
        Bcc="never@good.example",
    )


@kind
def resent_by_another() -> Message:
    return old(
        Resent_Date=DATE, Resent_From="dora@example.com", Resent_Sender="emil@example.com", Resent_Cc="carol@good.example"
    )


@kind
def resent_without_a_date() -> Message:
    return modern(Resent_From="dora@example.com", Resent_To="carol@good.example")


@kind
def long_references() -> Message:
    ids = " ".join(f"<AM9PR04MB{n:04}{'A' * 60}@AM9PR04MB8506.eurprd04.prod.outlook.example>" for n in range(30))
    return modern(References=ids, In_Reply_To=f"<{'b' * 120}@prod.outlook.example>", Message_ID=f"<{'m' * 100}@x.example>")


@kind
def long_references_in_compat32() -> Message:
    ids = " ".join(f"<AM9PR04MB{n:04}{'A' * 60}@AM9PR04MB8506.eurprd04.prod.outlook.example>" for n in range(30))
    return old(References=ids, In_Reply_To=f"<{'b' * 120}@prod.outlook.example>", Message_ID=f"<{'m' * 100}@x.example>")


@kind
def structured_fields() -> Message:
    return modern(
        List_Unsubscribe=f"<https://list.example/{'x' * 300}>, <mailto:leave@list.example>",
        List_Id="The list <list.example>",
        Auto_Submitted="auto-generated",
        Received="from a.example by b.example (a comment that is somewhat longer than usual) with ESMTP id 1; " + DATE,
        X_Json='{"a":  "b"}' * 12,
        X_Mailer="x",
    )


@kind
def a_smtputf8_policy_and_ascii_addresses() -> Message:
    return modern(email.policy.SMTPUTF8, Subject="Grüße", To="Jürgen <bob@good.example>")


@kind
def local_parts_beyond_ascii() -> Message:
    return modern(From="Анна <анна@good.example>", To="bøb@good.example", Reply_To="bøb@good.example")


@kind
def long_line_of_ascii() -> Message:
    return old(MIMEText("x" * 1500 + "\nshort\n"))


@kind
def long_line_of_ascii_in_a_part() -> Message:
    message = old(MIMEMultipart("alternative"))
    message.attach(MIMEText("x" * 5000, "plain", "us-ascii"))
    message.attach(MIMEText("<p>" + "é" * 5000, "html", "utf-8"))
    return message


@kind
def fragile_lines() -> Message:
    return old(MIMEText("From here\n.\n..\ntrailing blanks  \n-- \n\ttab\x0c\n"))


@kind
def no_final_line_end() -> Message:
    return old(MIMEText("no end"))


@kind
def empty_body() -> Message:
    return old(MIMEText(""))


@kind
def no_body() -> Message:
    return old(Message())


@kind
def text_without_a_charset() -> Message:
    message = old(Message())
    message.set_payload("Schön\n")
    return message


@kind
def octets_as_payload() -> Message:
    message = old(MIMEBase("application", "octet-stream"))
    message.set_payload(bytes(range(256)))
    encoders.encode_noop(message)
    return message


@kind
def eight_bit_body_from_octets() -> Message:
    return parsed(
        b"To: bob@good.example\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nSch\xc3\xb6n\n"
    )


@kind
def eight_bit_body_without_a_type() -> Message:
    return parsed(b"To: bob@good.example\n\nSch\xc3\xb6n\n", email.policy.compat32)


@kind
def eight_bit_body_in_latin_1() -> Message:
    return parsed(
        b"To: bob@good.example\nMIME-Version: 1.0\nContent-Type: text/plain; charset=iso-8859-1\n\nSch\xf6n\xff\n"
    )


@kind
def eight_bit_body_of_an_unknown_charset() -> Message:
    return parsed(
        b"To: bob@good.example\nMIME-Version: 1.0\nContent-Type: text/plain; charset=x-unknown\n\nSch\xf6n\xff\n"
    )


@kind
def eight_bit_header() -> Message:
    return parsed("To: Jürgen <bob@good.example>\nSubject: Grüße\nX-Own: é\n\nt\n".encode())


@kind
def eight_bit_header_in_compat32() -> Message:
    return parsed("To: Jürgen <bob@good.example>\nSubject: Grüße\nX-Own: é\n\nt\n".encode(), email.policy.compat32)


@kind
def octets_that_are_not_utf8_in_a_header() -> Message:
    return parsed(b"To: J\xfcrgen <bob@good.example>\nSubject: Gr\xfc\xdfe\n\nt\n")


@kind
def other_charsets() -> Message:
    message = modern()
    message.set_content("Schön\n", charset="iso-8859-1", cte="8bit")
    message.add_alternative("日本語テキスト\n", subtype="html", charset="iso-2022-jp")
    return message


@kind
def utf_16() -> Message:
    message = modern()
    message.set_content("Schön\nno\n", charset="utf-16", cte="base64")
    return message


@kind
def quoted_printable_in_compat32() -> Message:
    charset = Charset("utf-8")
    charset.body_encoding = QP
    message = old(MIMEText("Schön " * 60 + "\n", "plain", charset))  # type: ignore[arg-type]
    return message


@kind
def binary_parts() -> Message:
    message = modern()
    message.add_attachment(bytes(range(256)) * 10, maintype="application", subtype="x-raw", cte="binary", filename="a.bin")
    message.add_attachment(b"a\nb\r\nc\r", maintype="application", subtype="x-lines", cte="7bit", filename="b.bin")
    message.add_attachment(bytes(range(128, 256)), maintype="application", subtype="x-8", cte="8bit", filename="c.bin")
    return message


@kind
def names_of_attachments() -> Message:
    message = modern()
    for name in ("Отчёт.pdf", 'a "b" \\c.txt', "x" * 200 + ".txt", "é" * 100 + ".txt", "a;b=c.txt", "тест" * 30):
        message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename=name)
    return message


@kind
def names_of_attachments_in_compat32() -> Message:
    message = old(MIMEMultipart())
    for name in ("plain.txt", ("utf-8", "", "Отчёт.pdf"), "x" * 200 + ".txt", 'a "b".txt'):
        part = MIMEApplication(b"%PDF", "pdf")
        part.add_header("Content-Disposition", "attachment", filename=name)
        message.attach(part)
    return message


@kind
def raw_name_of_an_attachment() -> Message:
    return parsed(
        'To: bob@good.example\nMIME-Version: 1.0\nContent-Type: application/pdf; name="ä.pdf"\n'
        'Content-Disposition: attachment; filename="ä.pdf"\nContent-Transfer-Encoding: base64\n\nJVBERg==\n'
    )


@kind
def everything_in_one() -> Message:
    message = modern(Subject="Grüße " * 20)
    message.set_content("Schön\n")
    message.add_alternative('<p>Schön</p><img src="cid:logo@example.com">\n', subtype="html")
    _, html = message.iter_parts()
    html.add_related(b"\x89PNG", "image", "png", cid="<logo@example.com>")
    message.add_attachment(b"\0\xff" * 4000, maintype="application", subtype="octet-stream", filename="ä.bin")
    message.add_attachment("text\n", filename="b.txt")
    message.add_attachment(modern(Subject="inner", Bcc="inner@evil.example", Date=None))
    message.preamble = "This is MIME.\n"
    message.epilogue = "The end.\n"
    return message


@kind
def attached_messages() -> Message:
    inner = parsed(
        f'To: "{LURE}" <alice@good.example>\nBcc: hidden@evil.example\nSubject: {"x " * 60}\n folded\n\nFrom me\n'
    )
    outer = old(MIMEMultipart())
    outer.attach(MIMEMessage(inner))
    outer.attach(MIMEMessage(old(MIMEImage(b"\x89PNG", "png"), Bcc="b@evil.example", Date=None)))
    return outer


@kind
def attached_message_with_eight_bits() -> Message:
    inner = parsed("To: alice@good.example\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\né\n")
    outer = old(MIMEMultipart())
    outer.attach(MIMEMessage(inner))
    return outer


@kind
def report_of_delivery() -> Message:
    return parsed(
        "To: bob@good.example\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        "--b\nContent-Type: text/plain\n\nfailed\n"
        "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x.example\n\nFinal-Recipient: rfc822; a@b.example\n"
        "Action: failed\n\n--b\nContent-Type: text/rfc822-headers\n\nSubject: x\n\n--b--\n"
    )


@kind
def boundary_that_stands_in_a_part() -> Message:
    message = old(MIMEMultipart(boundary="b"))
    message.attach(MIMEText("a\n--b\n\nnot a part\n--b--\n"))
    return message


@kind
def defects() -> Message:
    return parsed(
        'To: bob@good.example\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n\n--b\n\nno end\n',
        email.policy.default,
    )


@kind
def multipart_without_parts() -> Message:
    return parsed('To: bob@good.example\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n\nnone\n')


@kind
def base64_in_one_line() -> Message:
    message = old(MIMEApplication(b"x" * 3000, _encoder=encoders.encode_noop))
    message["Content-Transfer-Encoding"] = "base64"
    message.set_payload("eHh4" * 1000)
    return message


@kind
def subclass_with_another_signature() -> Message:
    class SafeMIMEText(MIMEText):
        def __init__(self, text: str) -> None:
            super().__init__(text, "plain", "utf-8")

        def as_string(self, unixfrom: bool = False, linesep: str = "\n") -> str:  # type: ignore[override]
            raise AssertionError("it is not for us")

        def as_bytes(self, unixfrom: bool = False, linesep: str = "\n") -> bytes:  # type: ignore[override]
            raise AssertionError("it is not for us")

    return old(SafeMIMEText("Schön\n"), To=formataddr(("Döe, John", "bob@good.example")))


def texts(value: Any) -> str:
    return " ".join(str(value).split())


def bare(name: str | None) -> str:
    return "".join((name or "").split())


def utf8(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode()


def structure(message: Message) -> Any:
    """What is to be the same: types, decoded fields and decoded payloads."""
    fields = []
    for name, value in message.items():
        if name.lower() in ("content-transfer-encoding", "mime-version"):
            continue
        if hasattr(value, "groups"):
            # Python 3.11 reads a blank where an encoded word ends inside a word.
            said: Any = [
                (bare(group.display_name), [(bare(address.display_name), utf8(address.addr_spec)) for address in group.addresses])
                for group in value.groups
            ]
        elif hasattr(value, "params"):
            parameters = {name: value for name, value in value.params.items() if name != "boundary"}
            said = (message.get_content_type() if name == "Content-Type" else message.get_content_disposition(), parameters)
        else:
            said = texts(value)
        fields.append((name, said))
    payload = message.get_payload()
    if isinstance(payload, list):
        return fields, [structure(part) for part in payload if isinstance(part, Message)]
    octets = b"" if payload is None else message.get_payload(decode=True)
    assert isinstance(octets, bytes)
    if message.get_content_maintype() in ("text", "multipart"):
        octets = octets.replace(b"\r\n", b"\n")
    return fields, octets


def read_by_default(message: Message) -> Message:
    """The message as the default policy has it, by a generator that changes nothing of what it says."""
    again = copy.deepcopy(message)

    def settle(part: Message) -> None:
        fields = part.raw_items()
        for name, value in list(fields):
            if not hasattr(value, "name"):
                text = value.encode() if isinstance(value, Header) and name != "From" else str(value)
                repaired = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
                made = email.policy.default.header_factory(name, "".join(repaired.splitlines()))
                part._headers[[index for index, pair in enumerate(part._headers) if pair[1] is value][0]] = (name, made)  # type: ignore[attr-defined]
        part.policy = email.policy.default
        payload = part.get_payload()
        for inner in payload if isinstance(payload, list) else []:
            assert isinstance(inner, Message)
            settle(inner)

    settle(again)
    return again


def envelope_of_smtplib(world: World, message: Message) -> tuple[str, list[str]] | None:
    """Whom smtplib sends it to, over the wire."""
    world.sandbox.clear()
    with smtplib.SMTP("127.0.0.2", world.sandbox.smtp_port, local_hostname="client.example") as client:
        try:
            client.send_message(copy.deepcopy(message))
        except (UnicodeEncodeError, TypeError, smtplib.SMTPException):
            return None
    mails = world.sandbox.mails
    world.sandbox.clear()
    return mails[0].reverse_path or "", mails[0].forward_paths


@pytest.mark.parametrize("name", KINDS)
def test_it_goes_to_whom_smtplib_sends_it(mail_world: World, name: str) -> None:
    given = KINDS[name]()
    before = copy.deepcopy(given)
    expected = envelope_of_smtplib(mail_world, given)
    report = mail_world.agent().send_message(given)
    assert report.reply is mapagent.RE_SUCCESS, report.advice
    (mail,) = mail_world.sandbox.mails
    assert "mallory@evil.example" not in mail.forward_paths and "mallory" not in (mail.reverse_path or "")
    if expected is not None:
        assert (mail.reverse_path, sorted(set(mail.forward_paths))) == (expected[0], sorted(set(expected[1]) - {""}))
    # The caller's object is as it was.
    assert (vars(given).keys(), list(given.raw_items())) == (vars(before).keys(), list(before.raw_items()))
    assert structure_of(given) == structure_of(before)


def structure_of(message: Message) -> Any:
    payload = message._payload  # type: ignore[attr-defined]
    return [(name, str(value)) for name, value in message.raw_items()], (
        [structure_of(part) for part in payload] if isinstance(payload, list) else payload
    )


@pytest.mark.parametrize("name", KINDS)
def test_it_arrives_as_what_it_says(name: str) -> None:
    given = KINDS[name]()
    taken = mapagent.Message.from_email(given)
    octets = taken.as_bytes()
    assert taken.needs_smtputf8 == (name == "local_parts_beyond_ascii")
    assert taken.body_type == "7bit" and (taken.needs_smtputf8 or octets.isascii())
    assert all(len(line) <= 998 for line in octets.split(b"\r\n")), "a line is too long"
    assert b"\n" not in octets.replace(b"\r\n", b"") and b"\r" not in octets.replace(b"\r\n", b"")
    got = email.message_from_bytes(octets, policy=email.policy.default)
    assert "Bcc" not in got and "Resent-Bcc" not in got
    assert len(got.get_all("Date", [])) == len(got.get_all("Message-ID", [])) == 1
    assert got["Message-ID"] == f"<{taken.message_id}>"
    assert not {name for name in taken.warnings if "no header field" in name}
    wanted_fields, wanted_body = structure(read_by_default(given))
    got_fields, got_body = structure(got)
    added = [field for field in got_fields if field[0] not in given and field[0] in ("Date", "Message-ID")]
    hidden = [field for field in wanted_fields if field[0] in ("Bcc", "Resent-Bcc")]
    wanted = [field for field in wanted_fields if field not in hidden]
    if name == "text_without_a_charset":
        wanted.append(("Content-Type", ("text/plain", {"charset": "utf-8"})))
        wanted_body = "Schön\n".encode()
    assert sorted(map(str, got_fields)) == sorted(map(str, wanted + added))
    if isinstance(wanted_body, bytes) and got_body != wanted_body:
        # Behind the whole a line must end.
        wanted_body += b"\n"
    assert got_body == wanted_body


def test_names_of_other_scripts_in_domains(mail_world: World) -> None:
    given = modern(To="Bob <bob@bücher.example>", Reply_To="bob@bücher.example", Cc="carol@bücher.example")
    report = mail_world.agent().send_message(given)
    assert report.reply is mapagent.RE_SUCCESS, report.advice
    (mail,) = mail_world.sandbox.mails
    assert mail.forward_paths == ["bob@xn--bcher-kva.example", "carol@xn--bcher-kva.example"]
    for line in (b"To: Bob <bob@xn--bcher-kva.example>", b"Reply-To: <bob@xn--bcher-kva.example>"):
        assert b"\r\n" + line + b"\r\n" in mail.content
    assert b"utf-8?" not in mail.content.partition(b"\r\n\r\n")[0]


def test_a_plain_host_takes_whatever_is_not_signed(mail_world: World) -> None:
    given = modern(email.policy.SMTPUTF8, To="Jürgen <bob@plain.example>", Subject="Grüße")
    given.set_content("Schön\n", cte="8bit")
    report = mail_world.agent().send_message(given)
    assert report.reply is mapagent.RE_SUCCESS, report.advice
    long = old(MIMEText("x" * 2000), To="bob@plain.example")
    report = mail_world.agent().send_message(long)
    assert report.reply is mapagent.RE_SUCCESS, report.advice


def test_date_and_message_id_are_added_and_reported(mail_world: World) -> None:
    given = old(Date=None)
    report = mail_world.agent().send_message(given)
    (mail,) = mail_world.sandbox.mails
    assert "Date" not in given and "Message-ID" not in given
    assert mail.message["Date"].datetime is not None
    assert report.message_id and mail.message["Message-ID"] == f"<{report.message_id}>"
    assert report.message_id.endswith("@example.com")
    assert report.warnings == ()


SIGNED = (
    b'Content-Type: multipart/signed; protocol="application/pgp-signature"; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain; charset=utf-8\r\nSubject: " + b"x" * 90 + b"\r\n\r\nFrom me  \r\n"
    b"--b\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n--b--\r\n"
)


@pytest.mark.parametrize("policy", [email.policy.default, email.policy.SMTPUTF8, email.policy.compat32])
def test_what_is_signed_stays_and_goes_to_nobody_else(policy: Any) -> None:
    header = f'From: a@example.com\r\nTo: "{LURE}" <bob@good.example>\r\nMIME-Version: 1.0\r\n'.encode()
    octets = header + SIGNED
    taken = mapagent.Message.from_email(email.message_from_bytes(octets, policy=policy))
    assert taken.as_bytes() == octets
    assert taken.recipients == ("bob@good.example",)
    assert [warning for warning in taken.warnings if "no header field" in warning] == [
        "the message has no header field Date",
        "the message has no header field Message-ID",
    ]
    signature = b"DKIM-Signature: v=1; a=ed25519-sha256; d=example.com; s=s; h=from:to; bh=x; b=y\r\n"
    octets = signature + header + b"\r\nt  \r\n"
    taken = mapagent.Message.from_email(email.message_from_bytes(octets, policy=policy))
    assert (taken.as_bytes(), taken.recipients) == (octets, ("bob@good.example",))
    assert len(taken.warnings) == 2


def test_objects_under_a_signature_go_to_nobody_else() -> None:
    given = modern(To=Address(LURE, "bob", "good.example"))
    given["DKIM-Signature"] = "v=1; a=ed25519-sha256; d=example.com; s=s; h=from:to; bh=x; b=y"
    assert mapagent.Message.from_email(given).recipients == ("bob@good.example",)
    signed = MIMEMultipart("signed", protocol="application/pgp-signature")
    signed.attach(MIMEText("x"))
    signed.attach(MIMEApplication(b"y", "pgp-signature"))
    given = modern(To=Address(LURE, "bob", "good.example"))
    for name in ("MIME-Version", "Content-Type", "Content-Transfer-Encoding"):
        del given[name]
    given["Content-Type"] = str(signed["Content-Type"])
    given.set_payload(signed.get_payload())
    taken = mapagent.Message.from_email(given)
    assert taken.recipients == ("bob@good.example",)
    assert taken.to_email()["To"].addresses[0].addr_spec == "bob@good.example"
    assert given.get_boundary() is None
    outer = MIMEMultipart("mixed")
    outer.attach(signed)
    for whole in (given, old(outer)):
        (read,) = (
            part
            for part in mapagent.Message.from_email(whole).to_email().walk()
            if part.get_content_type() == "multipart/signed"
        )
        assert [part.get_content_type() for part in read.iter_parts()] == ["text/plain", "application/pgp-signature"]
        assert not read.defects
    assert signed.get_boundary() is None


def test_what_is_nested_without_an_end_is_refused() -> None:
    part: Message = MIMEText("x")
    for _ in range(3000):
        outer = MIMEMultipart("mixed")
        outer.attach(part)
        part = outer
    part["DKIM-Signature"] = "v=1; a=ed25519-sha256; d=example.com; s=s; h=from:to; bh=x; b=y"
    part["From"], part["To"] = "a@example.com", "b@example.net"
    with pytest.raises(ValueError, match="nested too deeply"):
        mapagent.Message.from_email(part)


def test_only_the_phrase_of_a_list_is_encoded() -> None:
    given = modern()
    given["List-Id"] = "Büro <l.x.example>"
    octets = mapagent.Message.from_email(given).as_bytes()
    assert b"<l.x.example>\r\n" in octets and b"=?utf-8?" in octets


def test_a_signed_part_stays_inside_another_message() -> None:
    outer = old(MIMEMultipart("mixed"))
    outer.attach(MIMEText("é", "plain", "utf-8"))
    outer.attach(email.message_from_bytes(SIGNED, policy=email.policy.default))
    assert SIGNED.removesuffix(b"\r\n") in mapagent.Message.from_email(outer).as_bytes()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: old(To="a\nBcc: mallory@evil.example"), "To has a line end"),
        (lambda: old(Subject="a\r\nBcc: mallory@evil.example"), "Subject has a line end"),
        (lambda: old(Subject="ä\nBcc: mallory@evil.example"), "Subject has a line end"),
        (lambda: old(X_Own="a\r\n\r\nbody"), "X-Own has a line end"),
        (lambda: old(To=None), "no recipient"),
        (lambda: modern(To=None), "no recipient"),
        (lambda: old(From=None), "no address in the header field From"),
        (lambda: parsed("To: bob@good.example, broken <\n\nt\n"), "To"),
        (lambda: modern(To="bob@good.example carol@good.example"), "To"),
        (lambda: modern(To="no address"), "To"),
        (lambda: old(To="no address"), "To"),
        (lambda: modern(To=Address("B", "bob", "good.example, mallory@evil.example")), "To"),
        (lambda: modern(To=Address("", "bob", "good.example>, <mallory@evil.example")), "To"),
        (lambda: modern(Reply_To="no address"), "Reply-To"),
        (lambda: old(Message_ID="x" * 1000), "Message-ID"),
        (lambda: old(Subject="a\0b"), "Subject"),
        (lambda: old(To="\ud800 <bob@good.example>"), "To"),
        (lambda: old(Resent_Date=DATE, Resent_From="a@example.com"), "no recipient"),
        (lambda: parsed(f"Resent-Date: {DATE}\nResent-Date: {DATE}\nTo: bob@good.example\n\n"), "several sets"),
    ],
)
def test_what_cannot_be_sent_is_a_value_error(make: Made, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        mapagent.Message.from_email(make())


def test_what_is_no_message_is_a_type_error() -> None:
    for given in (old(X_Own=7), Message()):
        if "From" not in given:
            given = old(given)
            given.set_payload(7)  # type: ignore[call-overload]
        with pytest.raises(TypeError):
            mapagent.Message.from_email(given)


def test_a_given_envelope_asks_for_nothing() -> None:
    given = modern(From="root", To="bob")
    taken = mapagent.Message.from_email(given, from_="a@example.com", to="b@good.example")
    assert (taken.envelope_from, taken.recipients) == ("a@example.com", ("b@good.example",))
    assert b"From: root\r\nTo: bob\r\n" in taken.as_bytes()
    assert taken.message_id is not None and taken.message_id.endswith("@example.com")


def test_nested_without_end() -> None:
    given = old(MIMEText("x"))
    for _ in range(300):
        outer = MIMEMultipart()
        outer.attach(given)
        given = outer
    with pytest.raises(ValueError, match="nested too deeply"):
        mapagent.Message.from_email(old(given))


def test_one_address_object_is_one_address() -> None:
    for address in (
        Address("", "bob", "good.example, mallory@evil.example"),
        Address("", "bob", "good.example>, <mallory@evil.example"),
        Address("Bob", "bob", "good.example>, <mallory@evil.example"),
    ):
        for given in (address, [address], modern(To=address)["To"]):
            with pytest.raises(ValueError, match="good.example"):
                mapagent.Message(from_="a@example.com", to=given, text="t")
        with pytest.raises(ValueError, match="good.example"):
            mapagent.Message(from_="a@example.com", sender=address, to="b@good.example", text="t")
    named = mapagent.Message(from_="a@example.com", to=modern(To=Address(LURE, "bob", "good.example"))["To"], text="t")
    assert named.recipients == ("bob@good.example",)
    assert bare(named.to_email()["To"].addresses[0].display_name) == bare(LURE)
