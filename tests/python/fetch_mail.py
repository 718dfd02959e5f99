"""Fetch a user's mail by IMAP and by POP3, over TLS.

    fetch_mail.py IMAP_ADDRESS POP3_ADDRESS AUTHORITY.PEM USER PASSWORD

Each protocol gives every mail, in the order of its own, in one session. Standard output has them, those of IMAP first,
each after its length (four octets, the most significant first); an empty one stands between the two protocols.
"""

import imaplib
import poplib
import ssl
import struct
import sys
from collections.abc import Iterator


def by_imap(address: str, tls: ssl.SSLContext, user: str, password: str) -> Iterator[bytes]:
    host, port = address.rsplit(":", 1)
    with imaplib.IMAP4_SSL(host, int(port), ssl_context=tls) as server:
        server.login(user, password)
        status, _ = server.select("INBOX", readonly=True)
        assert status == "OK", status
        status, answers = server.fetch("1:*", "(BODY.PEEK[])")
        assert status == "OK", status
        for answer in answers:
            # What stands between two mails is no pair.
            if isinstance(answer, tuple):
                yield answer[1]


def by_pop3(address: str, tls: ssl.SSLContext, user: str, password: str) -> Iterator[bytes]:
    host, port = address.rsplit(":", 1)
    server = poplib.POP3_SSL(host, int(port), context=tls)
    server.user(user)
    server.pass_(password)
    count, _ = server.stat()
    for number in range(1, count + 1):
        _, lines, _ = server.retr(number)
        yield b"".join(line + b"\r\n" for line in lines)
    server.quit()


def main(imap: str, pop3: str, authority: str, user: str, password: str) -> None:
    tls = ssl.create_default_context(cafile=authority)
    for mails in (by_imap(imap, tls, user, password), [b""], by_pop3(pop3, tls, user, password)):
        for mail in mails:
            sys.stdout.buffer.write(struct.pack("!I", len(mail)) + mail)


if __name__ == "__main__":
    main(*sys.argv[1:])
