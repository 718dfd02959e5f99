"""Builds messages by Python's `email` package.

Standard input holds a list of descriptions in JSON (see `tests/tests/libraries.rs`). The messages come out, each after
its length (four octets, the most significant first).
"""

import email.policy
import json
import struct
import sys
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import localtime
from typing import Any


def addresses(entries: list[tuple[str, str]]) -> list[Address]:
    return [Address(name, addr_spec=mailbox) for name, mailbox in entries]


def build(case: dict[str, Any]) -> bytes:
    message = EmailMessage(policy=email.policy.SMTP)
    message["Date"] = localtime()
    message["From"] = addresses(case["from"])
    message["To"] = addresses(case["to"])
    if case["cc"]:
        message["Cc"] = addresses(case["cc"])
    message["Subject"] = case["subject"]
    message["Message-ID"] = f"<{case['message_id']}>"
    if case["references"]:
        message["In-Reply-To"] = f"<{case['references'][-1]}>"
        message["References"] = " ".join(f"<{reference}>" for reference in case["references"])
    message.set_content(case["text"])
    if case["html"] is not None:
        message.add_alternative(case["html"], subtype="html")
        html = list(message.iter_parts())[1]
        for part in case["inline"]:
            maintype, subtype = part["type"].split("/")
            octets = bytes.fromhex(part["octets"])
            html.add_related(
                octets, maintype=maintype, subtype=subtype, cid=f"<{part['id']}>", filename=part["name"]
            )
    for part in case["attachments"]:
        maintype, subtype = part["type"].split("/")
        octets = bytes.fromhex(part["octets"])
        message.add_attachment(octets, maintype=maintype, subtype=subtype, filename=part["name"])
    return message.as_bytes()


for case in json.load(sys.stdin):
    octets = build(case)
    sys.stdout.buffer.write(struct.pack("!I", len(octets)) + octets)
