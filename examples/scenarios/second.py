"""Second scenario: Alice and Bob have their mailboxes on different mail servers, and work on these.

        Alice's UA, MTA client ──SMTP──▶ MTA server ──▶ Bob's mailbox ──▶ Bob's UA

Two user agents and one pair of mail transfer agents. mapagent is the client of that pair: it asks the DNS for the mail
exchanger of Bob's domain and gives the mail to that host, with no server of Alice's in between. Its reply says whether
Bob's own server has taken the mail.

    python second.py settings.json
"""

import json
import sys

import mapagent
import reading

settings = json.load(open(sys.argv[1], encoding="utf-8"))

with mapagent.Agent(**settings["agent"]) as agent:
    report = agent.send(settings["from"], settings["to"], "Second scenario", "From one system to another.")
print(report)
report.raise_for_reply()

reading.show(reading.wait_for(report.message_id, lambda: reading.in_maildir(settings["maildir"])))
