"""A mail world in one process on loopback: DNS, mail hosts, faults, and a mailbox to look into. A test double.

    with Sandbox(world) as sandbox:
        ...  # send to sandbox.dns_server (for the DNS) and sandbox.smtp_port (of every mail host)
        (mail,) = sandbox.wait_for_mails(1)
        assert mail.message["Subject"] == "test"

A world is a script, one statement a line:

    domain example.com
      mx 10 mx.example.com
    host mx.example.com 127.0.0.2
      on rcpt nobody@example.com reply 550 5.1.1 No such user

`EXAMPLE_WORLD` is one with the common faults, and the one that is started when none is given.
"""

from ._native import EXAMPLE_WORLD, Authentication, Mail, PolicyFetch, Sandbox, Session, WorldError, __version__

__all__ = ["EXAMPLE_WORLD", "Authentication", "Mail", "PolicyFetch", "Sandbox", "Session", "WorldError", "__version__"]
