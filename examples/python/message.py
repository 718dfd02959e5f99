"""Send a message with a text, the same in HTML, and files: message.py FROM TO SUBJECT [FILE…].

TO may be many, as a person writes them: "Bob <bob@example.net>, carol@example.org". The text is read from standard input.
"""

from __future__ import annotations

import html
import sys

import mapagent


def show(progress: mapagent.Progress) -> None:
    # Raising an exception here would cancel the send.
    if progress.total:
        print(f"\r{100 * progress.sent // progress.total:3} %", end="", file=sys.stderr)


def main() -> int:
    from_, to, subject, *files = sys.argv[1:]
    text = sys.stdin.read()
    message = mapagent.Message(
        from_=from_,
        to=to,
        subject=subject,
        text=text,
        html=f"<pre>{html.escape(text)}</pre>",
        attachments=files,
    )
    report = mapagent.send_message(message, progress=show)
    print(file=sys.stderr)
    for recipient in report.recipients:
        print(f"{recipient.recipient}: {recipient.text} {recipient.advice}")
    return report.reply


if __name__ == "__main__":
    sys.exit(main())
