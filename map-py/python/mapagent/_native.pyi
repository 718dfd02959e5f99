"""The Rust half of `mapagent`; import that instead."""

import email.message as _email_message
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from email.headerregistry import Address
from types import TracebackType
from typing import Any, Final, Literal, NoReturn, Protocol, final, type_check_only
from typing_extensions import Self, TypeAlias, disjoint_base

from ._reply import Reply

__all__ = [
    "PROGRESS_INTERVAL",
    "Agent",
    "Attempt",
    "DkimSigner",
    "HeaderWriter",
    "Mailbox",
    "Message",
    "Outcome",
    "Part",
    "Port25Evidence",
    "Progress",
    "RecipientReport",
    "Relay",
    "Report",
    "StreamSession",
    "TlsSession",
    "__version__",
    "configure",
    "named",
    "one_line",
    "parse_addresses",
    "replies",
    "restore_default",
    "saved_default",
    "send_message",
    "send_report",
    "seven_bit",
]

PROGRESS_INTERVAL: Final[float]
__version__: Final[str]

_Stage = Literal["check", "route", "connect", "greeting", "hello", "tls", "auth", "mail", "rcpt", "data", "content"]
_Security = Literal["starttls", "implicit", "opportunistic", "clear"]
_TlsPolicy = Literal["dane", "mta-sts", "relay", "required"]

_Address: TypeAlias = str | Mailbox | Address
_Addresses: TypeAlias = _Address | Iterable[_Address]
_Attachment: TypeAlias = Part | str | os.PathLike[str] | tuple[str, bytes | bytearray]
_BlindCopies = Literal["refuse", "remove", "keep"]
_BodyType = Literal["7bit", "8bit", "binary"]
_Chunking = Literal["auto", "avoid", "prefer"]
_Disposition = Literal["inline", "attachment"]
# A Mapping is invariant in its keys.
_OriginalRecipients: TypeAlias = Mapping[str, str] | Mapping[Mailbox, str] | Mapping[str | Mailbox, str]
_Ret = Literal["full", "headers"]
_TransferEncoding = Literal["7bit", "8bit", "binary", "quoted-printable", "base64"]

_Groups: TypeAlias = list[tuple[str | None, list[tuple[str | None, str]]]]

@type_check_only
class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...

@type_check_only
class _Writable(Protocol):
    def write(self, data: bytes, /) -> object: ...

def named(text: str) -> str: ...
def one_line(text: str) -> str: ...
def replies() -> list[tuple[str, int]]: ...
def parse_addresses(text: str) -> _Groups: ...
def seven_bit(octets: bytes, kind: Literal["data", "lines", "text"]) -> tuple[_TransferEncoding, bytes]: ...
def send_message(
    message: Message | _email_message.Message, *, progress: Callable[[Progress], object] | None = None
) -> Report: ...
def send_report(
    from_: str,
    to: str,
    subject: str,
    content: str,
    *,
    progress: Callable[[Progress], object] | None = None,
) -> Report: ...
def configure(
    *,
    dns_servers: Sequence[str] | None = None,
    dns_trust_anchor: str | None = None,
    smtp_port: int = 25,
    hello_name: str | None = None,
    source_address: str | Sequence[str] | None = None,
    proxy: str | None = None,
    relay: Relay | None = None,
    dkim_signers: Sequence[DkimSigner] | None = None,
    chunking: _Chunking = "auto",
    allow_loopback: bool = False,
    public_only: bool = False,
    require_mx: bool = False,
    require_tls: bool = False,
    dane: bool = True,
    mta_sts: bool = True,
    tls_roots: str | None = None,
    platform_roots: bool = True,
    https_port: int = 443,
    deadline: float | None = None,
    timeouts: Mapping[str, float] | None = None,
    port25_check: bool = True,
    port25_probe_hosts: Mapping[str, Sequence[str]] | None = None,
) -> None: ...
def saved_default() -> Agent: ...
def restore_default(saved: Agent) -> None: ...
@final
class Agent:
    def __new__(
        cls,
        *,
        dns_servers: Sequence[str] | None = None,
        dns_trust_anchor: str | None = None,
        smtp_port: int = 25,
        hello_name: str | None = None,
        source_address: str | Sequence[str] | None = None,
        proxy: str | None = None,
        relay: Relay | None = None,
        dkim_signers: Sequence[DkimSigner] | None = None,
        chunking: _Chunking = "auto",
        allow_loopback: bool = False,
        public_only: bool = False,
        require_mx: bool = False,
        require_tls: bool = False,
        dane: bool = True,
        mta_sts: bool = True,
        tls_roots: str | None = None,
        platform_roots: bool = True,
        https_port: int = 443,
        deadline: float | None = None,
        timeouts: Mapping[str, float] | None = None,
        port25_check: bool = True,
        port25_probe_hosts: Mapping[str, Sequence[str]] | None = None,
    ) -> Self: ...
    def send(
        self,
        from_: str,
        to: str,
        subject: str,
        content: str,
        *,
        progress: Callable[[Progress], object] | None = None,
    ) -> Report: ...
    def send_message(
        self, message: Message | _email_message.Message, *, progress: Callable[[Progress], object] | None = None
    ) -> Report: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...
    def __reduce__(self) -> NoReturn: ...

@final
class HeaderWriter:
    def __new__(cls, *, of_another: bool) -> Self: ...
    def addresses(self, name: str, groups: _Groups) -> None: ...
    def text(self, name: str, text: str) -> None: ...
    def structured(self, name: str, text: str) -> None: ...
    def parameters(self, name: str, value: str, parameters: list[tuple[str, str]]) -> None: ...
    def source(self, name: str, source: str) -> None: ...
    def date(self) -> None: ...
    def message_id(self, author: str) -> None: ...
    def octets(self) -> bytes: ...

@final
class Mailbox:
    def __new__(cls, text: str) -> Self: ...
    @property
    def local_part(self) -> str: ...
    @property
    def domain(self) -> str: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[type[Mailbox], tuple[str]]: ...

@final
class DkimSigner:
    def __new__(
        cls,
        domain: str,
        selector: str,
        *,
        key: str | None = None,
        key_file: str | os.PathLike[str] | None = None,
        expires_after: float | None = None,
    ) -> Self: ...
    @property
    def domain(self) -> str: ...
    @property
    def selector(self) -> str: ...
    @property
    def algorithm(self) -> Literal["rsa-sha256", "ed25519-sha256"]: ...
    @property
    def record_name(self) -> str: ...
    @property
    def record(self) -> str: ...
    def __reduce__(self) -> NoReturn: ...

@final
class Part:
    @staticmethod
    def text(
        text: str,
        *,
        media_type: str | None = None,
        filename: str | None = None,
        content_id: str | None = None,
        disposition: _Disposition | None = None,
        transfer_encoding: _TransferEncoding | None = None,
        description: str | None = None,
    ) -> Part: ...
    @staticmethod
    def html(
        html: str,
        *,
        media_type: str | None = None,
        filename: str | None = None,
        content_id: str | None = None,
        disposition: _Disposition | None = None,
        transfer_encoding: _TransferEncoding | None = None,
        description: str | None = None,
    ) -> Part: ...
    @staticmethod
    def data(
        data: bytes | bytearray,
        *,
        media_type: str | None = None,
        filename: str | None = None,
        content_id: str | None = None,
        disposition: _Disposition | None = None,
        transfer_encoding: _TransferEncoding | None = None,
        description: str | None = None,
    ) -> Part: ...
    @staticmethod
    def file(
        path: str | os.PathLike[str],
        *,
        media_type: str | None = None,
        filename: str | None = None,
        content_id: str | None = None,
        disposition: _Disposition | None = None,
        transfer_encoding: _TransferEncoding | None = None,
        description: str | None = None,
    ) -> Part: ...
    @staticmethod
    def reader(
        open: Callable[[], _Readable],
        size: int | None = None,
        *,
        media_type: str | None = None,
        filename: str | None = None,
        content_id: str | None = None,
        disposition: _Disposition | None = None,
        transfer_encoding: _TransferEncoding | None = None,
        description: str | None = None,
    ) -> Part: ...
    @staticmethod
    def message(
        message: Message,
        *,
        content_id: str | None = None,
        disposition: _Disposition | None = None,
        description: str | None = None,
    ) -> Part: ...
    @staticmethod
    def multipart(
        kind: Literal["mixed", "alternative", "related", "parallel", "digest"],
        parts: Iterable[Part],
        *,
        content_id: str | None = None,
        disposition: _Disposition | None = None,
        description: str | None = None,
    ) -> Part: ...
    def __reduce__(self) -> NoReturn: ...

@final
class Message:
    def __new__(
        cls,
        *,
        from_: _Addresses | None = None,
        to: _Addresses | None = None,
        cc: _Addresses | None = None,
        bcc: _Addresses | None = None,
        reply_to: _Addresses | None = None,
        sender: _Address | None = None,
        envelope_from: _Address | None = None,
        subject: str | None = None,
        date: datetime | None = None,
        message_id: str | None = None,
        in_reply_to: str | Sequence[str] | None = None,
        references: str | Sequence[str] | None = None,
        comments: str | Sequence[str] | None = None,
        keywords: str | Sequence[str] | None = None,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
        resent: Iterable[Mapping[str, Any]] | None = None,
        text: str | None = None,
        html: str | None = None,
        inline: Iterable[Part] | None = None,
        attachments: Iterable[_Attachment] | None = None,
        body: Part | None = None,
        body_type: _BodyType = "7bit",
        null_reverse_path: bool = False,
        notify: str | None = None,
        ret: _Ret | None = None,
        envelope_id: str | None = None,
        original_recipients: _OriginalRecipients | None = None,
        require_tls: bool = False,
        sign: DkimSigner | Sequence[DkimSigner] | None = None,
    ) -> Self: ...
    @staticmethod
    def raw(
        content: bytes | bytearray | str | os.PathLike[str],
        *,
        from_: str | None = None,
        to: _Addresses | None = None,
        blind_copies: _BlindCopies = "refuse",
        unix_line_ends: bool = False,
        strict: bool = False,
        resent: Iterable[Mapping[str, Any]] | None = None,
        null_reverse_path: bool = False,
        notify: str | None = None,
        ret: _Ret | None = None,
        envelope_id: str | None = None,
        original_recipients: _OriginalRecipients | None = None,
        require_tls: bool = False,
        sign: DkimSigner | Sequence[DkimSigner] | None = None,
    ) -> Message: ...
    @staticmethod
    def from_email(
        message: _email_message.Message,
        *,
        from_: str | None = None,
        to: _Addresses | None = None,
        blind_copies: _BlindCopies = "remove",
        strict: bool = False,
        resent: Iterable[Mapping[str, Any]] | None = None,
        null_reverse_path: bool = False,
        notify: str | None = None,
        ret: _Ret | None = None,
        envelope_id: str | None = None,
        original_recipients: _OriginalRecipients | None = None,
        require_tls: bool = False,
        sign: DkimSigner | Sequence[DkimSigner] | None = None,
    ) -> Message: ...
    def for_recipients(self, recipients: _Addresses) -> Message: ...
    def to_email(self) -> _email_message.EmailMessage: ...
    def as_bytes(self) -> bytes: ...
    def write_to(self, file: _Writable) -> None: ...
    @property
    def envelope_from(self) -> str | None: ...
    @property
    def recipients(self) -> tuple[str, ...]: ...
    @property
    def message_id(self) -> str | None: ...
    @property
    def size(self) -> int | None: ...
    @property
    def body_type(self) -> _BodyType: ...
    @property
    def needs_smtputf8(self) -> bool: ...
    @property
    def warnings(self) -> tuple[str, ...]: ...
    def __bytes__(self) -> bytes: ...
    def __reduce__(self) -> NoReturn: ...

@final
class Progress:
    @property
    def stage(self) -> _Stage: ...
    @property
    def sent(self) -> int: ...
    @property
    def total(self) -> int | None: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...

@final
class Relay:
    def __new__(
        cls,
        host: str,
        port: int,
        security: _Security = "starttls",
        *,
        user: str | None = None,
        password: str | None = None,
        token: str | None = None,
    ) -> Self: ...
    @property
    def port(self) -> int: ...
    @property
    def security(self) -> _Security: ...
    def __reduce__(self) -> NoReturn: ...

@final
class StreamSession:
    def __new__(cls, agent: Agent) -> Self: ...
    def feed(self, octets: bytes) -> None: ...
    def finish(self) -> None: ...
    def answer(self) -> Report | str | None: ...
    @property
    def awaited(self) -> str | None: ...

@disjoint_base
class Outcome:
    @property
    def reply(self) -> Reply: ...
    @property
    def text(self) -> str: ...
    @property
    def delivered(self) -> Literal["yes", "some", "no", "unknown"]: ...
    @property
    def transient(self) -> bool: ...
    @property
    def retry_after(self) -> float | None: ...
    @property
    def code(self) -> int | None: ...
    @property
    def enhanced(self) -> str | None: ...
    @property
    def server_text(self) -> str | None: ...
    @property
    def server_octets(self) -> bytes | None: ...
    @property
    def stage(self) -> _Stage: ...
    @property
    def host(self) -> str | None: ...
    @property
    def address(self) -> str | None: ...
    @property
    def tls(self) -> TlsSession | None: ...
    @property
    def tls_policy(self) -> _TlsPolicy | None: ...
    @property
    def relayed(self) -> bool: ...
    @property
    def advice(self) -> str: ...
    def to_dict(self) -> dict[str, Any]: ...
    def __reduce__(self) -> NoReturn: ...

@final
class RecipientReport(Outcome):
    @property
    def recipient(self) -> str: ...

@final
class Report(Outcome):
    @property
    def sender(self) -> str: ...
    @property
    def recipients(self) -> tuple[RecipientReport, ...]: ...
    @property
    def attempts(self) -> tuple[Attempt, ...]: ...
    @property
    def message_id(self) -> str | None: ...
    @property
    def warnings(self) -> tuple[str, ...]: ...
    @property
    def port25(self) -> Port25Evidence | None: ...
    @property
    def transcript(self) -> str: ...
    def raise_for_reply(self) -> None: ...

@final
class Attempt:
    @property
    def host(self) -> str: ...
    @property
    def address(self) -> str | None: ...
    @property
    def stage(self) -> _Stage: ...
    @property
    def outcome(self) -> Literal["accepted", "failed", "partial", "uncertain"]: ...
    @property
    def detail(self) -> str: ...
    @property
    def code(self) -> int | None: ...
    @property
    def tls(self) -> TlsSession | None: ...
    @property
    def tls_policy(self) -> _TlsPolicy | None: ...
    @property
    def duration(self) -> float: ...
    def to_dict(self) -> dict[str, Any]: ...
    def __reduce__(self) -> NoReturn: ...

@final
class TlsSession:
    @property
    def version(self) -> Literal["TLSv1.2", "TLSv1.3"]: ...
    @property
    def cipher_suite(self) -> str: ...
    @property
    def verified(self) -> Literal["none", "pkix", "dane"]: ...
    @property
    def problem(self) -> str | None: ...
    def to_dict(self) -> dict[str, Any]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...

@final
class Port25Evidence:
    @property
    def finding(self) -> str: ...
    @property
    def probes(self) -> tuple[str, ...]: ...
    @property
    def age(self) -> float: ...
    def to_dict(self) -> dict[str, Any]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
