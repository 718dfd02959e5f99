"""First scenario: Alice and Bob have their mailboxes on the same mail server, and both work on it.

        Alice's UA ──▶ mail server ──▶ Bob's mailbox ──▶ Bob's UA

Two user agents are all that is needed. Alice's hands the mail to the mail server of her own machine: mapagent takes it for
a relay, without a log-in, since what stays on one machine needs none. Bob's opens his mailbox, a folder of the same machine.

    python first.py settings.json
"""

import json
import sys

import mapagent
import reading

settings = json.load(open(sys.argv[1], encoding="utf-8"))

this_machine = mapagent.Relay(**settings["this_machine"])  # "localhost", 25, "clear"
with mapagent.Agent(relay=this_machine, **settings["agent"]) as agent:
    report = agent.send(settings["from"], settings["to"], "First scenario", "On one machine.")
print(report)
report.raise_for_reply()

reading.show(reading.wait_for(report.message_id, lambda: reading.in_maildir(settings["maildir"])))
