"""Messages of Python's email package, in and out.

What a message says is read from its objects and written by the core, the way smtplib's send_message reads it. It is never read
back from what the package's generator prints: that drops quotation marks when it folds, and a name with an address in it becomes
an address.

Only what is signed is printed by the generator, since the signature is over what it prints.
"""

from __future__ import annotations

import copy
import email
import email.policy
import io
import re
import secrets
from collections.abc import Iterable
from email.errors import HeaderParseError
from email.generator import BytesGenerator
from email.header import Header, decode_header
from email.headerregistry import BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage, Message
from typing import Any, Literal

from ._native import HeaderWriter, Mailbox, parse_addresses, seven_bit

# The name of a group, or None for an address by itself; then names and addresses.
_Groups = list[tuple["str | None", list[tuple["str | None", str]]]]

_ADDRESSES = frozenset(
    [f"{begin}{name}" for begin in ("", "resent-") for name in ("from", "sender", "reply-to", "to", "cc", "bcc")]
)
# What programs read: it is never encoded.
_STRUCTURED = frozenset(
    [
        "archived-at",
        "authentication-results",
        "auto-submitted",
        "autocrypt",
        "content-id",
        "content-language",
        "content-location",
        "content-md5",
        "content-transfer-encoding",
        "date",
        "disposition-notification-to",
        "dkim-signature",
        "feedback-id",
        "in-reply-to",
        "message-id",
        "mime-version",
        "original-message-id",
        "received",
        "references",
        "resent-date",
        "resent-message-id",
        "return-path",
        "return-receipt-to",
    ]
)
_ENCODED = frozenset(["quoted-printable", "base64", "x-uuencode", "uuencode", "uue", "x-uue"])
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_LOCAL = re.compile(r"[0-9A-Za-z._-]+")
# Octets of a line, less those of the name of a field.
_LINE = 900
# Deeper than any program nests parts, and not so deep that going through them takes the stack.
_DEPTH = 100

_any_field = HeaderRegistry()
_text_field = HeaderRegistry(default_class=UnstructuredHeader, use_default_map=False)


def taken(message: Message, addressed: bool, sender: str | None) -> tuple[bytes, tuple[str, list[Mailbox]] | None]:
    """The octets to send, and the envelope unless it is said already, as its sender may be."""
    if not isinstance(message, Message):
        raise TypeError(f"a message is a Message or an email.message.EmailMessage, not {type(message).__name__}")
    envelope = None if addressed else _envelope(message)
    if "DKIM-Signature" in message:
        return _printed(message, _mailboxes(message)), envelope
    return _entity(message, 0, envelope[0] if envelope else _author(message) or sender), envelope


def of_octets(octets: bytes) -> EmailMessage:
    """The message that octets are."""
    return email.message_from_bytes(octets, policy=email.policy.default)


# Whom it goes to


def _envelope(message: Message) -> tuple[str, list[Mailbox]]:
    """As smtplib has it: the first field of each name, and those of Resent- if there is one Resent-Date."""
    resent = len(_fields(message, "Resent-Date"))
    if resent > 1:
        raise ValueError("the message has several sets of Resent- fields, and whom to send it to must be said")
    begin = "Resent-" if resent else ""
    senders = _addressed(message, begin + "Sender") or _addressed(message, begin + "From")
    if not senders:
        raise ValueError(f"there is no address in the header field {begin}From")
    return str(senders[0]), [
        mailbox for name in ("To", "Cc", "Bcc") for mailbox in _addressed(message, begin + name)
    ]


def _addressed(message: Message, name: str) -> list[Mailbox]:
    """Who stands in the first field of a name."""
    for value in _fields(message, name)[:1]:
        addresses = [address for _, members in _groups(message, name, value) for _, address in members]
        try:
            return [Mailbox(address) for address in addresses]
        except ValueError as error:
            raise ValueError(f"the header field {name} ({str(value).strip()!r}): {error}") from None
    return []


def _mailboxes(message: Message) -> list[Mailbox]:
    """Everybody who can be read in its header."""
    found = []
    for name in ("From", "Sender", "Reply-To", "To", "Cc", "Bcc"):
        try:
            found += _addressed(message, name)
        except ValueError:
            pass
    return found


def _fields(message: Message, name: str) -> list[Any]:
    return [value for known, value in message.raw_items() if known.lower() == name.lower()]


def _groups(message: Message, name: str, value: Any) -> _Groups:
    """The addresses in a field: those of its object where it has them, else those in its source."""
    if not isinstance(value, (BaseHeader, str)):
        return _parsed(name, _source(name, value))
    if not isinstance(value, BaseHeader):
        source = _unfolded(name, value)
        if not isinstance(message.policy, email.policy.EmailPolicy):
            return _parsed(name, source)
        value = _made(message.policy.header_factory, name, source)
        if not hasattr(value, "groups"):
            return _parsed(name, source)
    if not hasattr(value, "groups"):
        # A text that was decoded: what was a name in it cannot be told from an address.
        raise ValueError(f"the header field {name} is an object that does not say which addresses it holds")
    if any("invalid address" in str(defect) for defect in value.defects):
        # Its object has lost it.
        raise ValueError(f"the header field {name} holds something that is no address")
    return [
        (group.display_name, [(address.display_name or None, address.addr_spec) for address in group.addresses])
        for group in value.groups
    ]


def _parsed(name: str, source: str) -> _Groups:
    try:
        groups = parse_addresses(source)
    except ValueError as error:
        raise ValueError(f"the header field {name}: {error}") from None
    return [
        (group and _decoded(group), [(name and _decoded(name), address) for name, address in members])
        for group, members in groups
    ]


def _source(name: str, header: Any) -> str:
    """The text of a Header that was made of one, else its ASCII with what is to be encoded between quotation marks."""
    if not isinstance(header, Header):
        raise TypeError(f"the header field {name} is a str or a Header, not {type(header).__name__}")
    chunks = decode_header(header)
    if len(chunks) == 1:
        return _unfolded(name, str(header))
    pieces = []
    for octets, charset in chunks:
        text = _text(octets, charset)
        if charset is None or charset.lower() == "us-ascii":
            pieces.append(text)
        else:
            quoted = text.replace("\\", "\\\\").replace('"', '\\"')
            pieces.append(f'"{quoted}"')
    return _unfolded(name, " ".join(pieces))


def _text(octets: bytes | str, charset: str | None) -> str:
    if isinstance(octets, str):
        return octets
    try:
        return octets.decode(charset or "ascii", "replace")
    except LookupError:
        return octets.decode("utf-8", "replace")


def _decoded(text: str) -> str:
    """What encoded words say."""
    return str(_made(_text_field, "X", text)) if "=?" in text else text


def _made(factory: Any, name: str, source: str) -> Any:
    try:
        return factory(name, source)
    except (HeaderParseError, LookupError, ValueError, AttributeError, TypeError) as error:
        # Parsers of the email package fail in many ways.
        raise ValueError(f"the header field {name} cannot be read: {error}") from None


def _unfolded(name: str, text: str) -> str:
    """A source in one line; octets that stand in it are taken for UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        try:
            text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        except UnicodeEncodeError:
            raise ValueError(f"the header field {name} holds a lone surrogate, which is no character") from None
    lines = re.split(r"\r\n|\r|\n", text.rstrip("\r\n"))
    if not all(line.startswith((" ", "\t")) for line in lines[1:]):
        raise ValueError(f"the header field {name} has a line end in it, behind which another field would begin")
    return "".join(lines)


# What is sent


def _entity(part: Message, depth: int, author: str | None = None) -> bytes:
    """A message or a part of one: header, empty line and body."""
    if depth > _DEPTH:
        raise ValueError("the parts are nested too deeply")
    signed = part.get_content_type() in ("multipart/signed", "multipart/encrypted")
    described = dict[str, Any]()
    if signed:
        # A copy has the boundary that its body was printed with.
        part = _with_boundaries(part)
        _, _, body = _printed(part, []).partition(b"\r\n\r\n")
    else:
        body = _body(part, depth, described)
    if depth == 0 and not body.endswith(b"\n"):
        body += b"\r\n"
    header = HeaderWriter(of_another=signed or depth > 0)
    seen = set()
    for name, value in part.raw_items():
        seen.add(name.lower())
        _describe(header, part, name, value, described)
    for name in described:
        if name.lower() not in seen:
            _describe(header, part, name, "", described)
    if depth == 0 and not signed:
        if described and "mime-version" not in seen:
            header.structured("MIME-Version", "1.0")
        if "date" not in seen:
            header.date()
        if "message-id" not in seen and author is not None:
            header.message_id(author)
    return header.octets() + b"\r\n" + body


def _author(message: Message) -> str | None:
    for name in ("Sender", "From"):
        try:
            for mailbox in _addressed(message, name):
                return str(mailbox)
        except ValueError:
            pass
    return None


def _describe(header: HeaderWriter, part: Message, name: str, value: Any, described: dict[str, Any]) -> None:
    """Writes a field, or what is to stand in place of it."""
    if name.lower() == "content-transfer-encoding" and "Content-Transfer-Encoding" in described:
        header.structured(name, described["Content-Transfer-Encoding"])
    elif name.lower() == "content-type" and "Content-Type" in described:
        parameters = _parameters(part, value)
        parameters.update(described["Content-Type"])
        header.parameters(name, part.get_content_type(), list(parameters.items()))
    else:
        _write(header, part, name, value)


def _parameters(part: Message, value: Any) -> dict[str, str]:
    if not hasattr(value, "params"):
        if not isinstance(value, str):
            value = _source("Content-Type", value)
        value = _made(_any_field, "Content-Type", _unfolded("Content-Type", value))
    return dict(value.params)


def _write(header: HeaderWriter, part: Message, name: str, value: Any) -> None:
    """Writes a field by what its object says, or by its source."""
    kind = name.lower()
    if not isinstance(value, (BaseHeader, Header, str)):
        raise TypeError(f"the header field {name} is a str or a Header, not {type(value).__name__}")
    if _is_source(value):
        header.source(name, str(value))
    elif kind in _ADDRESSES:
        _write_addresses(header, part, name, value)
    elif hasattr(value, "params"):
        _write_parameters(header, name, value)
    elif isinstance(value, (BaseHeader, Header)):
        _write_text(header, name, str(value))
    elif kind in ("content-type", "content-disposition"):
        _write_parameters(header, name, _made(_any_field, name, _unfolded(name, value)))
    elif kind in _STRUCTURED and value.isascii():
        header.source(name, str(value))
    else:
        _write_text(header, name, str(_made(_text_field, name, _unfolded(name, value))))


def _is_source(value: Any) -> bool:
    """Whether a field is its text as it stands in a message, in lines that can be made short enough."""
    if isinstance(value, BaseHeader) or not isinstance(value, str) or not value.isascii():
        return False
    return len(value) <= _LINE or max(map(len, value.split()), default=0) <= _LINE


def _write_text(header: HeaderWriter, name: str, text: str) -> None:
    if name.lower() in _STRUCTURED or name.lower().startswith(("list-", "arc-")):
        try:
            header.structured(name, text)
            return
        except ValueError:
            if text.isascii():
                raise
    header.text(name, text)


def _write_parameters(header: HeaderWriter, name: str, value: Any) -> None:
    said = getattr(value, "content_type", None) or getattr(value, "content_disposition", None)
    if said is None:
        _write_text(header, name, str(value))
    else:
        header.parameters(name, said, list(value.params.items()))


def _write_addresses(header: HeaderWriter, part: Message, name: str, value: Any) -> None:
    groups = _groups(part, name, value)
    try:
        header.addresses(name, groups)
    except ValueError as error:
        # Names of this machine alone, such as root, for whoever gives the envelope.
        addresses = [address for _, members in groups for _, address in members]
        if not isinstance(value, BaseHeader) or not all(map(_LOCAL.fullmatch, addresses)):
            raise ValueError(f"the header field {name}: {error}") from None
        header.structured(name, str(value))


# Bodies


def _body(part: Message, depth: int, described: dict[str, Any]) -> bytes:
    """A body of 7-bit lines, and what its header must say of it."""
    payload = part._payload  # type: ignore[attr-defined]  # get_payload() decodes octets, not always as they were.
    main, sub = part.get_content_maintype(), part.get_content_subtype()
    if not isinstance(payload, list):
        return _leaf(part, payload, described)
    if main == "multipart":
        body = _multipart(part, payload, depth, described)
    elif main == "message" and sub == "delivery-status":
        # Blocks of fields with an empty line between them, and none after the last.
        body = b"\r\n".join(_entity(block, depth + 1).removesuffix(b"\r\n") for block in payload)
    elif main == "message" and len(payload) == 1:
        body = _entity(payload[0], depth + 1)
    else:
        raise ValueError(f"a part is of the type {part.get_content_type()}, and has {len(payload)} parts in it")
    encoding = _transfer_encoding(part)
    if not body.isascii() and encoding not in ("8bit", "binary"):
        described["Content-Transfer-Encoding"] = "8bit"
    elif body.isascii() and encoding in ("8bit", "binary"):
        described["Content-Transfer-Encoding"] = "7bit"
    return body


def _multipart(part: Message, parts: Iterable[Message], depth: int, described: dict[str, Any]) -> bytes:
    written = [_entity(inner, depth + 1) for inner in parts]
    given = part.get_boundary()
    boundary = given
    while boundary is None or not _BOUNDARY.fullmatch(boundary) or _stands_in(boundary, written):
        boundary = "=_" + secrets.token_hex(16)
    if boundary != given:
        described["Content-Type"] = {"boundary": boundary}
    line = b"--" + boundary.encode()
    # What stands around the parts is shown by no reader.
    preamble, epilogue = _around(part.preamble), _around(part.epilogue)
    begin = b"" if preamble is None else preamble + b"\r\n"
    inside = (b"\r\n" + line + b"\r\n").join(written)
    return begin + line + b"\r\n" + inside + b"\r\n" + line + b"--\r\n" + (epilogue or b"")


def _stands_in(boundary: str, parts: list[bytes]) -> bool:
    line = b"\r\n--" + boundary.encode()
    return any(line in b"\r\n" + part for part in parts)


def _around(text: str | None) -> bytes | None:
    if text is None or not text.isascii():
        return None
    encoding, octets = seven_bit(text.encode(), "lines")
    return octets if encoding == "7bit" else None


def _leaf(part: Message, payload: Any, described: dict[str, Any]) -> bytes:
    declared = _transfer_encoding(part)
    text = part.get_content_maintype() == "text"
    kind: Literal["data", "lines", "text"]
    kind = "text" if text and not _is_wide(part) else "data" if text or declared == "binary" else "lines"
    if declared in _ENCODED:
        if isinstance(payload, str) and payload.isascii():
            encoding, octets = seven_bit(payload.encode(), "text")
            if encoding == "7bit":
                return octets
        decoded = part.get_payload(decode=True)
        if not isinstance(decoded, bytes):
            raise TypeError(f"a body is str or bytes, not {type(payload).__name__}")
        kind = "text" if kind == "text" and declared == "quoted-printable" else "data"
        encoding, octets = seven_bit(decoded, kind)
    else:
        encoding, octets = seven_bit(_octets(part, payload, described), kind)
    if encoding != "7bit" or declared in ("8bit", "binary"):
        described["Content-Transfer-Encoding"] = encoding
    return octets


def _octets(part: Message, payload: Any, described: dict[str, Any]) -> bytes:
    """The octets that a payload stands for."""
    if payload is None:
        return b""
    if isinstance(payload, (bytes, bytearray)):
        return bytes(payload)
    if not isinstance(payload, str):
        raise TypeError(f"a body is str or bytes, not {type(payload).__name__}")
    try:
        return payload.encode("ascii", "surrogateescape")
    except UnicodeEncodeError:
        pass
    charset = part.get_content_charset()
    if charset:
        try:
            return payload.encode(charset)
        except (LookupError, UnicodeEncodeError):
            pass
    described["Content-Type"] = {"charset": "utf-8"}
    return payload.encode("utf-8", "surrogateescape")


def _is_wide(part: Message) -> bool:
    """Whether its characters have several octets each, so that no octet of it is a line end."""
    return (part.get_content_charset() or "").startswith(("utf-16", "utf16", "utf-32", "utf32", "ucs"))


def _transfer_encoding(part: Message) -> str:
    values = _fields(part, "Content-Transfer-Encoding")
    return str(getattr(values[0], "cte", values[0])).strip().lower() if values else ""


def _with_boundaries(message: Message) -> Message:
    """The message, or a copy of it in which every multipart has a boundary."""
    _check_depth(message)
    if all(not part.is_multipart() or part.get_boundary() is not None for part in message.walk()):
        return message
    # The generator would write them into the caller's message.
    message = copy.deepcopy(message)
    BytesGenerator(io.BytesIO(), mangle_from_=False, policy=message.policy).flatten(message)
    return message


def _check_depth(message: Message) -> None:
    """Refuses what the email package could only walk through by recursion without an end."""
    level, depth = [message], 0
    while level:
        if depth > _DEPTH:
            raise ValueError("the parts are nested too deeply")
        lists = (part.get_payload() for part in level if part.is_multipart())
        level = [part for parts in lists if isinstance(parts, list) for part in parts if isinstance(part, Message)]
        depth += 1


def _printed(message: Message, mailboxes: Iterable[Mailbox]) -> bytes:
    """What the generator prints, for a signature that is over it."""
    message = _with_boundaries(message)
    # Not mangle_from_: that is for mailbox files.
    policy = message.policy.clone(linesep="\r\n", mangle_from_=False)
    # A signed field with a long line would be folded or encoded anew.
    if isinstance(policy, email.policy.EmailPolicy):
        utf8 = policy.utf8 or not all(mailbox.local_part.isascii() for mailbox in mailboxes)
        policy = policy.clone(refold_source="none", utf8=utf8)
    else:
        policy = policy.clone(max_line_length=None)
    octets = io.BytesIO()
    # Not as_bytes(), which subclasses have with other arguments.
    BytesGenerator(octets, mangle_from_=False, policy=policy).flatten(message)
    return octets.getvalue()
