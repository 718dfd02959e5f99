"""The command `mapagent`, also `python -m mapagent`. Its exit status is the number of the reply."""

from __future__ import annotations

import argparse
import contextlib
import getpass
import io
import json
import os
import signal
import stat
import sys
import traceback
from typing import Any, NoReturn

from . import Agent, Mailbox, Relay, Reply, Report, SendInterrupted, __version__
from ._native import StreamSession, named, one_line


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        # A reply must not be lost because the terminal lacks a letter of it.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # A send that is told to stop still says whether the mail may have gone out. Who starts it may have it ignore that.
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    fate = _Fate()
    try:
        options = _parser().parse_args(arguments)
        status: Reply = options.run(options, fate)
    except KeyboardInterrupt:
        status = Reply.RE_CANCELLED if fate.reply is None else fate.reply
    except Exception:
        # Python's own exit status for this is 1, and that is RE_NO_EMPTY here.
        status = Reply.RE_INTERNAL if fate.reply is None else fate.reply
        _print([traceback.format_exc()], sys.stderr)
    return int(status)


class _Fate:
    """What is known of the mail, should the command end early. None: no send was begun."""

    reply: Reply | None = None

    def begin(self) -> None:
        """Until there is a report, the mail may have gone out."""
        self.reply = Reply.RE_UNCERTAIN


def _send(options: argparse.Namespace, fate: _Fate) -> Reply:
    agent = _agent(options)
    content = options.content
    if content is None or content == "-":
        content = _stdin(options).buffer.read().decode("utf-8", "surrogateescape")
    fate.begin()
    try:
        report = agent.send(options.from_, options.to, options.subject, content)
    except SendInterrupted as interrupted:
        report = interrupted.report
    fate.reply = report.reply
    _print_report(report, options)
    return report.reply


def _session(options: argparse.Namespace, fate: _Fate) -> Reply:
    session = StreamSession(_agent(options))
    stdin = _stdin(options).fileno()
    last: Reply | None = None

    def answer_all() -> None:
        nonlocal last
        fate.begin()
        while (answer := session.answer()) is not None:
            if isinstance(answer, Report):
                last, text = answer.reply, answer.text
            else:
                last, text = _reply_of(answer), answer
            fate.reply = last
            _print([text], sys.stdout)
            fate.begin()
        # A mail that is begun and not sent is cancelled; between mails the last reply stands.
        fate.reply = last if session.awaited is None else None

    try:
        # What has arrived and no more, so that a client which waits for its reply gets it.
        while octets := os.read(stdin, 65536):
            session.feed(octets)
            answer_all()
        session.finish()
        answer_all()
    except SendInterrupted as interrupted:
        fate.reply = interrupted.report.reply
        _print([interrupted.report.text], sys.stdout)
        return interrupted.report.reply
    if session.awaited is not None:
        _print([f"mapagent: the input ended where {session.awaited} was expected; that mail was not sent"], sys.stderr)
        return Reply.RE_MISUSE
    return Reply.RE_SUCCESS if last is None else last


def _stdin(options: argparse.Namespace) -> Any:
    # Python has None for a stream that was closed when it started.
    if sys.stdin is None:
        parser: _Parser = options.parser
        parser.error("standard input is closed, and there is something to read from it")
    return sys.stdin


def _reply_of(line: str) -> Reply:
    """The reply that MAP printed as this line: RE_NO_EMPTY: <To,>."""
    return Reply[line.partition(":")[0].rstrip(".")]


def _print_report(report: Report, options: argparse.Namespace) -> None:
    lines = []
    if options.json:
        fields: dict[str, Any] = report.to_dict()
        if options.transcript:
            fields["transcript"] = report.transcript
        lines.append(json.dumps(fields))
    elif options.transcript:
        # Its last line is the reply.
        lines.append(report.transcript.rstrip("\n"))
    else:
        lines.append(report.text)
    _print(lines, sys.stdout)
    if not options.json:
        notes = [f"mapagent: warning: {warning}" for warning in report.warnings]
        if report.reply is not Reply.RE_SUCCESS or report.relayed:
            notes.append(f"mapagent: {report.advice}")
        _print(notes, sys.stderr)


def _print(lines: list[str], stream: Any) -> None:
    """Print if anybody reads. If not, the exit status still says what became of the mail."""
    if stream is None:
        return
    try:
        for line in lines:
            print(_safe(line), file=stream)
        stream.flush()
    except Exception:
        _discard(stream)
    except KeyboardInterrupt:
        _discard(stream)
        raise


def _safe(text: str) -> str:
    """The same lines without what would steer a terminal: they may hold what a stranger's DNS or mail host said."""
    return "\n".join(one_line(_without_surrogates(line)) for line in text.split("\n"))


def _without_surrogates(text: str) -> str:
    """With escapes for octets of an argument that are not UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


def _discard(stream: Any) -> None:
    """Let the interpreter's last flush neither fail nor wait for a reader."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _check(options: argparse.Namespace, _fate: _Fate) -> Reply:
    status = Reply.RE_SUCCESS
    for text in options.address:
        try:
            mailbox = Mailbox(text)
        except ValueError as error:
            status = Reply.RE_INVALID_FORMAT
            _print([f"{named(_without_surrogates(text))}: {error}"], sys.stderr)
        else:
            _print([str(mailbox)], sys.stdout)
    return status


def _agent(options: argparse.Namespace) -> Agent:
    probe_hosts = {"mail": options.port25_mail_probe_host, "web": options.port25_web_probe_host}
    try:
        return Agent(
            dns_servers=options.dns_server,
            dns_trust_anchor=_read(options, options.dns_trust_anchor),
            smtp_port=options.smtp_port,
            hello_name=options.hello_name,
            source_address=options.source_address,
            proxy=_proxy(options),
            relay=_relay(options),
            allow_loopback=options.allow_loopback,
            public_only=options.public_only,
            require_mx=options.require_mx,
            require_tls=options.require_tls,
            dane=options.dane,
            mta_sts=options.mta_sts,
            tls_roots=_read(options, options.tls_roots),
            platform_roots=options.platform_roots,
            https_port=options.https_port,
            deadline=options.deadline,
            timeouts=dict(options.timeout),
            port25_check=options.port25_check,
            port25_probe_hosts=probe_hosts if any(probe_hosts.values()) else None,
        )
    except ValueError as error:
        parser: _Parser = options.parser
        parser.error(str(error))


# An argument may have any length, and stands in what is said of it.
_LONGEST_MESSAGE = 2000

# Secrets come from a file, the environment or a terminal, never from the arguments: those can be read by every user of
# the machine in the list of processes, and the shell keeps them in its history.
_SECRET_VARIABLE = "MAPAGENT_RELAY_SECRET"
_PROXY_VARIABLE = "MAPAGENT_PROXY"


def _proxy(options: argparse.Namespace) -> str | None:
    proxy: str | None = options.proxy
    if proxy is not None and "@" in proxy:
        parser: _Parser = options.parser
        parser.error(f"--proxy can be seen by others: put a URL with a password into {_PROXY_VARIABLE}")
    return (os.environ.get(_PROXY_VARIABLE) or None) if proxy is None else proxy


def _relay(options: argparse.Namespace) -> Relay | None:
    parser: _Parser = options.parser
    user: str | None = options.relay_user
    if user is None and (options.relay_token or options.relay_secret_file is not None):
        parser.error("a secret is for a user: name him by --relay-user")
    if options.relay is None:
        if user is not None:
            parser.error("--relay-user is for a relay: name it by --relay")
        return None
    host, port = options.relay
    port = _RELAY_PORTS[options.relay_security] if port is None else port
    if user is None:
        return Relay(host, port, options.relay_security)
    kind = "token" if options.relay_token else "password"
    secret = _relay_secret(options, f"{kind} of {user} at {host}")
    return Relay(host, port, options.relay_security, user=user, **{kind: secret})


def _relay_secret(options: argparse.Namespace, what: str) -> str:
    if options.relay_secret_file is not None:
        # An editor ends the line, and the secret does not.
        return (_read(options, options.relay_secret_file, secret=True) or "").removesuffix("\n").removesuffix("\r")
    secret = os.environ.get(_SECRET_VARIABLE)
    if secret is not None:
        return secret
    parser: _Parser = options.parser
    if not _can_ask():
        parser.error(f"there is no {what}: set {_SECRET_VARIABLE}, or name a file by --relay-secret-file")
    try:
        return getpass.getpass(_safe(f"{what}: "))
    except EOFError:
        # The prompt is still on its line.
        _print([""], sys.stderr)
        parser.error(f"no {what} was given")


def _can_ask() -> bool:
    """Whether there is a terminal, where getpass looks for one. Without, it would echo what is typed."""
    with contextlib.suppress(OSError), open("/dev/tty", "r+b", buffering=0):
        return True
    return sys.stdin is not None and sys.stdin.isatty()


def _read(options: argparse.Namespace, path: str | None, *, secret: bool = False) -> str | None:
    """What is in a file that a setting names. A secret is refused where everybody could have written it."""
    if path is None:
        return None
    parser: _Parser = options.parser
    try:
        with open(path, encoding="utf-8", newline="") as file:
            if secret:
                _look_who_else_reads(file.fileno(), path, parser)
            return file.read()
    except OSError as error:
        parser.error(f"{path}: {error.strerror}")
    except UnicodeDecodeError:
        # The exception would show what is in the file.
        parser.error(f"{path}: this is not UTF-8")


def _look_who_else_reads(file: int, path: str, parser: _Parser) -> None:
    mode = os.fstat(file).st_mode
    # Where permissions are lists of names, as on Windows, these bits say nothing.
    if os.name != "posix" or not stat.S_ISREG(mode):
        return
    if mode & 0o002:
        parser.error(f"{path}: every user of this machine can write this file: let only its owner do that (chmod 600)")
    if mode & 0o077:
        _print([f"mapagent: warning: others can read the secret in {path}: let only its owner do that (chmod 600)"], sys.stderr)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        if len(message) > _LONGEST_MESSAGE:
            message = f"{message[:_LONGEST_MESSAGE]}… ({len(message)} characters)"
        # argparse's own exit status for this is 2, and that is RE_INVALID_FORMAT here.
        _print([f"{self.format_usage()}{self.prog}: {message}"], sys.stderr)
        self.exit(Reply.RE_MISUSE)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="mapagent",
        description="Deliver an e-mail straight to the recipient's own mail server and say what happened.",
        epilog="The exit status is the number of the reply: "
        + ", ".join(f"{reply.value} {reply.name}" for reply in Reply)
        + ".",
    )
    parser.add_argument("--version", action="version", version=f"mapagent {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    send = commands.add_parser("send", help="send one mail and print its reply")
    send.add_argument("from_", metavar="FROM")
    send.add_argument("to", metavar="TO")
    send.add_argument("subject", metavar="SUBJECT")
    send.add_argument("content", metavar="CONTENT", nargs="?", help="standard input when it is absent or -")
    send.add_argument("--json", action="store_true", help="print the whole report as JSON")
    send.add_argument("--transcript", action="store_true", help="print the dialogue")
    _add_settings(send)
    send.set_defaults(run=_send, parser=send)

    session = commands.add_parser(
        "session", help="read MAP commands (CMD_FROM … CMD_END) from standard input, print the replies"
    )
    _add_settings(session)
    session.set_defaults(run=_session, parser=session)

    check = commands.add_parser("check", help="say whether addresses are well formed; nothing is sent")
    check.add_argument("address", metavar="ADDRESS", nargs="+")
    check.set_defaults(run=_check, parser=check)
    return parser


# Where relays listen as a rule (RFC 6409, RFC 8314).
_RELAY_PORTS = {"starttls": 587, "implicit": 465, "opportunistic": 25, "clear": 25}


def _add_settings(parser: argparse.ArgumentParser) -> None:
    _add_road(parser.add_argument_group("the road"))
    _add_relay(parser.add_argument_group("a relay"))
    _add_protection(parser.add_argument_group("protection"))
    _add_patience(parser.add_argument_group("patience"))


def _add_road(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--dns-server", metavar="ADDRESS[:PORT]", action="append", help="the system's when absent")
    group.add_argument("--dns-trust-anchor", metavar="FILE", help="DNSKEY records of the root, for DNSSEC")
    group.add_argument("--smtp-port", metavar="PORT", type=int, default=25)
    group.add_argument("--hello-name", metavar="NAME", help="the name in EHLO")
    group.add_argument(
        "--source-address", metavar="ADDRESS", action="append", help="where connections come from; once for each family"
    )
    group.add_argument(
        "--proxy",
        metavar="URL",
        help="SOCKS5: socks5://host:port, or socks5h://… if it looks up names; "
        f"one with a password is taken from the environment variable {_PROXY_VARIABLE}",
    )
    group.add_argument("--allow-loopback", action="store_true", help="take mail hosts on this machine, for tests")
    group.add_argument("--public-only", action="store_true", help="refuse mail hosts in private networks")
    group.add_argument("--require-mx", action="store_true", help="take no domain without an MX record")
    group.add_argument(
        "--no-port25-check",
        dest="port25_check",
        action="store_false",
        help="do not ask other hosts whether port 25 is blocked",
    )
    group.add_argument("--port25-mail-probe-host", metavar="HOST[:PORT]", action="append", default=[], help="ask this one")
    group.add_argument("--port25-web-probe-host", metavar="HOST[:PORT]", action="append", default=[], help="and this one")


def _add_relay(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--relay",
        metavar="HOST[:PORT]",
        type=_host_and_port,
        help="hand the mail to this server instead of the recipient's own; the port is 587, 465 with "
        "--relay-security implicit, 25 with opportunistic and clear",
    )
    group.add_argument(
        "--relay-security",
        choices=list(_RELAY_PORTS),
        default="starttls",
        help="starttls and implicit verify its certificate; the others are for relays that are trusted as they are",
    )
    group.add_argument(
        "--relay-user",
        metavar="USER",
        help=f"log in; the secret is taken from --relay-secret-file, from the environment variable {_SECRET_VARIABLE}, "
        "or asked for at the terminal",
    )
    group.add_argument("--relay-secret-file", metavar="FILE", help="the secret is what is in this file")
    group.add_argument("--relay-token", action="store_true", help="the secret is an OAuth 2.0 access token")


def _add_protection(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--require-tls", action="store_true", help="send only over TLS to a mail host that has proved who it is"
    )
    group.add_argument("--no-dane", dest="dane", action="store_false", help="do not verify mail hosts by DANE")
    group.add_argument("--no-mta-sts", dest="mta_sts", action="store_false", help="do not look for MTA-STS policies")
    group.add_argument("--tls-roots", metavar="FILE", help="trust these certificate authorities, too (PEM)")
    group.add_argument(
        "--no-platform-roots", dest="platform_roots", action="store_false", help="do not trust those of the platform"
    )
    group.add_argument("--https-port", metavar="PORT", type=int, default=443, help="of MTA-STS policies, for tests")


def _add_patience(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--deadline", metavar="SECONDS", type=float, help="for the send in all, the DNS included")
    group.add_argument(
        "--timeout",
        metavar="STEP=SECONDS",
        type=_timeout,
        action="append",
        default=[],
        help="for one step: connect, greeting, hello, starttls, tls, auth, mail, rcpt, data, content, "
        "content_block (each 64 KiB), final_reply, quit, replies (all together, and slow contents), start",
    )


def _host_and_port(text: str) -> tuple[str, int | None]:
    if "@" in text:
        # Not repeated: there may be a password in it.
        raise argparse.ArgumentTypeError("this is not HOST:PORT; the user is named by --relay-user")
    # An IPv6 address has colons of its own, and a port after it only if it is in brackets.
    colon = text.rfind(":", text.rfind("]") + 1)
    if colon < 0 or (text.count(":") > 1 and not text.startswith("[")):
        return text, None
    try:
        return text[:colon], int(text[colon + 1 :])
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT") from None


def _timeout(text: str) -> tuple[str, float]:
    step, _, seconds = text.partition("=")
    try:
        return step, float(seconds)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not STEP=SECONDS") from None


if __name__ == "__main__":
    sys.exit(main())
