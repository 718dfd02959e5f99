"""Send the mails that a directory holds (000.subject, 000.content, 001.subject, …) to alice@example.test.

    send_many.py DNS_SERVER SMTP_PORT DIRECTORY COUNT

Each goes from an address of its own, and every reply must be RE_SUCCESS; then what must be refused.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mapagent

ALICE = "alice@example.test"


def main(dns_server: str, smtp_port: str, directory: str, count: str) -> None:
    agent = mapagent.Agent(
        dns_servers=[dns_server],
        smtp_port=int(smtp_port),
        hello_name="client.test",
        deadline=120,
        allow_loopback=True,
    )
    def send(number: int) -> None:
        subject, content = (
            Path(directory, f"{number:03}.{part}").read_bytes().decode() for part in ("subject", "content")
        )
        report = agent.send(f"case-{number:03}@sender.test", ALICE, subject, content)
        assert report.reply is mapagent.RE_SUCCESS, report.transcript
        assert report.delivered == "yes" and report.code is not None and report.code // 100 == 2, report

    with agent, ThreadPoolExecutor(8) as threads:
        for _ in threads.map(send, range(int(count))):
            pass

        report = agent.send("a@sender.test", ALICE, "NUL", "a\0b")
        assert report.reply is mapagent.RE_INVALID_FORMAT and not report.attempts, report

        report = agent.send("a@sender.test", "nobody@example.test", "test", "test")
        assert report.reply is mapagent.RE_SERVICE_DENIED, report.transcript
        assert (report.code, report.stage, report.delivered) == (550, "rcpt", "no"), report
        assert not report.transient


if __name__ == "__main__":
    main(*sys.argv[1:])
