"""Bob's user agent: three ways to his mailbox, and what a mail tells of its own way."""

import email
import email.policy
import imaplib
import poplib
import re
import ssl
import time
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path


def parsed(octets: bytes) -> EmailMessage:
    return email.message_from_bytes(octets, policy=email.policy.default)


def in_maildir(path: str) -> Iterator[EmailMessage]:
    """The mailbox is a folder on this machine."""
    for folder in ("new", "cur"):
        for file in Path(path, folder).glob("*"):
            yield parsed(file.read_bytes())


def by_imap(host: str, port: int, user: str, password: str, tls: ssl.SSLContext) -> Iterator[EmailMessage]:
    """The mail stays on the server, and this is a look at it."""
    with imaplib.IMAP4_SSL(host, port, ssl_context=tls) as server:
        server.login(user, password)
        server.select("INBOX", readonly=True)
        _, (numbers,) = server.search(None, "ALL")
        for number in numbers.split():
            _, answers = server.fetch(number.decode(), "(BODY.PEEK[])")
            for answer in answers:
                if isinstance(answer, tuple):
                    yield parsed(answer[1])


def by_pop3(host: str, port: int, user: str, password: str, tls: ssl.SSLContext) -> Iterator[EmailMessage]:
    """The mail is fetched; who wants it off the server says `dele(number)`."""
    server = poplib.POP3_SSL(host, port, context=tls)
    try:
        server.user(user)
        server.pass_(password)
        count, _ = server.stat()
        for number in range(1, count + 1):
            _, lines, _ = server.retr(number)
            yield parsed(b"\r\n".join(lines) + b"\r\n")
    finally:
        server.quit()


def wait_for(message_id: str | None, look: Callable[[], Iterator[EmailMessage]]) -> EmailMessage:
    """Looks into the mailbox until the mail is there: a server may take its time between taking and delivering."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for message in look():
            if message["Message-ID"] == f"<{message_id}>":
                return message
        time.sleep(0.1)
    raise TimeoutError(f"{message_id} has not arrived")


def way(message: EmailMessage) -> str:
    """Every server that took the mail has put a `Received` field before the others (RFC 5321 section 4.4)."""
    steps = [re.search(r"from (\S+) .*\bby (\S+)", field, re.DOTALL) for field in message.get_all("Received", [])]
    hops = [step.groups() for step in reversed(steps) if step]
    return " -> ".join([hops[0][0], *(by for _, by in hops)])


def show(message: EmailMessage) -> None:
    body = message.get_body(("plain",))
    print("way:    ", way(message))
    print("from:   ", message["From"])
    print("subject:", message["Subject"])
    print("text:   ", body.get_content().strip() if body else None)
