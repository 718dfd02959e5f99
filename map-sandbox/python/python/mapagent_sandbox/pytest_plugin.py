"""The fixture `mail_sandbox` and the marker `mail_world`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from . import Sandbox


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "mail_world(script): the world that `mail_sandbox` starts for this test")


@pytest.fixture
def mail_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A running mail world; `mapagent.send` mails into it for the time of the test, where mapagent is installed."""
    marker = request.node.get_closest_marker("mail_world")
    with Sandbox(marker.args[0] if marker else None) as sandbox:
        try:
            import mapagent
        except ModuleNotFoundError as error:
            # The sandbox tests any program that sends mail; a mapagent that is there but broken is an error.
            if error.name != "mapagent":
                raise
            yield sandbox
            return
        from mapagent._native import restore_default, saved_default

        # What the project's own conftest configured must not give way to the real world after this test.
        saved = saved_default()
        mapagent.configure(
            dns_servers=[sandbox.dns_server],
            dns_trust_anchor=sandbox.trust_anchor,
            smtp_port=sandbox.smtp_port,
            tls_roots=sandbox.certificate_authority,
            https_port=sandbox.https_port,
            allow_loopback=True,
        )
        try:
            yield sandbox
        finally:
            restore_default(saved)
