"""Replies as exceptions, for those who ask: `Report.raise_for_reply`.

Each is a `MapError`, and beside that what a program written for smtplib catches in its place.
"""

from __future__ import annotations

import smtplib
from typing import TYPE_CHECKING

from ._reply import Reply

if TYPE_CHECKING:
    from ._native import Report


class MapError(Exception):
    """A mail was not delivered, or nobody knows. `report` says everything."""

    report: Report

    def __init__(self, report: Report) -> None:
        # Not super(): next in line may be a class of smtplib, which asks for other arguments.
        Exception.__init__(self, report)
        self.report = report

    @property
    def reply(self) -> Reply:
        """The reply that was raised."""
        return self.report.reply

    def __str__(self) -> str:
        return f"{self.report.text} {self.report.advice}"


class FieldError(MapError, ValueError):
    """A field is empty, an address is no mailbox, or a field holds what no e-mail can carry."""


class DomainError(MapError, smtplib.SMTPException):
    """The recipient's domain takes no mail, or its DNS answers with a failure."""


class UnreachableError(MapError, smtplib.SMTPServerDisconnected, ConnectionError):
    """Nobody to talk to; nothing was delivered."""


class PortBlockedError(UnreachableError):
    """Outgoing port 25 is blocked here or by the provider."""


class InsecureError(UnreachableError, smtplib.SMTPNotSupportedError):
    """The protection that was demanded could not be had or proved: verified TLS, a log-in.

    The report's enhanced status code is X.7.Z.
    """


class RefusedError(MapError, smtplib.SMTPException):
    """The server refused, or gave a reply code that was not the expected one."""


class ConnectRefusedError(RefusedError, smtplib.SMTPConnectError):
    """The server's greeting was a refusal."""


class HelloRefusedError(RefusedError, smtplib.SMTPHeloError):
    """The server refused EHLO and HELO."""


class AuthenticationRefusedError(RefusedError, smtplib.SMTPAuthenticationError):
    """The relay refused the log-in."""


class SenderRefusedError(RefusedError, smtplib.SMTPSenderRefused):
    """The server refused the sender."""


class RecipientRefusedError(RefusedError, smtplib.SMTPRecipientsRefused):
    """The server refused the recipient."""


class ContentRefusedError(RefusedError, smtplib.SMTPDataError):
    """The server refused the content."""


class UncertainError(MapError, smtplib.SMTPException):
    """The mail may have been delivered: its final reply did not come. Sending again may deliver it twice.

    It is no ConnectionError, TimeoutError or SMTPServerDisconnected, because handlers of those try again.
    """


class CancelledError(MapError):
    """The caller cancelled before the mail was sent."""


class InternalError(MapError, RuntimeError):
    """A fault inside the library."""


class MisuseError(MapError, RuntimeError):
    """The interface was used wrongly."""


class PartlyDeliveredError(MapError):
    """Some recipients have the mail and the others do not, for certain. Send it again to the others only.

    It is no OSError, and so no exception of smtplib, because handlers of those send the whole again.
    """

    @property
    def recipients(self) -> dict[str, tuple[int, bytes]]:
        """Those who do not have it, with the reply of their server, as smtplib's sendmail returns them."""
        return _unserved(self.report)


class LocalError(MapError, OSError):
    """This machine or the caller's data failed: nothing left of a resource, a file or reader that cannot be read."""


class SendInterrupted(KeyboardInterrupt):
    """Ctrl-C during a send. `report` says whether the mail may have gone out before it."""

    report: Report

    def __init__(self, report: Report) -> None:
        super().__init__(report)
        self.report = report

    def __str__(self) -> str:
        return f"{self.report.text} {self.report.advice}"


_BY_REPLY: dict[Reply, type[MapError]] = {
    Reply.RE_NO_EMPTY: FieldError,
    Reply.RE_INVALID_FORMAT: FieldError,
    Reply.RE_DNS_FAIL: DomainError,
    Reply.RE_SERVER_UNREACH: UnreachableError,
    Reply.RE_PORT_BLOCKED: PortBlockedError,
    Reply.RE_UNCERTAIN: UncertainError,
    Reply.RE_CANCELLED: CancelledError,
    Reply.RE_INTERNAL: InternalError,
    Reply.RE_MISUSE: MisuseError,
    Reply.RE_PARTIAL: PartlyDeliveredError,
    Reply.RE_LOCAL: LocalError,
}

_RESPONSE_BY_STAGE: dict[str, type[RefusedError]] = {
    "greeting": ConnectRefusedError,
    "hello": HelloRefusedError,
    "auth": AuthenticationRefusedError,
    "mail": SenderRefusedError,
    "rcpt": RecipientRefusedError,
    "data": ContentRefusedError,
    "content": ContentRefusedError,
}


def error_for(report: Report) -> MapError:
    """The exception of a report that is not a success."""
    error = _BY_REPLY.get(report.reply)
    if error is UnreachableError and _is_about_security(report):
        return InsecureError(report)
    if error is not None:
        return error(report)
    refused = _RESPONSE_BY_STAGE.get(report.stage, RefusedError)(report)
    # The attributes that handlers of smtplib's exceptions read.
    code, message = report.code or 0, report.server_octets or b""
    if isinstance(refused, smtplib.SMTPResponseException):
        refused.smtp_code, refused.smtp_error = code, message
    if isinstance(refused, smtplib.SMTPSenderRefused):
        refused.sender = report.sender
    if isinstance(refused, smtplib.SMTPRecipientsRefused):
        refused.recipients = _unserved(report)
    return refused


def _unserved(report: Report) -> dict[str, tuple[int, bytes]]:
    return {
        one.recipient: (one.code or 0, one.server_octets or b"")
        for one in report.recipients
        if one.reply is not Reply.RE_SUCCESS
    }


def _is_about_security(report: Report) -> bool:
    # RFC 3463 section 3.8: security or policy status.
    return report.enhanced is not None and report.enhanced.split(".")[1] == "7"
