"""What `make demo` shows of the Python interface: one call, and what came of it.

    demo.py DNS_SERVER SMTP_PORT FROM TO SUBJECT CONTENT

Only the call of `configure` is about the sandbox. The exit status is the number of the reply.
"""

import sys

import mapagent


def main(dns_server: str, smtp_port: str, from_: str, to: str, subject: str, content: str) -> mapagent.Reply:
    mapagent.configure(
        dns_servers=[dns_server],
        smtp_port=int(smtp_port),
        hello_name="client.example",
        allow_loopback=True,
    )
    report = mapagent.send_report(from_, to, subject, content)
    print(report.transcript, end="")
    print(f"\n{report.reply.name} ({report.reply.value}): {report.advice}")
    return report.reply


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
