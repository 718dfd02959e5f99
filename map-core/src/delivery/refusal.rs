//! What a refusal means: by its enhanced status code (RFC 3463, 5248, 7372, 7504, 7505 and the IANA registry), else by its
//! code, and by the command that it answers.
//!
//! The class counts as much as the rest: 4.7.28 is a limit that passes, 5.7.28 is not. Of a server's text only the name of
//! a block list is used, because texts differ from host to host. What a person is told about waiting and what a program
//! reads as `retry_after` come from here, so they are the same.

#[cfg(test)]
mod tests;

use crate::smtp::{EnhancedStatusCode, ExchangeStage, Reply, ReplyCode, Severity};
use std::net::IpAddr;
use std::time::Duration;

/// A greylisting host lets a second attempt in after a quarter of an hour at the latest, as a rule.
const GREYLISTED: Duration = Duration::from_secs(15 * 60);
// > In general, the retry interval SHOULD be at least 30 minutes
// https://www.rfc-editor.org/rfc/rfc5321#section-4.5.4.1
pub(super) const RETRY: Duration = Duration::from_secs(30 * 60);
/// People empty their mailboxes once a day at best.
const MAILBOX_FULL: Duration = Duration::from_secs(24 * 60 * 60);

/// More characters than this are no name of a list that a person could look up.
const MAX_LIST: usize = 120;

/// Why a host refuses, as far as its reply tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// This machine's address, or the sender's domain, is on a block list.
    Listed {
        /// A host name, or a URL that explains it.
        list: String,
        /// It came after the content, so something in the content may be what is listed.
        after_content: bool,
    },
    /// This machine's address is not wanted.
    NotWanted,
    /// Something else: a sentence for a person, and how long to wait if another try may help. The sentence is empty if
    /// nothing can be told, and never speaks of waiting.
    Other(&'static str, Duration),
}

/// The reply says that we are on a block list.
pub(super) fn names_a_list(stage: ExchangeStage, reply: &Reply) -> bool {
    matches!(meaning(stage, reply), Meaning::Listed { .. })
}

/// What a refusal at a stage means.
pub(super) fn meaning(stage: ExchangeStage, reply: &Reply) -> Meaning {
    if let Some(list) = block_list(reply).filter(|_| stage != ExchangeStage::Auth) {
        return Meaning::Listed {
            list,
            after_content: matches!(stage, ExchangeStage::Chunk | ExchangeStage::Content),
        };
    }
    let soft = reply.severity() == Severity::TransientNegative;
    reply
        .enhanced
        .and_then(|status| by_status(status, soft, stage))
        .unwrap_or_else(|| by_code(reply.code, soft, stage))
}

impl Meaning {
    /// How long to wait before another try, if that may help.
    pub(super) fn retry_after(&self) -> Duration {
        match self {
            Self::Listed { .. } | Self::NotWanted => RETRY,
            Self::Other(_, pause) => *pause,
        }
    }

    /// Waiting alone does not help.
    pub(super) fn wants_remedy(&self) -> bool {
        matches!(self, Self::Listed { .. } | Self::NotWanted)
    }

    /// What is wrong and what to do about it; empty if nothing can be told. `relay`: the host is the relay of the settings.
    pub(super) fn remedy(&self, relay: bool) -> String {
        let way_out = if relay {
            "ask the administrator of the relay"
        } else {
            "send through a relay or from another network"
        };
        match self {
            Self::Listed { list, after_content } => {
                let what = if *after_content {
                    "This machine's IP address, the sender's domain or a link in the mail"
                } else {
                    "This machine's IP address, or the sender's domain,"
                };
                let list = if is_url(list) {
                    format!("a block list: see {list}")
                } else {
                    format!("the block list {list}")
                };
                format!(
                    "{what} is on {list}. Look it up there and ask for its removal; until then {way_out}."
                )
            }
            Self::NotWanted => format!(
                "It does not want mail from this machine's IP address: often that is on a block list, or has no static \
                 IP address or reverse name. Ask its administrator for the reason, or {way_out}."
            ),
            Self::Other(text, _) => (*text).to_owned(),
        }
    }
}

fn say(text: &'static str) -> Meaning {
    Meaning::Other(text, RETRY)
}

/// The stages at which a host knows this machine and nothing of the mail.
fn is_at_the_door(stage: ExchangeStage) -> bool {
    matches!(
        stage,
        ExchangeStage::Greeting | ExchangeStage::Ehlo | ExchangeStage::Helo
    )
}

fn by_status(status: EnhancedStatusCode, soft: bool, stage: ExchangeStage) -> Option<Meaning> {
    if let Some(unknown) = unknown_yet(status).filter(|_| soft) {
        return Some(say(unknown));
    }
    match status.subject {
        7 => Some(by_policy(status.detail, soft, stage)),
        2 => by_mailbox(status.detail, soft),
        subject => Some(say(match (subject, status.detail) {
            (1, 1) => "There is no such mailbox: check the part before the @.",
            (1, 2) => "It does not know the recipient's domain: check the part after the @.",
            (1, 3) => "It finds the recipient's address ill-formed: check it.",
            (1, 4) => "Several mailboxes fit the address: ask the recipient for the full one.",
            (1, 6) => "The mailbox has moved and left no new address: ask the recipient for it.",
            (1, 7 | 8) => {
                "It does not accept the sender's address: use one that exists and can receive mail."
            }
            // RFC 7505 for a domain without mail; Exchange says it of a mailbox.
            (1, 10) => "There is no such mailbox, or its domain takes no mail: check the address.",
            (3, 4) => "The mail is too large for it: make it smaller, or send a link instead.",
            (3, 1) => "It has no room for mail.",
            (3, 2) if soft => "It takes no mail at the moment.",
            (3, 2) => "It says that it takes no mail.",
            (3, 5) => "Its settings are at fault: tell its administrator.",
            // What Exchange Online says of a mailbox that it does not know.
            (4, 1) if !soft && stage == ExchangeStage::Rcpt => {
                "Most likely there is no such mailbox: check the part before the @."
            }
            (4, 1) => "It cannot reach the server that holds the mailbox.",
            (4, 4) => "It cannot find a way to the recipient: check the part after the @.",
            (4, 6) => "It passes mail for the recipient round in a circle: tell its administrator.",
            (5, 2 | 4) if matches!(stage, ExchangeStage::Ehlo | ExchangeStage::Helo) => BAD_HELLO,
            (5, 3) => "It takes no more recipients in one go: send to the rest separately.",
            _ => return None,
        })),
    }
}

/// What a 4yz says of an address or a domain: it could not be found out, or not for good.
fn unknown_yet(status: EnhancedStatusCode) -> Option<&'static str> {
    Some(match (status.subject, status.detail) {
        (1, 1..=6 | 10) => "It cannot tell now whether there is such a mailbox.",
        (1, 7 | 8) | (7, 27) => {
            "It cannot check the sender's address now. If it stays so, use one that exists and can receive mail."
        }
        (7, 20..=22) => {
            "It cannot check the mail's DKIM signature now. If it stays so, ask the administrator of the sender's domain."
        }
        (7, 23 | 24) => {
            "It cannot check now whether the sender's domain allows this machine to send for it (SPF). If it stays so, ask \
             the administrator of that domain."
        }
        (7, 25) => {
            "It finds no reverse name for this machine's IP address now. If it stays so, ask the provider to set one."
        }
        (7, 26) => {
            "It cannot tell now whether the mail comes from the sender's domain (SPF, DKIM, DMARC). If it stays so, send from \
             a machine that the domain authorises."
        }
        _ => return None,
    })
}

const BAD_HELLO: &str = "It does not accept the name that this machine gives in EHLO: set one that is in the DNS and leads \
     to this machine.";
const TOO_LARGE: &str = "The mail is too large for the mailbox: make it smaller, or send a link instead.";
const GREYLISTING: &str = "Most likely it lets strangers wait (greylisting), or the mailbox is busy.";

/// X.2.z: mailbox status.
fn by_mailbox(detail: u16, soft: bool) -> Option<Meaning> {
    Some(match detail {
        // What postgrey says.
        0 if soft => Meaning::Other(GREYLISTING, GREYLISTED),
        1 if soft => say("The mailbox takes no mail at the moment; it may have received too much lately."),
        1 => say("The mailbox is disabled: reach the recipient in another way."),
        2 => Meaning::Other(
            "The recipient's mailbox is full: tell the recipient in another way.",
            MAILBOX_FULL,
        ),
        3 => say(TOO_LARGE),
        4 => say("The address is a mailing list that cannot be served: tell its owner."),
        _ => return None,
    })
}

/// X.7.z: security or policy status.
fn by_policy(detail: u16, soft: bool, stage: ExchangeStage) -> Meaning {
    let knows_only_the_address = is_at_the_door(stage) || stage == ExchangeStage::Mail;
    match detail {
        0 | 1 if !soft && knows_only_the_address => Meaning::NotWanted,
        1 if soft && is_at_the_door(stage) => Meaning::NotWanted,
        1 if soft => Meaning::Other(
            "Most likely it lets strangers wait (greylisting). If it stays so, this machine's IP address may be on a block \
             list or have no reverse name.",
            GREYLISTED,
        ),
        1 if matches!(stage, ExchangeStage::Chunk | ExchangeStage::Content) => say(
            "Its policy forbids this mail: it takes it for spam, or does not trust the IP address or the domain that it \
             comes from. Change the content, send from another network, or ask its administrator.",
        ),
        1 => say(
            "Its policy forbids this mail: often the sending address is on a block list, or has no static IP address or \
             reverse name. Send from another network, or ask its administrator.",
        ),
        2 => say("The sender may not write to this mailing list: ask its owner."),
        10 => say("It takes mail only over TLS."),
        17 | 18 => say("The address belongs to somebody else by now: ask the recipient for the new one."),
        20..=22 => say("It demands a valid DKIM signature: ask the administrator of the sender's domain."),
        23 => say(
            "The sender's domain does not allow this machine to send for it (SPF): send from a machine that the domain \
             lists, or have this one listed.",
        ),
        24 => say(
            "It cannot evaluate the SPF record of the sender's domain, which says what machines may send for it: ask the \
             administrator of that domain to correct it.",
        ),
        25 => say(
            "This machine's IP address has no matching reverse name in the DNS: ask the provider to set one, or send from \
             a network that has it.",
        ),
        // 509 and 515 are those of Exchange Online.
        26 | 509 | 515 => say(
            "The mail cannot be shown to come from the sender's domain (SPF, DKIM, DMARC): send from a machine that the \
             domain authorises.",
        ),
        27 => say("The sender's domain declares that it accepts no mail: use a sender's address that can."),
        28 if soft => say("Too many mails came from here lately: send fewer at a time."),
        28 => say(
            "It takes what comes from here for a flood of mail: send much less, and ask its administrator to let this \
             sender in again.",
        ),
        // What Exchange Online says of banned addresses, and of those that it slows down.
        606..=649 if !soft => Meaning::NotWanted,
        500..=999 if soft => {
            say("It limits what it takes from this machine's IP address: send fewer mails at a time.")
        }
        _ if soft => say(
            "Its policy makes this mail wait: often too many mails came from here lately, or it does not trust this \
             machine's IP address yet.",
        ),
        _ => say("Its policy forbids this mail: ask its administrator, or send from another network."),
    }
}

fn by_code(code: ReplyCode, soft: bool, stage: ExchangeStage) -> Meaning {
    match (code, stage) {
        (ReplyCode::SERVICE_NOT_AVAILABLE, _) => say("It is busy or closing down."),
        (ReplyCode::MAILBOX_BUSY | ReplyCode::LOCAL_ERROR, ExchangeStage::Rcpt) => {
            Meaning::Other(GREYLISTING, GREYLISTED)
        }
        (ReplyCode::INSUFFICIENT_STORAGE, _) => say("It is short of room."),
        (
            ReplyCode::PARAMETER_SYNTAX | ReplyCode::PARAMETER_NOT_IMPLEMENTED,
            ExchangeStage::Ehlo | ExchangeStage::Helo,
        ) => say(BAD_HELLO),
        _ if is_at_the_door(stage) && !soft => Meaning::NotWanted,
        _ if is_at_the_door(stage) => say("It takes no mail from this machine at the moment."),
        // https://www.rfc-editor.org/rfc/rfc7504: a host, or a domain, without mail.
        (ReplyCode::NO_MAIL_HERE | ReplyCode::DOMAIN_TAKES_NO_MAIL, ExchangeStage::Rcpt) => {
            say("The recipient's domain takes no mail: check the part after the @.")
        }
        (ReplyCode::MAILBOX_UNAVAILABLE, ExchangeStage::Rcpt) => say(
            "Most likely there is no such mailbox, or it takes no mail from this network: check the address.",
        ),
        (
            ReplyCode::NO_MAIL_HERE
            | ReplyCode::MAILBOX_UNAVAILABLE
            | ReplyCode::MAILBOX_NAME
            | ReplyCode::TRANSACTION_FAILED,
            ExchangeStage::Mail,
        ) => say(
            "It does not accept this sender or this network: often because there is no static IP address or no reverse \
             name. Send from another network, or ask its administrator.",
        ),
        (ReplyCode::USER_NOT_LOCAL, _) => {
            say("The mailbox is elsewhere: its words may name the new address.")
        }
        (ReplyCode::STORAGE_EXCEEDED, ExchangeStage::Rcpt) => {
            say("The recipient's mailbox is full: tell the recipient in another way.")
        }
        (ReplyCode::STORAGE_EXCEEDED, _) => {
            say("The mail is too large, or the mailbox is full: make it smaller, or send a link instead.")
        }
        (ReplyCode::MAILBOX_NAME, _) => say("It finds the recipient's address not allowed: check it."),
        (ReplyCode::SECURITY_REQUIRED | ReplyCode::CREDENTIALS_INVALID, _) => {
            say("It takes mail only from users who log in: it is no mail exchanger for strangers.")
        }
        (_, ExchangeStage::Chunk | ExchangeStage::Content) if !soft => say(
            "It read the mail and does not want it, most likely taking it for spam: change the content, or ask its \
             administrator.",
        ),
        _ if soft => say(""),
        _ => say("Ask its administrator for the reason."),
    }
}

/// The block list that a reply names, if it may be about one at all.
fn block_list(reply: &Reply) -> Option<String> {
    let may_be = match reply.enhanced.map(|status| (status.subject, status.detail)) {
        None | Some((0 | 3, _)) => true,
        Some((7, detail)) => !(2..500).contains(&detail),
        Some(_) => false,
    };
    if !may_be {
        return None;
    }
    let lines: Vec<_> = reply
        .lines
        .iter()
        .map(|line| String::from_utf8_lossy(line))
        .collect();
    let text = lines.join(" ");
    // The same length in octets, so that a place in one is a place in the other.
    let lower = text.to_ascii_lowercase();
    named_list(&text, &lower).or_else(|| explained_list(&text, &lower))
}

/// `… blocked using zen.example.org`, `… is listed at https://lists.example.org/192.0.2.1`
fn named_list(text: &str, lower: &str) -> Option<String> {
    const VERBS: [&str; 2] = ["blocked ", "listed "];
    const PREPOSITIONS: [&str; 7] = ["using ", "by ", "in ", "at ", "on ", "via ", "with "];
    let mut places: Vec<usize> = VERBS
        .iter()
        .flat_map(|verb| lower.match_indices(verb))
        // `bob@example.org is not listed in example.org`
        .filter(|(place, _)| {
            let before = lower.get(..*place).unwrap_or_default().trim_end();
            !before.ends_with("not") && !before.ends_with("n't")
        })
        .map(|(place, verb)| place + verb.len())
        .collect();
    places.sort_unstable();
    places.into_iter().find_map(|place| {
        let rest = lower.get(place..)?;
        let preposition = PREPOSITIONS.iter().find(|word| rest.starts_with(**word))?;
        let word = text
            .get(place + preposition.len()..)?
            .split_ascii_whitespace()
            .next()?;
        let word = bare(word);
        (is_url(word) || is_list_name(word)).then(|| word.to_owned())
    })
}

/// The address of a page that explains it, where the text says that there is a list and not which.
fn explained_list(text: &str, lower: &str) -> Option<String> {
    const HINTS: [&str; 7] = [
        "block list",
        "blocklist",
        "black list",
        "blacklist",
        "dnsbl",
        "banned sending ip",
        " rbl",
    ];
    HINTS.iter().find(|hint| lower.contains(**hint))?;
    text.split_ascii_whitespace()
        .map(bare)
        .find(|word| is_url(word))
        .map(ToOwned::to_owned)
}

/// A word without the punctuation around it.
fn bare(word: &str) -> &str {
    word.trim_start_matches(['(', '[', '<', '"', '\''])
        .trim_end_matches(['.', ',', ';', ':', '!', ')', ']', '>', '"', '\''])
}

/// Harmless to print: it is ASCII without blanks and controls.
fn is_url(word: &str) -> bool {
    let after_scheme = ["http://", "https://"].iter().find_map(|scheme| {
        let (start, rest) = word.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    });
    after_scheme.is_some_and(|rest| !rest.is_empty())
        && word.len() <= MAX_LIST
        && word.bytes().all(|octet| octet.is_ascii_graphic())
}

fn is_list_name(word: &str) -> bool {
    let is_name = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'))
    };
    let ends_in_a_name = |label: &str| label.bytes().any(|octet| octet.is_ascii_alphabetic());
    word.len() <= MAX_LIST
        && word.split('.').all(is_name)
        && word
            .rsplit_once('.')
            .is_some_and(|(_, last)| ends_in_a_name(last))
        && word.parse::<IpAddr>().is_err()
}
