"""Messages of Python's email package, in and out."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage, Message
from email.utils import getaddresses


def as_octets(message: Message) -> bytes:
    """The octets to send: 7 bit where they may be changed, in UTF-8 only where an address needs it."""
    if not isinstance(message, Message):
        raise TypeError(f"a message is a Message or an email.message.EmailMessage, not {type(message).__name__}")
    signed = _is_signed(message)
    # A signature is over the octets as they are.
    cte_type = message.policy.cte_type if signed else "7bit"
    # Not mangle_from_: that is for mailbox files.
    policy = message.policy.clone(linesep="\r\n", cte_type=cte_type, mangle_from_=False)
    # A signed field with a long line would be folded or encoded anew.
    if isinstance(policy, email.policy.EmailPolicy):
        refold = "none" if signed else policy.refold_source
        policy = policy.clone(refold_source=refold, utf8=policy.utf8 or _needs_utf8(message))
    elif signed:
        policy = policy.clone(max_line_length=None)
    return message.as_bytes(policy=policy)


def of_octets(octets: bytes) -> EmailMessage:
    """The message that octets are."""
    return email.message_from_bytes(octets, policy=email.policy.default)


def _is_signed(message: Message) -> bool:
    return "DKIM-Signature" in message or any(
        part.get_content_type() in {"multipart/signed", "multipart/encrypted"} for part in message.walk()
    )


def _needs_utf8(message: Message) -> bool:
    names = ("From", "Sender", "Reply-To", "To", "Cc", "Bcc")
    values = [str(value) for name in names for value in message.get_all(name, [])]
    return not all(address.rpartition("@")[0].isascii() for _, address in getaddresses(values))
