"""Compare the mails of a Maildir with what was written, as Python's email package reads them.

    compare_maildir.py MAILDIR DIRECTORY COUNT

DIRECTORY holds 000.subject, 000.content and so on; the mail of each came from case-NNN@sender.test. Line ends are
compared as line ends, and the last line has one.
"""

import email
import email.policy
import sys
from email.message import EmailMessage
from pathlib import Path


def line_ends(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if text.endswith("\n") else text + "\n"


def compare(mail: EmailMessage, subject: str, content: str) -> list[str]:
    complaints = []
    if mail["Subject"] != subject:
        complaints.append(f"subject {mail['Subject']!r} was {subject!r}")
    if mail.get_content_type() != "text/plain" or mail.is_multipart():
        complaints.append(f"type {mail.get_content_type()}")
    got = line_ends(mail.get_content())
    if got != line_ends(content):
        at = next((i for i, (a, b) in enumerate(zip(got, line_ends(content), strict=False)) if a != b), -1)
        complaints.append(f"content differs at {at}: {got[at:][:60]!r} was {line_ends(content)[at:][:60]!r}")
    for field in ("Date", "From", "To", "Message-ID", "MIME-Version"):
        if len(mail.get_all(field, [])) != 1:
            complaints.append(f"{field} stands there {len(mail.get_all(field, []))} times")
    complaints.extend(f"defect {defect!r}" for defect in mail.defects)
    return complaints


def main(maildir: str, directory: str, count: str) -> None:
    mails: dict[str, list[EmailMessage]] = {}
    for path in Path(maildir, "new").iterdir():
        mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        mails.setdefault(mail["From"].addresses[0].addr_spec, []).append(mail)
    failed = False
    for number in range(int(count)):
        subject, content = (
            Path(directory, f"{number:03}.{part}").read_bytes().decode() for part in ("subject", "content")
        )
        found = mails.pop(f"case-{number:03}@sender.test", [])
        complaints = [] if len(found) == 1 else [f"came {len(found)} times"]
        for mail in found:
            complaints += compare(mail, subject, content)
        for complaint in complaints:
            failed = True
            print(f"{number:03}: {complaint}")
    if mails:
        failed = True
        print(f"nobody sent the mails of {sorted(mails)}")
    sys.exit(failed)


if __name__ == "__main__":
    main(*sys.argv[1:])
