//! DANE for SMTP: what the DNS says of a mail host's certificate (RFC 7672).

use super::{Answer, HostName, LookupError, Proof, Record, RecordType, Resolver, Tlsa};

/// How many usable TLSA records of one host are looked at. Real hosts have a handful; a hostile zone may have hundreds,
/// and each would cost time in the handshake.
const MAX_RECORDS: usize = 32;

/// What DANE asks of a mail host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dane {
    /// A look-up that had to be made failed, or its answer is forged: the host must not be used now. Transient.
    Failed(LookupError),
    /// The host has no address: the validated look-ups of both families say so. One that another look-up found all the
    /// same is out of date or forged. Permanent.
    NoAddress,
    /// Nothing: the host's zone is unsigned, or proved to have no TLSA records for the host.
    NotApplicable,
    /// TLS, and a certificate that matches one of the records.
    Records {
        /// Those that are usable ([`Tlsa::is_usable`]), no more than the first 32 of them; at least one.
        tlsa: Vec<Tlsa>,
        /// The names one of which a certificate must have where a record of usage 2 (DANE-TA) is matched, the TLSA
        /// base domain first; at least one. If the MX set was proved too, the recipient's domain is another
        /// (RFC 7672 section 3.2.2).
        names: Vec<HostName>,
    },
    /// TLS, unverified: there are records, and none is usable.
    // https://www.rfc-editor.org/rfc/rfc7672#section-2.2
    // > A "secure" non-empty TLSA RRset where all the records are unusable: Any connection to the MTA MUST be made via
    // > TLS, but authentication is not required.
    UnusableOnly,
}

/// Asks what DANE demands of a mail host at this port.
///
/// It asks for the host's addresses again, and validated: the look-up can be made while the connection is being made,
/// as long as nothing of a mail is sent before it has ended.
///
/// ```
/// use map_core::route::{Dane, HickoryResolver, HostName, dane};
///
/// # async fn example() -> Result<(), map_core::route::RouteError> {
/// let host = HostName::parse("mail.example.org")?;
/// match dane(&HickoryResolver::system(), &host, 25).await {
///     Dane::NoAddress => println!("not this host"),
///     Dane::NotApplicable => println!("opportunistic TLS"),
///     Dane::Records { tlsa, .. } => println!("a certificate that matches one of {} records", tlsa.len()),
///     Dane::UnusableOnly => println!("TLS with any certificate"),
///     Dane::Failed(why) => println!("not this host now: {why}"),
/// }
/// # Ok(())
/// # }
/// ```
pub async fn dane(resolver: &dyn Resolver, host: &HostName, port: u16) -> Dane {
    let (v4, v6) = tokio::join!(
        resolver.query_validated(host.as_ascii(), RecordType::A),
        resolver.query_validated(host.as_ascii(), RecordType::Aaaa),
    );
    let address = match (v4, v6) {
        (Ok(answer), _) | (_, Ok(answer)) => answer,
        (Err(v4), Err(v6)) => {
            let failed = [v4, v6].into_iter().find(LookupError::is_transient);
            return failed.map_or(Dane::NoAddress, Dane::Failed);
        }
    };
    for base in base_domains(host, &address) {
        let name = format!("_{port}._tcp.{}", base.as_ascii());
        match resolver.query_validated(&name, RecordType::Tlsa).await {
            Ok(answer) if answer.proof == Proof::Secure => return demand(&answer, &base, host),
            // https://www.rfc-editor.org/rfc/rfc7672#section-2.1.2
            // > If any DNS queries used to locate TLSA records fail [...], then the SMTP client MUST treat that server
            // > as unreachable and MUST NOT deliver the message via that server.
            Err(error) if error.is_transient() => return Dane::Failed(error),
            // No records, or an unsigned zone's, which bind nobody.
            Ok(_) | Err(_) => {}
        }
    }
    Dane::NotApplicable
}

/// The names at which TLSA records are looked for, in order.
///
/// An unsigned host is asked for none: many name servers of unsigned zones do not answer such a question at all, and
/// [`Dane::Failed`] would make their domains undeliverable (RFC 7672 section 2.2.2).
fn base_domains(host: &HostName, address: &Answer) -> Vec<HostName> {
    let mut names = Vec::new();
    // The end of a chain of aliases that is proved in every link comes first: whoever runs the host publishes there,
    // not the many who point at it (https://www.rfc-editor.org/rfc/rfc7671#section-7).
    if address.proof == Proof::Secure
        && let Ok(canonical) = HostName::parse(&address.canonical_name)
    {
        names.push(canonical);
    }
    if address.first_proof == Proof::Secure && !names.contains(host) {
        names.push(host.clone());
    }
    names
}

fn demand(answer: &Answer, base: &HostName, host: &HostName) -> Dane {
    let usable = answer.records.iter().filter_map(usable);
    let tlsa: Vec<Tlsa> = usable.take(MAX_RECORDS).cloned().collect();
    if tlsa.is_empty() {
        return Dane::UnusableOnly;
    }
    let mut names = vec![base.clone()];
    if host != base {
        names.push(host.clone());
    }
    Dane::Records { tlsa, names }
}

fn usable(record: &Record) -> Option<&Tlsa> {
    match record {
        Record::Tlsa(tlsa) => Some(tlsa).filter(|tlsa| tlsa.is_usable()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
