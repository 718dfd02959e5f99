"""Fourth scenario: both are connected to their mail servers by a network. This is how most mail travels today.

        Alice's UA, MTA client ──SMTP──▶ MTA server, Alice's mail server, MTA client
                                                                              │
        Bob's UA, MAA client ◀──POP3 or IMAP── MAA server, Bob's mailbox ◀── MTA server ◀──SMTP

Two user agents, two pairs of mail transfer agents, and a pair of message access agents: SMTP pushes a mail as far as Bob's
server, and from there Bob pulls it, by IMAP or by POP3. Sending is the same as in the third scenario.

    python fourth.py settings.json
"""

import json
import ssl
import sys

import mapagent
import reading

settings = json.load(open(sys.argv[1], encoding="utf-8"))

relay = mapagent.Relay(**settings["relay"])  # "mail.example.com", 587, user="alice", password=…
with mapagent.Agent(relay=relay, **settings["agent"]) as agent:
    report = agent.send(settings["from"], settings["to"], "Fourth scenario", "Wherever you are.")
print(report)
report.raise_for_reply()

tls = ssl.create_default_context(cafile=settings.get("authority"))
imap, pop3 = settings["imap"], settings["pop3"]  # {"host": …, "port": 993, "user": …, "password": …}; 995
reading.show(reading.wait_for(report.message_id, lambda: reading.by_imap(**imap, tls=tls)))
reading.show(reading.wait_for(report.message_id, lambda: reading.by_pop3(**pop3, tls=tls)))
