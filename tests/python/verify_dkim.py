"""Verifies DKIM signatures by dkimpy: messages after their lengths in, and for each a line of its verdicts out.

The arguments are the records of the DNS, as name=text.
"""

import sys

import dkim  # type: ignore[import-untyped]

RECORDS = dict(argument.split("=", 1) for argument in sys.argv[1:])


def look_up(name: bytes, timeout: float = 5) -> bytes:
    """What the DNS has; nothing where it has nothing."""
    return RECORDS.get(name.decode().removesuffix("."), "").encode()


def verdict(message: bytes, index: int) -> str:
    """What is to be said of one signature, the first one in the header being 0."""
    try:
        return "good" if dkim.DKIM(message).verify(index, dnsfunc=look_up) else "bad"
    except dkim.ValidationError:
        return "bad"
    except dkim.DKIMException as error:
        return f"unreadable({error})".replace(" ", "_")


while length := sys.stdin.buffer.read(4):
    message = sys.stdin.buffer.read(int.from_bytes(length, "big"))
    header, _ = dkim.rfc822_parse(message)
    count = sum(name.lower() == b"dkim-signature" for name, _ in header)
    print(*(verdict(message, index) for index in range(count)), flush=True)
