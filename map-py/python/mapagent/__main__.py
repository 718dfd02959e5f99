"""The command `mapagent`, also `python -m mapagent`. Its exit status is the number of the reply."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import signal
import sys
import traceback
from typing import Any, NoReturn

from . import Agent, Mailbox, Reply, Report, SendInterrupted, __version__
from ._native import StreamSession


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        # A reply must not be lost because the terminal lacks a letter of it.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # A send that is told to stop still says whether the mail may have gone out.
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
        if report.reply is not Reply.RE_SUCCESS:
            notes.append(f"mapagent: {report.advice}")
        _print(notes, sys.stderr)


def _print(lines: list[str], stream: Any) -> None:
    """Print if anybody reads. If not, the exit status still says what became of the mail."""
    if stream is None:
        return
    try:
        for line in lines:
            print(line, file=stream)
        stream.flush()
    except Exception:
        _discard(stream)
    except KeyboardInterrupt:
        _discard(stream)
        raise


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
            _print([f"{text}: {error}"], sys.stderr)
        else:
            _print([str(mailbox)], sys.stdout)
    return status


def _agent(options: argparse.Namespace) -> Agent:
    try:
        return Agent(
            dns_servers=options.dns_server,
            smtp_port=options.smtp_port,
            hello_name=options.hello_name,
            deadline=options.deadline,
            allow_loopback=options.allow_loopback,
            public_only=options.public_only,
            require_mx=options.require_mx,
            port25_check=options.port25_check,
            timeouts=dict(options.timeout),
        )
    except ValueError as error:
        parser: _Parser = options.parser
        parser.error(str(error))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
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


def _add_settings(parser: argparse.ArgumentParser) -> None:
    settings = parser.add_argument_group("settings")
    settings.add_argument("--dns-server", metavar="ADDRESS[:PORT]", action="append", help="the system's when absent")
    settings.add_argument("--smtp-port", metavar="PORT", type=int, default=25)
    settings.add_argument("--hello-name", metavar="NAME", help="the name behind EHLO")
    settings.add_argument("--deadline", metavar="SECONDS", type=float, help="for the send in all, the DNS included")
    settings.add_argument(
        "--timeout",
        metavar="STEP=SECONDS",
        type=_timeout,
        action="append",
        default=[],
        help="for one step: connect, greeting, hello, mail, rcpt, data, content, final_reply, quit, start",
    )
    settings.add_argument("--allow-loopback", action="store_true", help="take mail hosts on loopback, for tests")
    settings.add_argument("--public-only", action="store_true", help="refuse mail hosts in private networks")
    settings.add_argument("--require-mx", action="store_true", help="take no domain without an MX record")
    settings.add_argument(
        "--no-port25-check",
        dest="port25_check",
        action="store_false",
        help="do not ask other hosts whether port 25 is blocked",
    )


def _timeout(text: str) -> tuple[str, float]:
    step, _, seconds = text.partition("=")
    try:
        return step, float(seconds)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not STEP=SECONDS") from None


if __name__ == "__main__":
    sys.exit(main())
