"""The scenarios of MAP appendix A, compared with the committed texts."""

from __future__ import annotations

from pathlib import Path

import mapagent
import pytest

from conftest import WorldMaker

CANONICAL = Path(__file__).parents[2] / "tests" / "canonical"

FROM, SUBJECT, CONTENT = "cxw@apple.com", "test", "test content."

SCENARIOS = [
    ("A.1", ("407184933@qq.com", CONTENT), mapagent.RE_SUCCESS),
    ("A.2", ("", ""), mapagent.RE_NO_EMPTY),
    ("A.3", ("407184933qq.com", CONTENT), mapagent.RE_INVALID_FORMAT),
    ("A.4", ("407184933@qqqqq12372.com", CONTENT), mapagent.RE_DNS_FAIL),
    ("A.5", ("cxw@gwu.edu", CONTENT), mapagent.RE_BADREPLY),
    ("A.6", ("cxw@outlook.com", CONTENT), mapagent.RE_SERVICE_DENIED),
]


@pytest.mark.parametrize(("name", "fields", "reply"), SCENARIOS, ids=[name for name, _, _ in SCENARIOS])
def test_scenario(world: WorldMaker, name: str, fields: tuple[str, str], reply: mapagent.Reply) -> None:
    mail_world = world((CANONICAL / "appendix-a.world").read_text())
    to, content = fields
    report = mail_world.agent().send(FROM, to, SUBJECT, content)
    assert report.reply is reply
    assert report.transcript == (CANONICAL / f"{name}.txt").read_text()
    assert len(mail_world.sandbox.mails) == (reply is mapagent.RE_SUCCESS)
