"""Third scenario: Alice is connected to her mail server by a network; Bob works on his.

        Alice's UA, MTA client ──SMTP──▶ MTA server, Alice's mail server, MTA client
                                                                              │
                               Bob's UA ◀── Bob's mailbox ◀── MTA server ◀──SMTP

Two user agents and two pairs of mail transfer agents. mapagent is the first client: it logs in to Alice's mail server, over
TLS and only after that has proved who it is, and hands it the mail. That server is the second client. So the reply says
that Alice's server has taken the mail (`relayed`); if Bob's refuses it, she gets a bounce.

    python third.py settings.json
"""

import json
import sys

import mapagent
import reading

settings = json.load(open(sys.argv[1], encoding="utf-8"))

relay = mapagent.Relay(**settings["relay"])  # "mail.example.com", 587, user="alice", password=…
with mapagent.Agent(relay=relay, **settings["agent"]) as agent:
    report = agent.send(settings["from"], settings["to"], "Third scenario", "Through a server of mine.")
print(report)
report.raise_for_reply()

reading.show(reading.wait_for(report.message_id, lambda: reading.in_maildir(settings["maildir"])))
