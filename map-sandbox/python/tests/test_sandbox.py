"""The sandbox as Python programs use it."""

from __future__ import annotations

import base64
import http.client
import os
import pathlib
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

import mapagent_sandbox
from mapagent_sandbox import EXAMPLE_WORLD, Mail, Sandbox, WorldError

WORLD = """
host mx.example.com 127.0.0.2
  on rcpt nobody@example.com reply 550 5.1.1 No such user
"""


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(WORLD) as sandbox:
        yield sandbox


def send(sandbox: Sandbox, to: str = "bob@example.com", content: bytes = b"Subject: x\r\n\r\n.\xff\r\n") -> None:
    with smtplib.SMTP("127.0.0.2", sandbox.smtp_port, "client.example") as client:
        client.sendmail("a@example.org", [to], content)


def test_a_mail_arrives(sandbox: Sandbox) -> None:
    send(sandbox)
    (mail,) = sandbox.wait_for_mails(1)
    assert (mail.host, mail.hello, mail.reverse_path) == ("mx.example.com", "client.example", "a@example.org")
    assert mail.forward_paths == ["bob@example.com"]
    assert mail.content == b"Subject: x\r\n\r\n.\xff\r\n"
    assert mail.message["Subject"] == "x"
    assert sandbox.mails == [mail]
    assert mail != "mail"


def test_a_session_is_recorded(sandbox: Sandbox) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(sandbox, "nobody@example.com")
    send(sandbox)
    refused, taken = sandbox.wait_for_quiet()
    assert (refused.contents_complete, refused.contents_accepted, refused.closed) == (0, 0, True)
    assert (taken.contents_complete, taken.contents_accepted, taken.sent_ahead) == (1, 1, 0)
    assert (taken.host, taken.address) == ("mx.example.com", "127.0.0.2")
    assert taken.received.startswith(b"ehlo client.example\r\n")
    assert b"\r\n550 5.1.1 No such user\r\n" in refused.sent
    assert refused != taken
    sandbox.clear()
    assert not sandbox.mails
    assert not sandbox.sessions


def trusting(sandbox: Sandbox) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=sandbox.certificate_authority)


def login(sandbox: Sandbox, secret: str) -> smtplib.SMTP:
    client = smtplib.SMTP("127.0.0.2", sandbox.smtp_port, "client.example")
    client._host = "mx.example.com"  # type: ignore[attr-defined]  # the name that starttls verifies
    try:
        client.starttls(context=trusting(sandbox))
        client.login("ann", secret)
    except BaseException:
        client.close()
        raise
    return client


def test_a_mail_arrives_over_tls_from_who_logged_in() -> None:
    with Sandbox("host mx.example.com 127.0.0.2\n tls good\n auth ann s3cret\n require auth") as sandbox:
        with login(sandbox, "s3cret") as client:
            client.sendmail("a@example.org", ["bob@example.com"], b"x\r\n")
        (mail,) = sandbox.wait_for_mails(1)
        assert (mail.tls, mail.user) == ("TLSv1.3", "ann")
        (session,) = sandbox.wait_for_quiet()
        assert (session.tls, session.tls_error, session.server_name) == ("TLSv1.3", None, "mx.example.com")
        assert session.received_in_clear == b"ehlo client.example\r\nSTARTTLS\r\n"
        assert not session.mail_in_clear
        assert session.wire_received > len(session.received)
        assert session.wire_sent > len(session.sent)
        assert isinstance(session.close_notify, bool)
        (authentication,) = session.authentications
        assert (authentication.mechanism, authentication.user) == ("PLAIN", "ann")
        assert (authentication.in_clear, authentication.accepted) == (False, True)
        assert repr(authentication) == "<Authentication mechanism='PLAIN' user='ann' accepted>"

        sandbox.clear()
        with pytest.raises(smtplib.SMTPAuthenticationError):
            login(sandbox, "wrong")
        (session,) = sandbox.wait_for_quiet()
        assert [each.mechanism for each in session.authentications] == ["PLAIN", "LOGIN"]
        assert authentication not in session.authentications


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("expired", "certificate has expired"),
        ("self-signed", "self-signed certificate"),
        ("untrusted", "self-signed certificate in certificate chain"),
        ("wrong-name", "certificate is not valid for 'mx.example.com'"),
    ],
)
def test_a_certificate_is_bad_in_the_way_asked_for(line: str, reason: str) -> None:
    with Sandbox(f"host mx.example.com 127.0.0.2\n tls {line}") as sandbox:
        with pytest.raises(ssl.SSLCertVerificationError, match=reason):
            login(sandbox, "s3cret")
        (session,) = sandbox.wait_for_quiet()
        assert session.tls is None
        assert session.tls_error is not None
        assert not session.mail_in_clear


def test_a_policy_is_served() -> None:
    with Sandbox("domain example.com\n mta-sts enforce mx mx.example.com") as sandbox:
        client = http.client.HTTPSConnection("127.0.0.1", sandbox.https_port, context=trusting(sandbox))
        plain = socket.create_connection(("127.0.0.1", sandbox.https_port))
        client.sock = trusting(sandbox).wrap_socket(plain, server_hostname="mta-sts.example.com")
        client.request("GET", "/.well-known/mta-sts.txt", headers={"Host": "mta-sts.example.com"})
        with client.getresponse() as answer:
            policy = answer.read()
        client.close()
        assert policy == b"version: STSv1\r\nmode: enforce\r\nmx: mx.example.com\r\nmax_age: 86400\r\n"
        (fetch,) = sandbox.policy_fetches
        assert (fetch.host, fetch.path, fetch.status) == ("mta-sts.example.com", "/.well-known/mta-sts.txt", 200)
        assert repr(fetch) == "<PolicyFetch host='mta-sts.example.com' path='/.well-known/mta-sts.txt' status=200>"


def test_the_example_world_is_the_default() -> None:
    with Sandbox() as sandbox:
        send(sandbox)
        assert sandbox.mails[0].host == "mx.example.com"
        assert sandbox.dns_server.startswith("127.0.0.1:")
    assert "domain example.com" in EXAMPLE_WORLD


def test_the_dns_answers(sandbox: Sandbox) -> None:
    query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x02mx\x07example\x03com\x00\x00\x01\x00\x01"
    host, port = sandbox.dns_server.split(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(10)
        client.sendto(query, (host, int(port)))
        assert client.recv(512).endswith(b"\x7f\x00\x00\x02")


def test_a_signed_world_has_an_anchor() -> None:
    # The keys of the root, with the DO bit.
    query = (
        b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x00\x00\x30\x00\x01"
        b"\x00\x00\x29\x10\x00\x00\x00\x80\x00\x00\x00"
    )
    for world, signed in [("domain a.example\n signed", True), ("domain a.example", False)]:
        with Sandbox(world) as sandbox, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            owner, ttl, _, record_type, flags, protocol, algorithm, key = sandbox.trust_anchor.split()
            assert (owner, ttl, record_type, flags, protocol, algorithm) == (".", "0", "DNSKEY", "257", "3", "13")
            client.settimeout(10)
            host, port = sandbox.dns_server.split(":")
            client.sendto(query, (host, int(port)))
            assert (base64.b64decode(key) in client.recv(4096)) is signed


def test_a_script_that_cannot_be_read() -> None:
    with pytest.raises(WorldError, match=r"^line 2: a host knows no `mx`$") as raised:
        Sandbox("host a 127.0.0.2\nmx 10 b")
    assert raised.value.line == 2
    assert isinstance(raised.value, ValueError)


def test_another_world_at_the_same_ports(sandbox: Sandbox) -> None:
    port = sandbox.smtp_port
    sandbox.set_world("host b 127.0.0.2\n on greeting reply 554 No")
    assert sandbox.smtp_port == port
    with pytest.raises(smtplib.SMTPConnectError):
        send(sandbox)
    with pytest.raises(WorldError):
        sandbox.set_world("nonsense")


def test_close_keeps_what_was_recorded(sandbox: Sandbox) -> None:
    send(sandbox)
    sandbox.close()
    sandbox.close()
    assert len(sandbox.mails) == 1
    assert len(sandbox.wait_for_mails(2, timeout=None)) == 1
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", sandbox.smtp_port))
    with pytest.raises(OSError, match="not running"):
        sandbox.set_world("")


def test_waiting_lets_other_threads_run(sandbox: Sandbox) -> None:
    found: list[list[Mail]] = []
    waiting = threading.Thread(target=lambda: found.append(sandbox.wait_for_mails(1, timeout=30)))
    waiting.start()
    send(sandbox)
    waiting.join(30)
    assert [len(mails) for mails in found] == [1]


def test_waiting_ends_with_its_time(sandbox: Sandbox) -> None:
    start = time.monotonic()
    assert sandbox.wait_for_mails(1, timeout=0.05) == []
    assert 0.05 <= time.monotonic() - start < 5
    for wrong in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="timeout"):
            sandbox.wait_for_mails(1, timeout=wrong)


def test_waiting_is_interrupted_by_ctrl_c() -> None:
    program = (
        "import signal, mapagent_sandbox as m\n"
        # Ignored from the start where a shell runs the tests in the background.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "s = m.Sandbox('')\n"
        "try:\n"
        "    print('waits', flush=True)\n"
        "    s.wait_for_mails(1, timeout=None)\n"
        "except KeyboardInterrupt: print('interrupted')\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "waits\n"
        child.send_signal(signal.SIGINT)
        assert child.communicate(timeout=30)[0] == "interrupted\n"
    assert child.returncode == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_ends_and_leaves_the_world_alone() -> None:
    program = (
        "import os, mapagent_sandbox as m\n"
        "s = m.Sandbox('')\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    s.close()\n"
        "    try: s.set_world('')\n"
        "    except OSError: os._exit(7)\n"
        "    os._exit(1)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "s.set_world('')\n"
    )
    # Python 3.12 warns of every fork beside a thread.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program]
    child = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (child.stdout, child.stderr, child.returncode) == ("7\n", "", 0)


def test_what_is_shown_is_short_and_on_one_line(sandbox: Sandbox) -> None:
    send(sandbox)
    (mail,) = sandbox.mails
    assert repr(sandbox) == f"Sandbox(dns_server='{sandbox.dns_server}', smtp_port={sandbox.smtp_port})"
    assert repr(mail) == (
        "<Mail host='mx.example.com' reverse_path='a@example.org' forward_paths=['bob@example.com'] "
        "content of 18 octets>"
    )
    (session,) = sandbox.wait_for_quiet()
    assert repr(session).startswith("<Session host='mx.example.com' closed, ")


def test_what_came_from_a_client_is_escaped(sandbox: Sandbox) -> None:
    with socket.create_connection(("127.0.0.2", sandbox.smtp_port)) as client:
        client.sendall(b"HELO c\r\nMAIL FROM:<\"'\xc2\x9b\"@b.example>\r\n")
        client.sendall(b"MAIL FROM:<>\r\nRCPT TO:<\"'a\"@b.example>\r\nDATA\r\n.\r\n")
        (mail,) = sandbox.wait_for_mails(1)
    assert repr(mail.forward_paths[0]) in repr(mail)
    assert repr(mail).isprintable()


def test_the_names_that_are_promised() -> None:
    names = {"EXAMPLE_WORLD", "Authentication", "Mail", "PolicyFetch", "Sandbox", "Session", "WorldError", "__version__"}
    assert set(mapagent_sandbox.__all__) == names
    assert pathlib.Path(mapagent_sandbox.__file__).with_name("py.typed").exists()
    assert mapagent_sandbox.__version__.count(".") == 2
