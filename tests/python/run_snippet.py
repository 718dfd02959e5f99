"""Runs a snippet of a document in a mail world: the agents that it makes mail into that, unless it says where."""

from __future__ import annotations

import functools
import getpass
import runpy
import sys
from pathlib import Path
from typing import Any

import mapagent
from mapagent_sandbox import Sandbox

world, snippet = sys.argv[1:]
with Sandbox(Path(world).read_text(encoding="utf-8")) as sandbox:
    settings: dict[str, Any] = {
        "dns_servers": [sandbox.dns_server],
        "smtp_port": sandbox.smtp_port,
        "hello_name": "client.example",
        "allow_loopback": True,
        "tls_roots": sandbox.certificate_authority,
    }
    mapagent.configure(**settings)
    relay = mapagent.Relay

    def relay_of_the_world(host: str, _port: int, *more: Any, **keywords: Any) -> mapagent.Relay:
        return relay(host, sandbox.smtp_port, *more, **keywords)

    setattr(mapagent, "Agent", functools.partial(mapagent.Agent, **settings))
    setattr(mapagent, "Relay", relay_of_the_world)
    setattr(getpass, "getpass", lambda: "s3cret")
    runpy.run_path(snippet, run_name="__main__")
