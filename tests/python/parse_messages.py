"""What Python's `email` package sees in messages.

Standard input holds messages, each after its length (four octets, the most significant first). For each message the
same framing gives five texts back: From, To, Subject, the text, and what the parser found wrong with it.
"""

import email
import email.header
import email.policy
import email.utils
import re
import struct
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any, BinaryIO


def frames(stream: BinaryIO) -> Iterator[bytes]:
    while head := stream.read(4):
        (length,) = struct.unpack("!I", head)
        frame = stream.read(length)
        if len(frame) != length:
            raise EOFError("a message is cut short")
        yield frame


def defects(message: EmailMessage, octets: bytes) -> list[str]:
    found = [repr(defect) for defect in message.defects]
    for name, value in message.items():
        found += [f"{name}: {defect!r}" for defect in value.defects]
    expected = ["Date", "From", "To", "Subject", "Message-ID", "MIME-Version", "Content-Type"]
    if message.keys() != [*expected, "Content-Transfer-Encoding"]:
        found.append(f"the fields are {message.keys()}")
    if message["Date"].datetime is None or message["Date"].datetime.tzinfo is None:
        found.append(f"the date is {message['Date']}")
    if len(octets.split(b"\r\n\r\n", 1)) != 2:
        found.append("no empty line ends the header")
    if re.search(rb"\r(?!\n)|(?<!\r)\n", octets):
        found.append("there is a bare CR or LF")
    if re.search(rb"[^\t\r\n -~]", octets):
        found.append("there are octets that are not 7-bit text")
    if re.search(rb"[ \t]\r\n", octets):
        found.append("there are blanks before a line end")
    if max(map(len, octets.split(b"\r\n"))) > 998:
        found.append("there is a line of more than 998 octets")
    # The older decoder of the package, which many programs still use.
    old = email.message_from_bytes(octets, policy=email.policy.compat32)["Subject"].replace("\r\n", "")
    if str(email.header.make_header(email.header.decode_header(old))) != message["Subject"]:
        found.append(f"the older decoder reads another subject in {old!r}")
    return found


def address(field: Any) -> str:
    (one,) = field.addresses
    return str(one.addr_spec)


def main() -> None:
    for octets in frames(sys.stdin.buffer):
        message = email.message_from_bytes(octets, policy=email.policy.default)
        texts = [
            address(message["From"]),
            address(message["To"]),
            message["Subject"],
            message.get_content(),
            "\n".join(defects(message, octets)),
        ]
        for text in texts:
            encoded = text.encode("utf-8", "surrogateescape")
            sys.stdout.buffer.write(struct.pack("!I", len(encoded)) + encoded)
    sys.stdout.buffer.flush()


main()
