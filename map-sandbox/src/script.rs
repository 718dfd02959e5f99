//! Reads the script of a world, line by line. The language is described at the crate.

mod domain;
mod host;
mod mta_sts;
mod tlsa;

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use hickory_server::proto::rr::rdata::{A, AAAA};
use hickory_server::proto::rr::{LowerName, Name, RData};

use crate::world::{Entry, Host, TlsaData, World, WorldError};

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
            let number = index.saturating_add(1);
            world
                .read_line(&mut section, line, number)
                .map_err(|reason| WorldError { line: number, reason })?;
        }
        world.check_tlsa()?;
        world.publish_policies();
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
    fn read_line(&mut self, section: &mut Section, line: &str, number: usize) -> Parsed<()> {
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
                let host = host::host(rest)?;
                self.add_host(host)?;
                *section = Section::Host;
                Ok(())
            }
            "tlsa" => {
                let tlsa = match (section, self.hosts.last()) {
                    (Section::Domain(key), _) => tlsa::read(key, None, number, rest)?,
                    (Section::Host, Some(host)) => {
                        let owner = LowerName::new(&domain_name(&host.name)?);
                        tlsa::read(&owner, Some(&host.name), number, rest)?
                    }
                    _ => return Err("`tlsa` stands before the first `domain` or `host`".to_owned()),
                };
                self.tlsa.push(tlsa);
                Ok(())
            }
            _ => match section {
                Section::None => Err(format!("`{word}` stands before the first `domain` or `host`")),
                Section::Domain(key)
                    if key.is_wildcard() && matches!(word, "mta-sts" | "signed" | "unsigned") =>
                {
                    Err(format!("a wildcard cannot be `{word}`"))
                }
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

    /// A host may be named before it is there.
    fn check_tlsa(&self) -> Result<(), WorldError> {
        for tlsa in &self.tlsa {
            if let TlsaData::Of { host, .. } = &tlsa.data
                && self.host(host).is_none()
            {
                return Err(WorldError {
                    line: tlsa.line,
                    reason: format!("there is no host `{host}`"),
                });
            }
        }
        Ok(())
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
        ("", _) => Err(format!("`{statement}` needs something after it")),
        (word, "") => Ok(word),
        (_, rest) => Err(format!("`{statement}` takes one word, but `{rest}` follows")),
    }
}
