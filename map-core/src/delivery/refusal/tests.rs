//! What real hosts say, and the cause that a person must be told.

use super::*;
use crate::smtp::ReplyCode;

fn reply(line: &str) -> Reply {
    let (code, text) = line.split_once(' ').unwrap_or((line, ""));
    let lines = text.split('|').map(|text| text.as_bytes().to_vec()).collect();
    Reply::new(ReplyCode(code.parse().expect("a code")), lines)
}

const LISTED: &str = "on the block list";
const DOOR: &str = "does not want mail from this machine's IP address";
const MAILBOX: &str = "no such mailbox";

#[test]
fn what_real_hosts_say_is_told_by_its_cause() {
    use ExchangeStage::{Content, Ehlo, Greeting, Helo, Mail, Rcpt};
    #[rustfmt::skip]
    let rows = [
        // Spamhaus and others, by Postfix and postscreen, in the greeting and after it, for now and for good.
        (Greeting, "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/192.0.2.1", "block list zen.spamhaus.org."),
        (Greeting, "521 5.7.1 Service unavailable; client [192.0.2.1] blocked using bl.spamcop.net", "block list bl.spamcop.net."),
        (Rcpt, "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using dnsbl.sorbs.net; Exploitable Server", "block list dnsbl.sorbs.net."),
        (Rcpt, "450 4.7.1 Client host [192.0.2.1] blocked using zen.example.org", "block list zen.example.org."),
        (Rcpt, "450 4.1.1 <x@y.example>: unverified address: Address verification in progress", "cannot tell now whether there is such a mailbox"),
        (Mail, "450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]", "no reverse name for this machine's IP address now"),
        (Mail, "451 4.7.24 SPF record could not be looked up", "cannot check now"),
        (Rcpt, "550 bob@y.example is not listed in y.example", "Most likely there is no such mailbox"),
        (Rcpt, "550 192.0.2.1 is listed at zen.example.org (127.0.0.4: https://lists.example.org/192.0.2.1)", "block list zen.example.org."),
        (Rcpt, "554 5.7.1 Sender address [x@y.example] blocked using dbl.spamhaus.org", "or the sender's domain, is on the block list dbl.spamhaus.org."),
        (Content, "550 5.7.1 Message contains a link listed in multi.uribl.example", "or a link in the mail is on the block list multi.uribl.example."),
        (Greeting, "554 Service unavailable; Client host [192.0.2.1] blocked using b.barracudacentral.org", LISTED),
        (Greeting, "554 gmx.net (mxgmx017) Nemesis ESMTP Service not available|No SMTP service|IP address is black listed|For explanation visit https://postmaster.gmx.net/en/error-messages?ip=192.0.2.1&c=bip", "see https://postmaster.gmx.net/en/error-messages?ip=192.0.2.1&c=bip."),
        (Mail, "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3140). You can also refer your provider to http://mail.live.com/mail/troubleshooting.aspx#errors.", "see http://mail.live.com/mail/troubleshooting.aspx#errors."),
        (Mail, "553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1, because the ip is in Spamhaus's list; see http://postmaster.yahoo.example/550-bl23.html", DOOR),
        // Not wanted, and no list is named.
        (Greeting, "554 IP=192.0.2.1 - A problem occurred. (Ask your postmaster for help.)", DOOR),
        (Greeting, "521 no mail here", DOOR),
        (Greeting, "550 5.7.0 go away", DOOR),
        (Ehlo, "550 5.7.1 not you", DOOR),
        (Helo, "554 no", DOOR),
        (Mail, "550 5.7.606 Access denied, banned sending IP [192.0.2.1].", DOOR),
        (Greeting, "450 4.7.1 not from there", DOOR),
        (Ehlo, "504 5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname", "name that this machine gives in EHLO"),
        // Waiting: greylisting, limits, trouble.
        (Rcpt, "450 4.7.1 <bob@example.org>: Recipient address rejected: Greylisted", "greylisting"),
        (Rcpt, "450 4.2.0 <bob@example.org>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/", "greylisting"),
        (Rcpt, "451 Greylisted, please try again in 300 seconds", "greylisting"),
        (Greeting, "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints", "too many mails came from here lately"),
        (Content, "421 4.7.28 Gmail has detected an unusual rate of unsolicited mail", "Too many mails came from here lately"),
        (Content, "550 5.7.28 Gmail has detected an unusual rate of unsolicited mail", "a flood of mail"),
        (Mail, "451 4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation", "limits what it takes"),
        (Rcpt, "450 4.2.1 The user you are trying to contact is receiving mail too quickly", "received too much lately"),
        (Rcpt, "452 4.2.2 The recipient's inbox is out of storage space", "mailbox is full"),
        (Rcpt, "552 5.2.2 Over quota", "mailbox is full"),
        (Rcpt, "450 4.3.2 Service currently unavailable", "takes no mail at the moment"),
        (Greeting, "421 too busy", "busy or closing down"),
        (Content, "452 4.3.1 Insufficient system storage", "no room"),
        // The recipient.
        (Rcpt, "550 5.1.1 The email account that you tried to reach does not exist", MAILBOX),
        (Rcpt, "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", MAILBOX),
        (Rcpt, "550 5.4.1 Recipient address rejected: Access denied", MAILBOX),
        (Rcpt, "550 5.2.1 The email account that you tried to reach is inactive", "disabled"),
        (Rcpt, "556 5.1.10 no mail for that domain", "its domain takes no mail"),
        // Who the sender is.
        (Content, "550 5.7.23 SPF validation failed", "SPF"),
        (Content, "550 5.7.24 SPF record cannot be evaluated", "SPF record"),
        (Content, "550 5.7.20 No passing DKIM signature found", "DKIM"),
        (Content, "550 5.7.26 Unauthenticated email from example.com is not accepted due to domain's DMARC policy", "DMARC"),
        (Content, "550 5.7.509 Access denied, sending domain does not pass DMARC verification", "DMARC"),
        (Content, "421 4.7.26 This mail has been rate limited because it is unauthenticated", "SPF, DKIM, DMARC"),
        (Mail, "550 5.7.25 [192.0.2.1] The IP address sending this message does not have a PTR record", "reverse name"),
        (Mail, "450 4.1.8 <x@nowhere.example>: Sender address rejected: Domain not found", "sender's address"),
        // The content.
        (Content, "552 5.3.4 Message size exceeds fixed limit", "too large"),
        (Content, "550 5.7.1 Our system has detected that this message is likely unsolicited mail", "takes it for spam"),
        (Content, "554 5.6.0 what is that", "taking it for spam"),
        (Content, "554 5.7.9 Message not accepted for policy reasons", "policy"),
    ];
    for (stage, line, cause) in rows {
        let meaning = meaning(stage, &reply(line));
        let told = meaning.remedy(false);
        assert!(told.contains(cause), "{stage:?} {line}\n{told}");
        let is_greylisting = told.contains("greylisting");
        assert_eq!(is_greylisting, cause == "greylisting", "{line}\n{told}");
        assert_eq!(
            meaning.retry_after() == GREYLISTED,
            is_greylisting,
            "{line}\n{told}"
        );
    }
}

#[test]
fn only_the_name_of_a_list_is_taken_from_a_text() {
    for (line, list) in [
        ("550 blocked using zen.example.org", Some("zen.example.org")),
        ("550 BLOCKED USING <Zen.Example.ORG>.", Some("Zen.Example.ORG")),
        (
            "554 5.7.1 Client blocked|using zen.example.org; see",
            Some("zen.example.org"),
        ),
        (
            "550 5.7.1 listed by HTTPS://lists.example.org/?ip=192.0.2.1.",
            Some("HTTPS://lists.example.org/?ip=192.0.2.1"),
        ),
        (
            "550 blocked by policy; your network is blocked using rbl.example",
            Some("rbl.example"),
        ),
        (
            "550 5.7.1 blocked using Some RBL+, see <http://lists.example.org/>",
            Some("http://lists.example.org/"),
        ),
        ("550 blocked by policy, see http://example.org/", None),
        ("550 blocked using 192.0.2.1", None),
        ("550 blocked using 2001:db8::1", None),
        ("550 blocked using", None),
        ("550 blocked using zen\u{202e}.example.org", None),
        ("550 blocked using zen.example.org\u{1b}[2J", None),
        ("550 blacklisted, see http://\u{e9}.example/", None),
        ("550 blacklisted, see http://", None),
        // The status says another cause.
        ("550 5.1.1 blocked using zen.example.org", None),
        ("550 5.7.23 SPF, blocked using zen.example.org", None),
    ] {
        assert_eq!(block_list(&reply(line)).as_deref(), list, "{line}");
    }
    let long = format!("550 blocked using {}.example.org", "a".repeat(MAX_LIST));
    assert_eq!(block_list(&reply(&long)), None);
    let mut octets = reply("550 x");
    octets.lines = vec![b"blocked using zen.\xff.example".to_vec()];
    assert_eq!(block_list(&octets), None);
}

#[test]
fn a_relay_is_no_way_around_a_relay() {
    for line in ["554 5.7.1 blocked using zen.example.org", "554 no"] {
        let told = meaning(ExchangeStage::Greeting, &reply(line)).remedy(true);
        assert!(told.contains("ask the administrator of the relay"), "{told}");
        assert!(!told.contains("through a relay"), "{told}");
    }
}
