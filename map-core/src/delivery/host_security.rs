//! How the session with a mail host has to be protected, and who says so.
//!
//! These are asked in this order, and the first that has something to say decides:
//!
//! 1. a relay's own [security](super::RelaySecurity), and for a relay nothing else;
//! 2. DANE (RFC 7672), asked about each host: TLS and a match, or TLS with any certificate where no record is usable;
//!    a look-up that fails rules the host out, and so does one that finds no address for it;
//! 3. MTA-STS (RFC 8461), asked about the recipient's domain: a host that its policy does not name is ruled out, another
//!    needs a certificate for its name;
//! 4. [`Config::set_require_tls`](crate::Config::set_require_tls), or a message that
//!    [requires it](crate::message::Message::require_tls): a certificate for the host's name, too;
//! 5. nobody: TLS where it works, and else the clear.
//!
//! Where the second applies to a host the third does not, and cannot rescue it (RFC 8461 section 2). The fourth is
//! content with what proves the host in the second and third. It is not content with the TLS of unusable TLSA records:
//! they ask for no proof, so nothing would be verified, and the setting promises that something is.

use super::outcome::{Cause, HostExcluded, TlsPolicy};
use super::warnings::Warnings;
use super::{Environment, Relay, RelaySecurity};
use crate::address::MailboxDomain;
use crate::net::tls::{TlsFacts, TlsPeer, Verification};
use crate::route::mta_sts::{FetchPolicy, MtaSts, StsFinding, StsMode, StsPolicy};
use crate::route::{
    self, Dane, HostName, MxHost, NotValidating, Proof, Route, RouteError, Target, Validation,
};
use crate::smtp::TlsUse;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// The MTA-STS policies that an agent knows, and the way to more of them.
#[derive(Clone, Debug)]
pub(crate) struct StsSource {
    pub(crate) known: Arc<MtaSts>,
    pub(crate) fetcher: Arc<dyn FetchPolicy>,
}

/// How sessions with one host are protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostSecurity {
    pub(super) tls: TlsUse,
    pub(super) verification: Verification,
    /// Who demands TLS; `None` where nothing does.
    pub(super) policy: Option<TlsPolicy>,
    /// The name that the host is asked for.
    pub(super) server_name: String,
    /// For the report, whatever comes of it.
    pub(super) warnings: Vec<String>,
}

/// What holds for all mail hosts of a domain.
#[derive(Debug)]
pub(super) struct TlsRequirements {
    /// As the report names it.
    domain: String,
    /// The domain, and the domain behind its aliases: names that a certificate may carry if the MX set was proved.
    names: Vec<HostName>,
    /// What DANE demands can be asked for, at this port of each host.
    dane: Option<u16>,
    sts: Option<Arc<StsPolicy>>,
    require_tls: bool,
    /// The message demands REQUIRETLS (RFC 8689).
    whole_way: bool,
}

/// The hosts of a domain, and what holds for them.
#[derive(Debug)]
pub(super) struct DomainRoute {
    pub(super) route: Route,
    pub(super) requirements: TlsRequirements,
    /// For the report.
    pub(super) warnings: Warnings,
}

/// What two domains have in common whose mail may go the same way: to the same hosts in the same order, which have to
/// prove themselves in the same way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RouteKey {
    hosts: Vec<(usize, String)>,
    /// A policy in testing is not shared: what is said of it names the domain.
    sts: Option<Patterns>,
    dane: Option<u16>,
    require_tls: bool,
}

/// The hosts that a policy names.
#[derive(Clone, Debug)]
struct Patterns(Arc<StsPolicy>);

impl PartialEq for Patterns {
    fn eq(&self, other: &Self) -> bool {
        self.0.mx == other.0.mx
    }
}

impl Eq for Patterns {}

impl Hash for Patterns {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.mx.hash(hasher);
    }
}

/// The hosts of a domain, and whether what DANE says of them can be validated.
pub(super) struct FoundHosts {
    route: Route,
    validation: Option<Validation>,
}

/// Finds the hosts of a domain.
///
/// With DANE the MX set is validated. A forged one would lead to hosts of the forger's, which can prove all that
/// DANE asks of them; so a mail waits for the signatures of the MX set, and for no others than its host's.
///
/// # Errors
/// As [`route::find`].
pub(super) async fn find_hosts(
    environment: &Environment,
    domain: &MailboxDomain,
) -> Result<FoundHosts, RouteError> {
    let resolver = environment.resolver.as_ref();
    if !environment.dane {
        let route = route::find(resolver, domain, &environment.policy).await?;
        let validation = None;
        return Ok(FoundHosts { route, validation });
    }
    let route = route::find_validated(resolver, domain, &environment.policy).await?;
    let validation = match domain {
        MailboxDomain::Domain(_) => Some(resolver.validation().await),
        MailboxDomain::Literal(_) => None,
    };
    Ok(FoundHosts { route, validation })
}

/// What holds for all of the hosts of a domain, after what was found of them and of its policy.
pub(super) fn domain_route(
    environment: &Environment,
    domain: &MailboxDomain,
    found: FoundHosts,
    finding: Option<&StsFinding>,
) -> DomainRoute {
    let FoundHosts {
        mut route,
        validation,
    } = found;
    let mut warnings = Warnings::default();
    if let Some(said) = finding.and_then(|finding| sts_warning(finding, domain)) {
        warnings.add(&said);
    }
    let mut names = Vec::new();
    if let MailboxDomain::Domain(domain) = domain {
        names.push(HostName::from(domain));
        names.extend(route.canonical_name.clone());
    }
    let mut dane = None;
    match validation {
        Some(Validation::On) => dane = Some(environment.smtp_port),
        Some(Validation::Off(why)) => {
            if let Some(said) = dane_warning(&why, environment) {
                warnings.add(&said);
            }
        }
        None => {}
    }
    // A message waits for its turn with as many of these as it has domains.
    warnings.leave_out(&route.dropped, "", &format!("mail exchangers of {domain}"));
    route.dropped.retain(|dropped| dropped.why == RouteError::TooMany);
    let requirements = TlsRequirements {
        domain: domain.to_string(),
        names,
        dane,
        sts: finding
            .and_then(|finding| finding.policy().cloned())
            .filter(|policy| policy.mode != StsMode::None),
        require_tls: environment.require_tls,
        whole_way: false,
    };
    DomainRoute {
        route,
        requirements,
        warnings,
    }
}

/// The MTA-STS policy of a domain; `patience` is the time until the content must start.
///
/// A domain whose policy host is silent must stay deliverable, however short the caller's deadline is: the look-up has a
/// third of the time, and the rest is for the mail. It goes on for the mails that follow.
pub(super) async fn sts_finding(
    environment: &Environment,
    patience: Duration,
    domain: &MailboxDomain,
) -> Option<StsFinding> {
    match (&environment.mta_sts, domain) {
        (Some(source), MailboxDomain::Domain(domain)) => {
            let known = &source.known;
            let mut looking_up = pin!(known.policy(&environment.resolver, &source.fetcher, domain));
            let finding = timeout(patience / 3, looking_up.as_mut()).await;
            Some(finding.unwrap_or_else(|_elapsed| known.without_patience(domain)))
        }
        _ => None,
    }
}

fn sts_warning(finding: &StsFinding, domain: &MailboxDomain) -> Option<String> {
    let problem = finding.problem()?;
    Some(if finding.policy().is_some() {
        format!(
            "the remembered MTA-STS policy of {domain} was followed, the current one could not be had: {problem}"
        )
    } else {
        format!("the MTA-STS policy of {domain} could not be had: {problem}")
    })
}

fn dane_warning(why: &NotValidating, environment: &Environment) -> Option<String> {
    is_worth_a_warning(why, environment)
        .then(|| format!("DNSSEC cannot be validated here, so DANE was not used: {why}"))
}

/// A world of loopback has a DNS of its own, which knows no root as a rule; nobody needs to hear that with each mail.
fn is_worth_a_warning(why: &NotValidating, environment: &Environment) -> bool {
    let has_no_root = matches!(
        why,
        NotValidating::NoAnswer | NotValidating::Refused(_) | NotValidating::Unsupported
    );
    !(environment.policy.allow_loopback && has_no_root)
}

impl DomainRoute {
    /// Demands what REQUIRETLS does of every host.
    pub(super) fn require_tls_on_the_whole_way(&mut self) {
        self.requirements.require_tls = true;
        self.requirements.whole_way = true;
    }

    /// Mail for one domain may go the way of mail for another one with the same key; `None` where that depends on the
    /// domain itself.
    pub(super) fn key(&self) -> Option<RouteKey> {
        let sts = match &self.requirements.sts {
            None => None,
            Some(policy) if policy.mode == StsMode::Enforce => Some(Patterns(Arc::clone(policy))),
            Some(_) => return None,
        };
        self.is_transferable().then(|| RouteKey {
            hosts: ranked(&self.route),
            sts,
            dane: self.requirements.dane,
            require_tls: self.requirements.require_tls,
        })
    }

    /// Nothing about the hosts depends on the domain that led to them: not the names that a certificate may carry, as with
    /// DANE with a signed MX set; and no host is left out for lack of room.
    fn is_transferable(&self) -> bool {
        let is_proved = self.route.hosts.iter().any(|host| host.proof == Proof::Secure);
        let is_cut_short = self
            .route
            .dropped
            .iter()
            .any(|dropped| dropped.why == RouteError::TooMany);
        // Where no MX record leads to the host, it is the domain itself that does; and with REQUIRETLS each domain needs a
        // proof of its own that it leads there.
        let is_implicit = self.route.hosts.iter().any(|host| host.implicit);
        let depends =
            is_proved && self.requirements.dane.is_some() || is_implicit || self.requirements.whole_way;
        !(depends || is_cut_short)
    }
}

/// The hosts in the order that their domain gives them; those of one preference are in none.
fn ranked(route: &Route) -> Vec<(usize, String)> {
    let mut preferences: Vec<u16> = route.hosts.iter().map(|host| host.preference).collect();
    preferences.sort_unstable();
    preferences.dedup();
    let rank_of = |host: &MxHost| preferences.partition_point(|other| *other < host.preference);
    let mut ranked: Vec<_> = route
        .hosts
        .iter()
        .map(|host| (rank_of(host), host.target.to_string()))
        .collect();
    ranked.sort_unstable();
    ranked
}

impl TlsRequirements {
    /// How sessions with a host are to be protected; asks what DANE says of it.
    pub(super) async fn security(
        &self,
        environment: &Environment,
        host: &MxHost,
    ) -> Result<HostSecurity, Cause> {
        if self.whole_way && !self.is_proved(host) {
            return Err(Cause::HostExcluded(HostExcluded::NotProved));
        }
        let (Target::Name(name), Some(port)) = (&host.target, self.dane) else {
            return self.decide_by_sts(&host.target).map_err(Cause::HostExcluded);
        };
        let resolver = environment.resolver.as_ref();
        let dane = route::dane(resolver, name, port).await;
        // An address that was found all the same is not proved, and could be forged where its absence is. A proxy looks
        // the name up itself, and may know it where the DNS here does not.
        if dane == Dane::NoAddress && environment.connector.by_name().is_none() {
            return Err(Cause::Route(RouteError::without_address(host.implicit)));
        }
        let demands_nothing = matches!(dane, Dane::NoAddress | Dane::NotApplicable);
        let mut security = self.decide(host, dane).map_err(Cause::HostExcluded)?;
        // The machine may have come to another network since the MX set was validated.
        if demands_nothing && let Validation::Off(why) = resolver.validation().await {
            security.warnings.extend(dane_warning(&why, environment));
        }
        Ok(security)
    }

    // https://www.rfc-editor.org/rfc/rfc8689#section-4.2.1: a host that an unsigned MX record leads to must be named by the
    // MTA-STS policy.
    fn is_proved(&self, host: &MxHost) -> bool {
        let Target::Name(name) = &host.target else {
            return true;
        };
        let is_in_policy = self.sts.as_ref().is_some_and(|policy| policy.matches(name));
        host.implicit || host.proof == Proof::Secure || is_in_policy
    }

    fn decide(&self, host: &MxHost, dane: Dane) -> Result<HostSecurity, HostExcluded> {
        let security = match dane {
            Dane::Failed(error) => return Err(HostExcluded::Dane(error)),
            Dane::Records { tlsa, mut names } => {
                // https://www.rfc-editor.org/rfc/rfc7672#section-3.2.2
                // > If the TLSA base domain was obtained indirectly via a "secure" MX lookup [...], then the original
                // > next-hop domain used in the MX lookup MUST be included as a second reference identifier. The
                // > CNAME-expanded original next-hop domain MUST be included as a third
                if host.proof == Proof::Secure {
                    for name in &self.names {
                        if !names.contains(name) {
                            names.push(name.clone());
                        }
                    }
                }
                // https://www.rfc-editor.org/rfc/rfc7672#section-8.1
                // > the SMTP client MUST send the TLS SNI extension containing the TLSA base domain
                let server_name = names.first().map(|base| base.as_ascii().to_owned());
                HostSecurity {
                    server_name: server_name.unwrap_or_else(|| server_name_of(&host.target)),
                    ..HostSecurity::required(
                        TlsPolicy::Dane,
                        Verification::Dane { tlsa, names },
                        &host.target,
                    )
                }
            }
            Dane::UnusableOnly if !self.require_tls => {
                HostSecurity::required(TlsPolicy::Dane, Verification::Unverified, &host.target)
            }
            Dane::UnusableOnly => self.by_setting(&host.target),
            Dane::NoAddress | Dane::NotApplicable => return self.decide_by_sts(&host.target),
        };
        Ok(security)
    }

    fn decide_by_sts(&self, target: &Target) -> Result<HostSecurity, HostExcluded> {
        let (Some(policy), Target::Name(name)) = (&self.sts, target) else {
            return Ok(self.by_setting(target));
        };
        let is_named = policy.matches(name);
        if policy.mode == StsMode::Enforce {
            return if is_named {
                Ok(HostSecurity::required(
                    TlsPolicy::MtaSts,
                    Verification::Pkix,
                    target,
                ))
            } else {
                Err(HostExcluded::NotInPolicy)
            };
        }
        let mut security = self.by_setting(target);
        if security.policy.is_none() {
            security.verification = Verification::PkixObserved;
        }
        let warning = (!is_named).then(|| self.would_fail(&format!("does not name {name}")));
        security.warnings.extend(warning);
        Ok(security)
    }

    fn by_setting(&self, target: &Target) -> HostSecurity {
        if self.require_tls {
            HostSecurity::required(TlsPolicy::Required, Verification::Pkix, target)
        } else {
            HostSecurity::new(TlsUse::Opportunistic, Verification::Unverified, target)
        }
    }

    /// What a conversation with a host would have come to if the MTA-STS policy were enforced, for the report.
    pub(super) fn remark(
        &self,
        security: &HostSecurity,
        host: &str,
        tls: Option<&TlsFacts>,
    ) -> Option<String> {
        if security.verification != Verification::PkixObserved {
            return None;
        }
        match tls {
            None => Some(self.would_fail(&format!(
                "demands TLS, and the session with {host} was in the clear"
            ))),
            Some(TlsFacts {
                problem: Some(problem),
                ..
            }) => Some(self.would_fail(&format!(
                "demands a certificate that an authority vouches for, and that of {host} {problem}"
            ))),
            Some(_) => None,
        }
    }

    fn would_fail(&self, what: &str) -> String {
        format!(
            "the MTA-STS policy of {} is in testing; it {what}, and will forbid the delivery once it is enforced",
            self.domain
        )
    }
}

impl HostSecurity {
    fn new(tls: TlsUse, verification: Verification, target: &Target) -> Self {
        Self {
            tls,
            verification,
            policy: None,
            server_name: server_name_of(target),
            warnings: Vec::new(),
        }
    }

    fn required(policy: TlsPolicy, verification: Verification, target: &Target) -> Self {
        Self {
            policy: Some(policy),
            ..Self::new(TlsUse::Required, verification, target)
        }
    }

    pub(super) fn of_relay(relay: &Relay) -> Self {
        let (tls, verification, policy) = match relay.security() {
            RelaySecurity::Clear => (TlsUse::Clear, Verification::Unverified, None),
            RelaySecurity::Implicit => (TlsUse::Implicit, Verification::Pkix, Some(TlsPolicy::Relay)),
            RelaySecurity::Opportunistic => (TlsUse::Opportunistic, Verification::Unverified, None),
            RelaySecurity::StartTls => (TlsUse::Required, Verification::Pkix, Some(TlsPolicy::Relay)),
        };
        Self {
            policy,
            ..Self::new(tls, verification, relay.host())
        }
    }

    /// Whom TLS is spoken with.
    pub(super) fn peer(&self, environment: &Environment) -> TlsPeer {
        TlsPeer {
            server_name: self.server_name.clone(),
            verification: self.verification.clone(),
            settings: environment.tls.clone(),
        }
    }
}

/// As TLS asks for it: an address has no brackets there.
fn server_name_of(target: &Target) -> String {
    match target {
        Target::Address(IpAddr::V4(address)) => address.to_string(),
        Target::Address(IpAddr::V6(address)) => address.to_string(),
        Target::Name(name) => name.as_ascii().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain_route(hosts: &[(u16, &str)]) -> DomainRoute {
        let host = |&(preference, name): &(u16, &str)| MxHost {
            target: Target::Name(HostName::parse(name).expect("a name")),
            implicit: false,
            preference,
            proof: Proof::Insecure,
        };
        DomainRoute {
            route: Route {
                hosts: hosts.iter().map(host).collect(),
                dropped: Vec::new(),
                canonical_name: None,
            },
            requirements: TlsRequirements {
                domain: "example.org".to_owned(),
                names: Vec::new(),
                dane: Some(25),
                sts: None,
                require_tls: false,
                whole_way: false,
            },
            warnings: Warnings::default(),
        }
    }

    fn are_the_same(one: &DomainRoute, other: &DomainRoute) -> bool {
        one.key().is_some_and(|key| other.key() == Some(key))
    }

    fn policy(mode: &str, pattern: &str) -> Arc<StsPolicy> {
        let text = format!("version: STSv1\r\nmode: {mode}\r\nmx: {pattern}\r\nmax_age: 86400\r\n");
        Arc::new(StsPolicy::parse(text.as_bytes()).expect("a policy"))
    }

    type Change = fn(&mut DomainRoute);

    #[test]
    fn the_way_is_shared_where_nothing_depends_on_the_domain() {
        let one = domain_route(&[(10, "a.example"), (10, "b.example"), (20, "c.example")]);
        assert!(are_the_same(
            &one,
            &domain_route(&[(5, "b.example"), (5, "a.example"), (7, "c.example")])
        ));
        for others in [
            &[(10, "a.example"), (20, "b.example"), (20, "c.example")][..],
            &[(10, "a.example"), (10, "b.example")],
            &[(10, "a.example"), (10, "b.example"), (20, "d.example")],
        ] {
            assert!(!are_the_same(&one, &domain_route(others)), "{others:?}");
        }

        let hosts = &[(1, "mx.example")][..];
        let changed = |change: Change| {
            let mut pair = [domain_route(hosts), domain_route(hosts)];
            pair.iter_mut().for_each(change);
            pair
        };
        let rows: [(bool, Change); 9] = [
            (true, |_| {}),
            (true, |both| {
                both.requirements.sts = Some(policy("enforce", "mx.example"));
            }),
            (true, |both| both.requirements.require_tls = true),
            // What is said of a policy in testing names the domain.
            (false, |both| {
                both.requirements.sts = Some(policy("testing", "mx.example"));
            }),
            // With REQUIRETLS each domain has to prove that it leads there.
            (false, DomainRoute::require_tls_on_the_whole_way),
            // No MX record leads there: one of the two is the host itself.
            (false, |both| both.route.hosts[0].implicit = true),
            // The domain's own name may stand in the certificate.
            (false, |both| both.route.hosts[0].proof = Proof::Secure),
            (true, |both| {
                both.route.hosts[0].proof = Proof::Secure;
                both.requirements.dane = None;
            }),
            (false, |both| {
                both.route.dropped.push(route::Dropped {
                    what: "another".to_owned(),
                    why: RouteError::TooMany,
                });
            }),
        ];
        for (number, (same, change)) in rows.into_iter().enumerate() {
            let [one, other] = changed(change);
            assert_eq!(are_the_same(&one, &other), same, "row {number}");
        }
        let mut with_policy = domain_route(hosts);
        with_policy.requirements.sts = Some(policy("enforce", "mx.example"));
        let mut with_another = domain_route(hosts);
        with_another.requirements.sts = Some(policy("enforce", "*.example"));
        assert!(!are_the_same(&with_policy, &domain_route(hosts)));
        assert!(!are_the_same(&with_policy, &with_another));
    }
}
