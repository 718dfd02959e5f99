"""What Python's `email` package sees in messages of any structure.

Standard input holds messages, each after its length (four octets, the most significant first). For each message one
line of JSON comes back: header fields, the tree of parts, and what the parser found wrong with it.
"""

import email
import email.header
import email.policy
import email.utils
import json
import struct
import sys
from collections.abc import Iterator
from email.message import MIMEPart
from typing import Any, BinaryIO


def frames(stream: BinaryIO) -> Iterator[bytes]:
    while head := stream.read(4):
        (length,) = struct.unpack("!I", head)
        frame = stream.read(length)
        if len(frame) != length:
            raise EOFError("a message is cut short")
        yield frame


class Utf8(email.policy.Policy):
    """Header fields may hold UTF-8 (RFC 6532), which the package's own policies write but do not read."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


class NewReader(Utf8, email.policy.EmailPolicy):
    pass


class OldReader(Utf8, email.policy.Compat32):
    pass


def decoded(text: str) -> str:
    """By the older decoder of the package, which many programs still use."""
    return str(email.header.make_header(email.header.decode_header(text)))


def unfolded(text: str) -> str:
    return text.replace("\r\n", "").replace("\n", "")


def addresses(message: MIMEPart, old: Any, name: str, found: list[str]) -> list[list[str]]:
    field = message[name]
    if field is None:
        return []
    seen = [
        [group.display_name or "", address.display_name, address.addr_spec]
        for group in field.groups
        for address in group.addresses
    ]
    older = email.utils.getaddresses([unfolded(old[name])])
    older = [(decoded(name), address) for name, address in older if address]
    if [address for _, address in older] != [address for _, _, address in seen]:
        found.append(f"{name}: the older parser reads {older}")
        return seen
    for entry, (display_name, _) in zip(seen, older):
        # The newer parser puts a blank between two encoded words of a name, against RFC 2047 section 6.2.
        if "".join(entry[1].split()) != "".join(display_name.split()):
            found.append(f"{name}: the older parser reads {display_name!r}")
        entry[1] = display_name
    return seen


def identifiers(value: Any) -> list[str]:
    return [word.strip("<>") for word in str(value or "").split()]


def header(message: MIMEPart, old: Any, found: list[str]) -> dict[str, Any]:
    if message["Date"].datetime is None or message["Date"].datetime.tzinfo is None:
        found.append(f"the date is {message['Date']}")
    if message["MIME-Version"] != "1.0":
        found.append("MIME-Version is missing")
    if message["Bcc"] is not None:
        found.append("there is a Bcc")
    fields = {
        "message_id": str(message["Message-ID"]).strip("<>"),
        "subject": message["Subject"],
        "references": identifiers(message["References"]),
        "in_reply_to": identifiers(message["In-Reply-To"]),
        "comments": message.get_all("Comments", []),
        "keywords": [word.strip() for word in str(message["Keywords"] or "").split(",") if word],
        "fields": message.get_all("X-Own", []),
    }
    for name in ("From", "Sender", "Reply-To", "To", "Cc"):
        fields[name.lower().replace("-", "_")] = addresses(message, old, name, found)
    return fields


def part(message: MIMEPart, old: Any, found: list[str]) -> dict[str, Any]:
    found += [repr(defect) for defect in message.defects]
    # Every look at a header parses it.
    fields = message.items()
    for name, value in fields:
        for defect in value.defects:
            # The form for old readers, which is against the letter of RFC 2047.
            if name == "Content-Type" and "encoded" in str(defect):
                continue
            # A control character in a name, as it was given.
            if type(defect).__name__ == "NonPrintableDefect":
                continue
            # Which RFC 6532 allows.
            if type(defect).__name__ == "NonASCIILocalPartDefect":
                continue
            found.append(f"{name}: {defect!r} in {value!r}")
    described = {name: value for name, value in fields if name.startswith("Content-")}
    content_type = described["Content-Type"]
    disposition = described.get("Content-Disposition")
    seen: dict[str, Any] = {
        "type": content_type.content_type,
        "disposition": disposition and disposition.content_disposition,
    }
    if content_type.maintype == "multipart":
        seen["parts"] = [part(*both, found) for both in zip(message.iter_parts(), old.get_payload())]
        return seen
    if content_type.content_type == "message/rfc822":
        seen["message"] = whole(message.get_content(), old.get_payload(0), found)
    elif content_type.maintype == "text":
        seen["text"] = message.get_content().replace("\r\n", "\n")
    else:
        octets = message.get_content()
        seen["octets"] = octets.hex()
        if old.get_payload(decode=True) != octets:
            found.append("the older parser reads other octets")
    if "message" in seen:
        return seen
    seen["name"] = message.get_filename()
    seen["id"] = described.get("Content-ID") and str(described["Content-ID"]).strip("<>")
    seen["description"] = described.get("Content-Description") and str(described["Content-Description"])
    older = old.get_filename()
    if older is not None and email.utils.collapse_rfc2231_value(older) != seen["name"]:
        found.append(f"the older parser reads the name {older!r}")
    # What a reader sees that knows no RFC 2231.
    if seen["name"] is not None:
        named = unfolded(dict(old.get_params(failobj=[])).get("name", ""))
        if decoded(named) != seen["name"]:
            found.append(f"an old reader reads the name {named!r}")
    return seen


def whole(message: MIMEPart, old: Any, found: list[str]) -> dict[str, Any]:
    return {**header(message, old, found), "body": part(message, old, found)}


def main() -> None:
    for octets in frames(sys.stdin.buffer):
        found: list[str] = []
        message: Any = email.message_from_bytes(octets, policy=NewReader())
        old = email.message_from_bytes(octets, policy=OldReader())
        seen = whole(message, old, found)
        print(json.dumps({"seen": seen, "found": found}))


main()
