"""The command `mapagent`, also `python -m mapagent`. Its exit status is the number of the reply."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import traceback
from typing import NoReturn

from . import Agent, Mailbox, Reply, Report, SendInterrupted, __version__


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    # What is shown may hold what the terminal cannot: a mailer must not fail while it prints its reply.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    try:
        status: Reply = options.run(options)
    except BrokenPipeError:
        raise
    except Exception:
        # Python's own status for this is 1, and that is RE_NO_EMPTY here.
        traceback.print_exc()
        status = Reply.RE_INTERNAL
    return int(status)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # argparse's own status for this is 2, and that is RE_INVALID_FORMAT here.
        self.print_usage(sys.stderr)
        self.exit(Reply.RE_MISUSE, f"{self.prog}: {message}\n")
