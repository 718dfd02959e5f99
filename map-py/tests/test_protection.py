"""What a report tells of TLS, of relays and of the proxy on the way."""

from __future__ import annotations

import json
import smtplib
import subprocess
import sys
from pathlib import Path
from typing import Any

import mapagent
import pytest

from conftest import World, WorldMaker

LONG = 60.0

SCRIPT = """
domain good.example
  mx 10 mx.good.example
host mx.good.example 127.0.0.2
  tls good

domain clear.example
  mx 10 mx.clear.example
host mx.clear.example 127.0.0.3

domain other.example
  mx 10 mx.other.example
host mx.other.example 127.0.0.4
  tls wrong-name

host relay.example 127.0.0.5
  tls good
  auth alice s3cret
  require auth

host implicit.example 127.0.0.6
  tls implicit good
  auth alice t0ken XOAUTH2
"""


@pytest.fixture
def mail_world(world: WorldMaker) -> World:
    return world(SCRIPT)


def send(mail_world: World, to: str, **settings: Any) -> mapagent.Report:
    settings = {"tls_roots": mail_world.sandbox.certificate_authority, "platform_roots": False, **settings}
    return mail_world.agent(**settings).send("cxw@apple.com", to, "test", "test content.")


def test_tls_where_it_is_offered(mail_world: World) -> None:
    report = send(mail_world, "bob@good.example")
    assert report.reply is mapagent.RE_SUCCESS
    assert (report.tls_policy, report.relayed) == (None, False)
    tls = report.tls
    assert tls is not None
    assert (tls.version, tls.verified, tls.problem) == ("TLSv1.3", "none", None)
    assert tls.cipher_suite.startswith("TLS_")
    assert repr(tls) == f"<mapagent.TlsSession TLSv1.3 {tls.cipher_suite} verified: none>"
    assert report.recipients[0].tls == report.attempts[0].tls == tls
    facts = {"version": "TLSv1.3", "cipher_suite": tls.cipher_suite, "verified": "none", "problem": None}
    assert tls.to_dict() == facts
    fields = report.to_dict()
    assert fields["tls"] == fields["attempts"][0]["tls"] == fields["recipients"][0]["tls"] == facts
    (mail,) = mail_world.sandbox.mails
    assert mail.tls is not None


def test_in_the_clear(mail_world: World) -> None:
    report = send(mail_world, "bob@clear.example")
    assert report.reply is mapagent.RE_SUCCESS
    assert (report.tls, report.tls_policy, report.relayed, report.port25) == (None, None, False, None)
    fields = report.to_dict()
    assert (fields["tls"], fields["tls_policy"], fields["relayed"], fields["port25"]) == (None, None, False, None)
    json.dumps(fields)


def test_tls_that_is_required(mail_world: World) -> None:
    report = send(mail_world, "bob@good.example", require_tls=True)
    assert report.reply is mapagent.RE_SUCCESS
    assert report.tls is not None and report.tls.verified == "pkix"
    assert report.tls_policy == report.attempts[0].tls_policy == "required"
    for to in ("bob@clear.example", "bob@other.example"):
        report = send(mail_world, to, require_tls=True)
        assert report.reply is mapagent.RE_SERVER_UNREACH
        assert (report.tls, report.tls_policy) == (None, "required")
        with pytest.raises(mapagent.InsecureError) as caught:
            report.raise_for_reply()
        assert isinstance(caught.value, smtplib.SMTPNotSupportedError)
    assert len(mail_world.sandbox.mails) == 1


def relay(mail_world: World, host: str = "relay.example", *rest: Any, **login: Any) -> mapagent.Relay:
    return mapagent.Relay(host, mail_world.sandbox.smtp_port, *rest, **login)


def test_a_relay(mail_world: World) -> None:
    for the_relay, host in [
        (relay(mail_world, user="alice", password="s3cret"), "relay.example"),
        (relay(mail_world, "implicit.example", "implicit", user="alice", token="t0ken"), "implicit.example"),
    ]:
        report = send(mail_world, "bob@elsewhere.example", relay=the_relay)
        assert report.reply is mapagent.RE_SUCCESS, report.advice
        assert (report.delivered, report.relayed, report.tls_policy) == ("unknown", True, "relay")
        assert report.host == host and "relay" in report.advice
        assert report.tls is not None and report.tls.verified == "pkix"
        assert report.recipients[0].relayed
    assert [(mail.host, mail.user) for mail in mail_world.sandbox.mails] == [
        ("relay.example", "alice"),
        ("implicit.example", "alice"),
    ]


def test_a_refused_log_in_is_smtplib_s(mail_world: World) -> None:
    report = send(mail_world, "bob@good.example", relay=relay(mail_world, user="alice", password="wrong"))
    assert (report.reply, report.code, report.stage) == (mapagent.RE_SERVICE_DENIED, 535, "auth")
    assert report.relayed is False
    with pytest.raises(mapagent.AuthenticationRefusedError) as caught:
        report.raise_for_reply()
    assert isinstance(caught.value, smtplib.SMTPAuthenticationError)
    assert caught.value.smtp_code == 535
    assert not mail_world.sandbox.mails


def test_the_roots_that_are_trusted(mail_world: World) -> None:
    the_relay = relay(mail_world, user="alice", password="s3cret")
    report = send(mail_world, "bob@good.example", relay=the_relay, tls_roots=None)
    assert report.reply is not mapagent.RE_SUCCESS
    assert report.stage == "tls"
    assert not mail_world.sandbox.mails


def test_the_command(mail_world: World, tmp_path: Path) -> None:
    roots = tmp_path / "ca.pem"
    roots.write_text(mail_world.sandbox.certificate_authority)
    command = [sys.executable, "-m", "mapagent", "send", *mail_world.options, f"--tls-roots={roots}", "--json"]
    command += ["--no-platform-roots"]
    fields = ["a@good.example", "b@good.example", "subject", "content"]
    for options, verified, policy in [
        ([], "none", None),
        (["--require-tls"], "pkix", "required"),
        (["--no-dane", "--no-mta-sts", "--timeout=tls=30", "--timeout=starttls=30"], "none", None),
    ]:
        done = subprocess.run([*command, *options, *fields], capture_output=True, timeout=LONG, check=False)
        report = json.loads(done.stdout)
        assert (done.returncode, report["tls"]["verified"], report["tls_policy"]) == (0, verified, policy), done.stderr


def test_the_command_by_a_relay(mail_world: World) -> None:
    """Without a secret, without TLS: a relay that is trusted as it is."""
    address = f"--relay=127.0.0.3:{mail_world.sandbox.smtp_port}"
    fields = ["a@good.example", "b@elsewhere.example", "subject", "content"]
    command = [sys.executable, "-m", "mapagent", "send", address, "--relay-security=clear", *fields]
    done = subprocess.run(command, capture_output=True, timeout=LONG, check=False)
    assert (done.returncode, done.stdout) == (0, b"RE_SUCCESS.\n"), done.stderr
    # A success that is not the end of the way is explained.
    assert done.stderr.startswith(b"mapagent: ") and b"relay" in done.stderr
