"""Deliver an e-mail straight to the recipient's own mail server, and learn exactly what happened.

    >>> import mapagent
    >>> mapagent.send("cxw@example.org", "bob", "test", "test content.")
    <Reply.RE_INVALID_FORMAT: 2>

A mail with more to it is a `Message`, which `send_message` and `Agent.send_message` take:

    >>> message = mapagent.Message(
    ...     from_="Anna <anna@example.com>",
    ...     to="Bob <bob@example.net>, carol@example.org",
    ...     subject="The report",
    ...     text="Please find it attached.",
    ...     attachments=[("report.txt", b"All is well.")],
    ... )
    >>> message.recipients
    ('bob@example.net', 'carol@example.org')

`send` answers with one reply of the Mail Agent Protocol; `send_report` and `Agent.send` with a report of all that is known.
"""

from collections.abc import Callable as _Callable

from ._errors import (
    AuthenticationRefusedError,
    CancelledError,
    ConnectRefusedError,
    ContentRefusedError,
    DomainError,
    FieldError,
    HelloRefusedError,
    InsecureError,
    InternalError,
    LocalError,
    MapError,
    MisuseError,
    PartlyDeliveredError,
    PortBlockedError,
    RecipientRefusedError,
    RefusedError,
    SenderRefusedError,
    SendInterrupted,
    UncertainError,
    UnreachableError,
)
from ._native import (
    PROGRESS_INTERVAL,
    Agent,
    Attempt,
    DkimSigner,
    Mailbox,
    Message,
    Outcome,
    Part,
    Port25Evidence,
    Progress,
    RecipientReport,
    Relay,
    Report,
    TlsSession,
    __version__,
    configure,
    send_message,
    send_report,
)
from ._reply import Reply

RE_SUCCESS = Reply.RE_SUCCESS
RE_NO_EMPTY = Reply.RE_NO_EMPTY
RE_INVALID_FORMAT = Reply.RE_INVALID_FORMAT
RE_DNS_FAIL = Reply.RE_DNS_FAIL
RE_SERVER_UNREACH = Reply.RE_SERVER_UNREACH
RE_PORT_BLOCKED = Reply.RE_PORT_BLOCKED
RE_BADREPLY = Reply.RE_BADREPLY
RE_SERVICE_DENIED = Reply.RE_SERVICE_DENIED
RE_UNCERTAIN = Reply.RE_UNCERTAIN
RE_CANCELLED = Reply.RE_CANCELLED
RE_INTERNAL = Reply.RE_INTERNAL
RE_MISUSE = Reply.RE_MISUSE
RE_PARTIAL = Reply.RE_PARTIAL
RE_LOCAL = Reply.RE_LOCAL

__all__ = [
    "PROGRESS_INTERVAL",
    "RE_BADREPLY",
    "RE_CANCELLED",
    "RE_DNS_FAIL",
    "RE_INTERNAL",
    "RE_INVALID_FORMAT",
    "RE_LOCAL",
    "RE_MISUSE",
    "RE_NO_EMPTY",
    "RE_PARTIAL",
    "RE_PORT_BLOCKED",
    "RE_SERVER_UNREACH",
    "RE_SERVICE_DENIED",
    "RE_SUCCESS",
    "RE_UNCERTAIN",
    "Agent",
    "Attempt",
    "AuthenticationRefusedError",
    "CancelledError",
    "ConnectRefusedError",
    "ContentRefusedError",
    "DkimSigner",
    "DomainError",
    "FieldError",
    "HelloRefusedError",
    "InsecureError",
    "InternalError",
    "LocalError",
    "Mailbox",
    "MapError",
    "Message",
    "MisuseError",
    "Outcome",
    "Part",
    "PartlyDeliveredError",
    "Port25Evidence",
    "PortBlockedError",
    "Progress",
    "RecipientRefusedError",
    "RecipientReport",
    "RefusedError",
    "Relay",
    "Reply",
    "Report",
    "SendInterrupted",
    "SenderRefusedError",
    "TlsSession",
    "UncertainError",
    "UnreachableError",
    "__version__",
    "configure",
    "send",
    "send_message",
    "send_report",
]


def send(
    from_: str,
    to: str,
    subject: str,
    content: str,
    *,
    progress: _Callable[[Progress], object] | None = None,
) -> Reply:
    """Send one mail and wait for its reply. It does not raise for what becomes of a mail.

    RE_SUCCESS is 0, and so is false: compare, `send(…) is mapagent.RE_SUCCESS`.

    progress is called with a Progress, at once and then every PROGRESS_INTERVAL seconds, whether that has changed or not.
    What it raises cancels the send at once, and has the report as its attribute.

    Ctrl-C cancels the send and raises SendInterrupted, a KeyboardInterrupt that carries the report.
    """
    return send_report(from_, to, subject, content, progress=progress).reply
