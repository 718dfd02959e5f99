"""The replies of the Mail Agent Protocol."""

from enum import IntEnum


class Reply(IntEnum):
    """How a send ended. Numbers never change; success is 0, and so is false where a truth value is asked for."""

    RE_SUCCESS = 0
    """The recipient's server accepted the mail."""
    RE_NO_EMPTY = 1
    """Fields are empty."""
    RE_INVALID_FORMAT = 2
    """An address is no mailbox, or a field holds what no e-mail can carry."""
    RE_DNS_FAIL = 3
    """The recipient's domain takes no mail, or its DNS answers with a failure."""
    RE_SERVER_UNREACH = 4
    """Nobody to talk to."""
    RE_PORT_BLOCKED = 5
    """Outgoing port 25 is blocked here or by the provider."""
    RE_BADREPLY = 6
    """The server gave a reply code that was not the expected one."""
    RE_SERVICE_DENIED = 7
    """The server refused by its policy."""
    RE_UNCERTAIN = 64
    """The mail may have been delivered: its final reply did not come. Sending again may deliver it twice."""
    RE_CANCELLED = 65
    """The caller cancelled before the mail was sent."""
    RE_INTERNAL = 66
    """A fault inside the library."""
    RE_MISUSE = 67
    """The interface was used wrongly."""
    RE_PARTIAL = 68
    """Some recipients have the mail and the others do not, for certain. Send it again to the others only."""
    RE_LOCAL = 69
    """This machine or the caller's data failed: nothing left of a resource, a file or reader that cannot be read."""

    def __str__(self) -> str:
        return self.name

    def __format__(self, spec: str) -> str:
        # An empty spec prints the name, as str() does; "d" and its like still print the number.
        return int.__format__(self, spec) if spec.endswith(tuple("bcdoxXn")) else format(self.name, spec)
