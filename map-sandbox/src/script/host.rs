//! The line `host`, and those below it.

use std::net::IpAddr;

use super::{Parsed, domain_name, duration, octets, one_word, split_word};
use crate::auth::{Account, Mechanism};
use crate::certificates::{Issuer, Quality, Versions};
use crate::smtp::Stage;
use crate::world::{
    Action, After, Cut, Host, Listening, Offer, Pattern, Rule, Shown, Stop, Tls, TlsFault, TlsHow,
};

impl Host {
    pub(super) fn read_line(&mut self, word: &str, rest: &str) -> Parsed<()> {
        match word {
            "offer" if rest == "nothing" => {
                self.offers.clear();
                self.offers_by_hand = true;
                Ok(())
            }
            "offer" => {
                let offers: Vec<_> = rest.split(',').map(|line| Offer::new(line.trim())).collect();
                if offers.iter().any(|offer| offer.keyword.is_empty()) {
                    return Err("`offer` takes extensions with commas between them, or `nothing`".to_owned());
                }
                self.offers = offers;
                self.offers_by_hand = true;
                Ok(())
            }
            "without" => {
                let Some(stage @ Stage::Command(_)) = Stage::from_word(one_word(word, rest)?) else {
                    return Err(format!("`{rest}` is no command"));
                };
                self.lacks_bdat |= stage == Stage::Command("BDAT");
                let actions = vec![Action::Reply(reply("502 5.5.1 Command not implemented")?)];
                self.rules.push(Rule {
                    connection: None,
                    stage,
                    nth: None,
                    argument: None,
                    actions,
                });
                Ok(())
            }
            "tls" => {
                self.tls.push(tls(rest)?);
                Ok(())
            }
            "auth" => {
                self.accounts.push(account(rest)?);
                Ok(())
            }
            "require" => {
                match rest {
                    "auth" => self.requires_auth = true,
                    "tls" => self.requires_tls = true,
                    _ => return Err(format!("`require {rest}`: a host can require `auth` or `tls`")),
                }
                Ok(())
            }
            "on" => {
                self.rules.push(rule(rest)?);
                Ok(())
            }
            "cut" => {
                self.cuts.push(cut(rest)?);
                Ok(())
            }
            _ => Err(format!("a host knows no `{word}`")),
        }
    }
}

pub(super) fn host(text: &str) -> Parsed<Host> {
    let mut words = text.split_whitespace();
    let name = words.next().ok_or("`host` needs a name and an address")?;
    let mut addresses = Vec::new();
    let mut listening = Listening::Server;
    for word in words {
        if listening != Listening::Server {
            return Err(format!(
                "nothing can follow `refused` or `unanswered`, but `{word}` does"
            ));
        }
        match word {
            "refused" => listening = Listening::Refused,
            "unanswered" => listening = Listening::Unanswered,
            _ => {
                let address: IpAddr = word.parse().map_err(|_| format!("`{word}` is no IP address"))?;
                // A test double that could be reached from elsewhere would be an open door.
                if !address.is_loopback() {
                    return Err(format!("{address} is no loopback address"));
                }
                if addresses.contains(&address) {
                    return Err(format!("{address} stands there twice"));
                }
                addresses.push(address);
            }
        }
    }
    if addresses.is_empty() {
        return Err(format!("the host `{name}` needs an address"));
    }
    Ok(Host::new(name.to_owned(), addresses, listening))
}

fn rule(text: &str) -> Parsed<Rule> {
    let (connection, text) = connection(text)?;
    let (word, mut rest) = split_word(text);
    let stage = Stage::from_word(word).ok_or_else(|| format!("`{word}` is no stage"))?;
    let mut nth = None;
    let mut argument = None;
    loop {
        let (word, behind) = split_word(rest);
        if word.is_empty() {
            return Err("the rule does not say what is to be done".to_owned());
        }
        if is_action(word) {
            break;
        }
        if let Ok(number) = word.parse::<usize>() {
            if number == 0 || nth.is_some() {
                return Err(format!("`{word}`: one number from 1 says which time is meant"));
            }
            nth = Some(number);
        } else if argument.is_some() {
            return Err(format!("`{word}` is no action"));
        } else {
            argument = Some(Pattern::new(
                word.strip_prefix('<')
                    .and_then(|w| w.strip_suffix('>'))
                    .unwrap_or(word),
            ));
        }
        rest = behind;
    }
    let mut actions = actions(rest)?;
    let speaks = |action: &Action| !matches!(action, Action::Delay(_) | Action::Drip(_));
    if !actions.iter().any(speaks) {
        actions.push(Action::Answer);
    }
    Ok(Rule {
        connection,
        stage,
        nth,
        argument,
        actions,
    })
}

fn cut(text: &str) -> Parsed<Cut> {
    let usage = || "a cut is written `cut close after sent 17`".to_owned();
    let (connection, text) = connection(text)?;
    let words: Vec<_> = text.split_whitespace().collect();
    let [stop, "after", what, count] = words.as_slice() else {
        return Err(usage());
    };
    let stop = stop_word(stop).ok_or_else(usage)?;
    let count = count
        .parse()
        .map_err(|_| format!("`{count}` is no number of octets"))?;
    let after = match *what {
        "received" => After::Received(count),
        "sent" => After::Sent(count),
        _ => return Err(usage()),
    };
    Ok(Cut {
        connection,
        stop,
        after,
    })
}

/// `[connection N] [implicit] good|expired|… [1.2] [for NAME, …]`, or a fault in the place of the certificate.
fn tls(text: &str) -> Parsed<Tls> {
    let (connection, text) = connection(text)?;
    let (names, words) = match text.split_once(" for ") {
        Some((words, names)) => (names, words),
        None => ("", text),
    };
    let mut words: Vec<_> = words.split_whitespace().collect();
    let implicit = words.first() == Some(&"implicit");
    if implicit {
        words.remove(0);
    }
    let fault = match words.as_slice() {
        [] => return Err("`tls` needs a certificate: `tls good`".to_owned()),
        [word] => tls_fault(word),
        _ => None,
    };
    let how = match (fault, words.as_slice()) {
        (Some(_), _) if !names.is_empty() => return Err("a handshake that fails shows no name".to_owned()),
        (Some(fault), _) => TlsHow::Fault(fault),
        (None, [qualities @ .., "1.2"]) => TlsHow::Session(shown(qualities, names, Versions::Tls12)?),
        (None, qualities) => TlsHow::Session(shown(qualities, names, Versions::All)?),
    };
    Ok(Tls {
        connection,
        implicit,
        how,
    })
}

/// `USER SECRET [MECHANISM, …] [clear]`
fn account(text: &str) -> Parsed<Account> {
    let (user, rest) = split_word(text);
    let (secret, rest) = split_word(rest);
    if secret.is_empty() {
        return Err("an account is written `auth USER SECRET`".to_owned());
    }
    let names = rest.strip_suffix("clear").unwrap_or(rest).trim_end();
    let in_clear = names.len() < rest.len();
    let mut mechanisms = vec![Mechanism::ScramSha256, Mechanism::Plain, Mechanism::Login];
    if !names.is_empty() {
        mechanisms.clear();
        for name in names.split(',').map(str::trim) {
            let mechanism = Mechanism::from_name(name);
            mechanisms.push(mechanism.ok_or_else(|| format!("`{name}` is no mechanism of AUTH here"))?);
        }
    }
    Ok(Account {
        user: user.to_owned(),
        secret: secret.to_owned(),
        mechanisms,
        in_clear,
    })
}

fn tls_fault(word: &str) -> Option<TlsFault> {
    Some(match word {
        "break" => TlsFault::Break,
        "garbage" => TlsFault::Garbage,
        "old" => TlsFault::Old,
        "reset" => TlsFault::Reset,
        "stall" => TlsFault::Stall,
        _ => return None,
    })
}

fn shown(qualities: &[&str], names: &str, versions: Versions) -> Parsed<Shown> {
    let quality = quality(qualities)?;
    let mut all = Vec::new();
    for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        domain_name(name)?;
        all.push(name.to_owned());
    }
    if quality.wrong_name && !all.is_empty() {
        return Err("a certificate has a `wrong-name`, or is `for` names".to_owned());
    }
    Ok(Shown {
        quality,
        names: all,
        versions,
    })
}

/// `good`, or what is wrong with a certificate.
pub(super) fn quality(words: &[&str]) -> Parsed<Quality> {
    let mut quality = Quality::default();
    if words == ["good"] {
        return Ok(quality);
    }
    if words.is_empty() {
        return Err("a certificate is `good`, or it is said what is wrong with it".to_owned());
    }
    for &word in words {
        match word {
            "expired" => quality.expired = true,
            "wrong-name" => quality.wrong_name = true,
            "self-signed" | "untrusted" if quality.issuer != Issuer::Authority => {
                return Err("a certificate is `self-signed` or `untrusted`, and once".to_owned());
            }
            "self-signed" => quality.issuer = Issuer::Itself,
            "untrusted" => quality.issuer = Issuer::Stranger,
            _ => return Err(format!("`{word}` is no quality of a certificate")),
        }
    }
    Ok(quality)
}

/// `connection N` and what follows it.
fn connection(text: &str) -> Parsed<(Option<usize>, &str)> {
    let (word, rest) = split_word(text);
    if word != "connection" {
        return Ok((None, text));
    }
    let (number, rest) = split_word(rest);
    match number.parse() {
        Ok(number) if number > 0 => Ok((Some(number), rest)),
        _ => Err(format!("`{number}` is no number of a connection (from 1)")),
    }
}

fn is_action(word: &str) -> bool {
    matches!(word, "answer" | "delay" | "drip" | "raw" | "reply") || stop_word(word).is_some()
}

fn stop_word(word: &str) -> Option<Stop> {
    match word {
        "close" => Some(Stop::Close),
        "reset" => Some(Stop::Reset),
        "silent" => Some(Stop::Silent),
        "stall" => Some(Stop::Stall),
        _ => None,
    }
}

/// `ACTION then ACTION …`
fn actions(text: &str) -> Parsed<Vec<Action>> {
    let (word, rest) = split_word(text);
    if matches!(word, "raw" | "reply") {
        return spoken(word, rest);
    }
    let (argument, behind) = match word {
        "delay" | "drip" => split_word(rest),
        _ => ("", rest),
    };
    let action = match word {
        "answer" => Action::Answer,
        "delay" => Action::Delay(duration(argument)?),
        "drip" => Action::Drip(duration(argument)?),
        _ => Action::Stop(stop_word(word).ok_or_else(|| format!("`{word}` is no action"))?),
    };
    let mut all = vec![action];
    if behind.is_empty() {
        return Ok(all);
    }
    if matches!(all.as_slice(), [Action::Stop(_)]) {
        return Err(format!("nothing can follow `{word}`, but `{behind}` does"));
    }
    let ("then", next) = split_word(behind) else {
        return Err(format!("`{behind}`: another action follows after `then`"));
    };
    all.extend(actions(next)?);
    Ok(all)
}

/// A text runs to the end of the line, or to the first ` then ` behind which actions follow.
fn spoken(word: &str, text: &str) -> Parsed<Vec<Action>> {
    let action = |text: &str| match word {
        "raw" => octets(text).map(Action::Raw),
        _ => reply(text).map(Action::Reply),
    };
    for (position, _) in text.match_indices(" then ") {
        let (before, behind) = text.split_at(position);
        if let Ok(behind) = actions(behind.trim_start_matches(" then ").trim_start()) {
            let mut all = vec![action(before)?];
            all.extend(behind);
            return Ok(all);
        }
    }
    Ok(vec![action(text)?])
}

/// `CODE TEXT`, with ` | ` between the lines.
fn reply(text: &str) -> Parsed<Vec<u8>> {
    let (code, rest) = split_word(text);
    if code.len() != 3 || !code.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(format!("`{code}` is no reply code of three digits"));
    }
    Ok(crate::smtp::render(code, &rest.split(" | ").collect::<Vec<_>>()))
}
