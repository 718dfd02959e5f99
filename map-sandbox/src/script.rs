//! Reads the script of a world, line by line. The language is described at the crate.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use hickory_server::proto::op::ResponseCode;
use hickory_server::proto::rr::rdata::{A, AAAA, CNAME, MX, TXT};
use hickory_server::proto::rr::{LowerName, Name, RData, RecordType};

use crate::smtp::Stage;
use crate::world::{
    Action, After, Cut, DnsFailure, DnsFault, Entry, Host, Listening, Offer, Pattern, Rule, Stop, World,
    WorldError,
};

impl FromStr for World {
    type Err = WorldError;

    fn from_str(script: &str) -> Result<Self, WorldError> {
        let mut world = Self::default();
        let mut section = Section::None;
        for (index, line) in script.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            world.read_line(&mut section, line).map_err(|reason| WorldError {
                line: index.saturating_add(1),
                reason,
            })?;
        }
        Ok(world)
    }
}

/// What the lines below belong to.
enum Section {
    None,
    Domain(LowerName),
    Host,
}

type Parsed<T> = Result<T, String>;

impl World {
    fn read_line(&mut self, section: &mut Section, line: &str) -> Parsed<()> {
        let (word, rest) = split_word(line);
        match word {
            "domain" => {
                let name = domain_name(one_word(word, rest)?)?;
                let key = LowerName::new(&name);
                self.names.entry(key.clone()).or_insert_with(Entry::new);
                *section = Section::Domain(key);
                Ok(())
            }
            "host" => {
                let host = host(rest)?;
                self.add_host(host)?;
                *section = Section::Host;
                Ok(())
            }
            _ => match section {
                Section::None => Err(format!("`{word}` stands before the first `domain` or `host`")),
                Section::Domain(key) => match self.names.get_mut(key) {
                    Some(entry) => entry.read_line(word, rest),
                    None => Err("the domain is gone".to_owned()),
                },
                Section::Host => match self.hosts.last_mut() {
                    Some(host) => host.read_line(word, rest),
                    None => Err("the host is gone".to_owned()),
                },
            },
        }
    }

    fn add_host(&mut self, host: Host) -> Parsed<()> {
        for earlier in &self.hosts {
            if earlier.name.eq_ignore_ascii_case(&host.name) {
                return Err(format!("the host `{}` is there already", host.name));
            }
            if let Some(address) = host.addresses.iter().find(|&a| earlier.addresses.contains(a)) {
                return Err(format!("{address} belongs to `{}` already", earlier.name));
            }
        }
        let name = domain_name(&host.name)?;
        let entry = self.names.entry(LowerName::new(&name)).or_insert_with(Entry::new);
        for address in &host.addresses {
            let record = address_record(*address);
            if !entry.records.contains(&record) {
                entry.records.push(record);
            }
        }
        self.hosts.push(host);
        Ok(())
    }
}

impl Entry {
    fn read_line(&mut self, word: &str, rest: &str) -> Parsed<()> {
        match word {
            "a" => {
                let address = one_word(word, rest)?
                    .parse()
                    .map_err(|_| format!("`{rest}` is no IPv4 address"))?;
                self.add(RData::A(A(address)))
            }
            "aaaa" => {
                let address = one_word(word, rest)?
                    .parse()
                    .map_err(|_| format!("`{rest}` is no IPv6 address"))?;
                self.add(RData::AAAA(AAAA(address)))
            }
            "cname" => {
                let (target, alone) = split_word(rest);
                match alone {
                    "" => {}
                    "alone" => self.cname_alone = true,
                    _ => {
                        return Err(format!(
                            "`{alone}` behind the target: only `alone` can stand there"
                        ));
                    }
                }
                if self
                    .records
                    .iter()
                    .any(|record| matches!(record, RData::CNAME(_)))
                {
                    return Err("a name has one `cname` at most".to_owned());
                }
                self.add(RData::CNAME(CNAME(domain_name(target)?)))
            }
            "delay" => {
                self.delay = duration(one_word(word, rest)?)?;
                Ok(())
            }
            "mx" => {
                let (preference, exchange) = split_word(rest);
                let preference = preference
                    .parse()
                    .map_err(|_| format!("`{preference}` is no preference: `mx 10 mx.example.com`"))?;
                self.add(RData::MX(MX::new(
                    preference,
                    domain_name(one_word(word, exchange)?)?,
                )))
            }
            "ttl" => {
                self.ttl = one_word(word, rest)?
                    .parse()
                    .map_err(|_| format!("`{rest}` is no number of seconds"))?;
                Ok(())
            }
            "txt" => self.add(RData::TXT(text_record(rest)?)),
            _ => {
                let how = match word {
                    "formerr" => DnsFailure::Code(ResponseCode::FormErr),
                    "notimp" => DnsFailure::Code(ResponseCode::NotImp),
                    "nxdomain" => DnsFailure::Code(ResponseCode::NXDomain),
                    "refused" => DnsFailure::Code(ResponseCode::Refused),
                    "servfail" => DnsFailure::Code(ResponseCode::ServFail),
                    "silent" => DnsFailure::Silent,
                    "truncate" => DnsFailure::Truncate,
                    _ => return Err(format!("a domain knows no `{word}`")),
                };
                let only = match rest {
                    "" => None,
                    _ => Some(
                        RecordType::from_str(&rest.to_ascii_uppercase())
                            .map_err(|_| format!("`{rest}` is no type of record"))?,
                    ),
                };
                self.faults.push(DnsFault { only, how });
                Ok(())
            }
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "every statement ends in it")]
    fn add(&mut self, record: RData) -> Parsed<()> {
        self.records.push(record);
        Ok(())
    }
}

impl Host {
    fn read_line(&mut self, word: &str, rest: &str) -> Parsed<()> {
        match word {
            "offer" if rest == "nothing" => {
                self.offers.clear();
                Ok(())
            }
            "offer" => {
                let offers: Vec<_> = rest.split(',').map(|line| Offer::new(line.trim())).collect();
                if offers.iter().any(|offer| offer.keyword.is_empty()) {
                    return Err("`offer` takes extensions with commas between them, or `nothing`".to_owned());
                }
                self.offers = offers;
                Ok(())
            }
            "without" => {
                let Some(stage @ Stage::Command(_)) = Stage::from_word(one_word(word, rest)?) else {
                    return Err(format!("`{rest}` is no command"));
                };
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

fn host(text: &str) -> Parsed<Host> {
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
        return Err(format!("`{behind}`: another action follows behind `then`"));
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

/// Text with the escapes `\r`, `\n`, `\t`, `\\` and `\xNN`.
fn octets(text: &str) -> Parsed<Vec<u8>> {
    let mut octets = Vec::new();
    let mut rest = text.chars();
    while let Some(next) = rest.next() {
        if next != '\\' {
            octets.extend(next.encode_utf8(&mut [0; 4]).bytes());
            continue;
        }
        match rest.next() {
            Some('r') => octets.push(b'\r'),
            Some('n') => octets.push(b'\n'),
            Some('t') => octets.push(b'\t'),
            Some('\\') => octets.push(b'\\'),
            Some('x') => {
                let digits: String = rest.by_ref().take(2).collect();
                // `from_str_radix` alone would take one digit, or a sign.
                let two = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                let octet = u8::from_str_radix(&digits, 16).ok().filter(|_| two);
                let octet = octet.ok_or_else(|| format!("`\\x{digits}` is no octet"))?;
                octets.push(octet);
            }
            _ => return Err("a backslash stands before r, n, t, xNN or another backslash".to_owned()),
        }
    }
    Ok(octets)
}

/// A TXT record holds strings of at most 255 octets.
fn text_record(text: &str) -> Parsed<TXT> {
    let text = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text);
    let octets = octets(text)?;
    Ok(TXT::from_bytes(octets.chunks(255).collect()))
}

fn address_record(address: IpAddr) -> RData {
    match address {
        IpAddr::V4(address) => RData::A(A(address)),
        IpAddr::V6(address) => RData::AAAA(AAAA(address)),
    }
}

/// A name of the DNS, always complete.
fn domain_name(text: &str) -> Parsed<Name> {
    let mut name = match text {
        "" => return Err("a domain name is missing".to_owned()),
        _ => Name::from_ascii(text).map_err(|_| format!("`{text}` is no domain name (A-labels only)"))?,
    };
    name.set_fqdn(true);
    Ok(name)
}

/// `50ms`, `2s`.
fn duration(text: &str) -> Parsed<Duration> {
    let parsed = match text.strip_suffix("ms") {
        Some(number) => number.parse().map(Duration::from_millis),
        None => text
            .strip_suffix('s')
            .unwrap_or_default()
            .parse()
            .map(Duration::from_secs),
    };
    parsed.map_err(|_| format!("`{text}` is no duration like 50ms or 2s"))
}

fn split_word(text: &str) -> (&str, &str) {
    match text.split_once(char::is_whitespace) {
        Some((word, rest)) => (word, rest.trim_start()),
        None => (text, ""),
    }
}

fn one_word<'a>(statement: &str, text: &'a str) -> Parsed<&'a str> {
    match split_word(text) {
        ("", _) => Err(format!("`{statement}` needs something behind it")),
        (word, "") => Ok(word),
        (_, rest) => Err(format!("`{statement}` takes one word, but `{rest}` follows")),
    }
}
