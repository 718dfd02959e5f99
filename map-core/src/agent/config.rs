//! The settings of an agent.

use crate::address::MailboxDomain;
use crate::delivery::{HelloName, Relay};
use crate::dkim::DkimSigner;
use crate::net::HTTPS_PORT;
use crate::net::tls::TlsSettings;
use crate::net::{Connector, Family, ProbeHosts, Proxy, SocksConnector, TcpConnector};
use crate::route::{HostNames, Policy, Resolver, TrustAnchorError, TrustAnchors};
use crate::smtp::{Chunking, Deadlines};
use crate::text::{named, quoted};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// How an agent delivers. Setters check what they are given.
#[derive(Clone, Debug)]
pub struct Config {
    pub(super) dns_servers: Vec<SocketAddr>,
    pub(super) dns_trust_anchors: TrustAnchors,
    pub(super) resolver: Option<Arc<dyn Resolver>>,
    pub(super) connector: Option<Arc<dyn Connector>>,
    pub(super) proxy: Option<Proxy>,
    pub(super) tcp: TcpConnector,
    pub(super) policy: Policy,
    pub(super) smtp_port: u16,
    pub(super) hello_name: HelloName,
    pub(super) connect_timeout: Duration,
    pub(super) deadline: Option<Duration>,
    pub(super) deadlines: Deadlines,
    pub(super) chunking: Chunking,
    pub(super) port25_check: bool,
    pub(super) port25_probe_hosts: ProbeHosts,
    pub(super) require_tls: bool,
    pub(super) dane: bool,
    pub(super) mta_sts: bool,
    pub(super) https_port: u16,
    pub(super) tls_roots: Vec<CertificateDer<'static>>,
    pub(super) platform_roots: bool,
    pub(super) relay: Option<Relay>,
    pub(super) dkim_signers: Vec<DkimSigner>,
}

/// A setting that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Not `address` or `address:port`.
    #[error("{} is not a DNS server: write an IP address, or address:port", quoted(.0))]
    DnsServer(String),
    /// Zero, or too long to be meant.
    #[error("a deadline must be longer than zero and at most a year")]
    Duration,
    /// `localhost`, or neither a domain name nor an address literal.
    #[error("the EHLO name {} is not one: write the domain name of this machine, or an address literal", quoted(.0))]
    HelloName(String),
    /// 0
    #[error("port 0 is not a port to connect to")]
    Port,
    /// Unspecified, multicast or broadcast.
    #[error("{0} is not an address that anything can be sent from")]
    SourceAddress(IpAddr),
    /// Two of one family.
    #[error("there can be one source address of each family, and {0} is the second of its own")]
    SourceFamily(IpAddr),
    /// Not an IP address.
    #[error("{} is not an IP address to send from", quoted(.0))]
    SourceText(String),
    /// No certificates that can be trusted; the reason.
    #[error("these are no certificates of authorities: {}", named(.0))]
    TlsRoots(String),
    /// No DNSKEY records of the DNS root.
    #[error("this is no DNSSEC trust anchor: {0}")]
    TrustAnchor(#[from] TrustAnchorError),
}

/// One of the deadlines of the exchange, for [`Config::set_timeout`]; the defaults are those of RFC 5321 section
/// 4.5.3.2 where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Timeout {
    /// The reply to AUTH and to each of its steps; 120 s.
    Auth,
    /// Connecting to one address; 15 s.
    Connect,
    /// The content, without progress; 180 s.
    Content,
    /// Each 64 KiB of the content, or what is left of it, until the host has taken it: its least rate; 300 s.
    ContentBlock,
    /// The reply to DATA; 120 s.
    Data,
    /// The final reply; 600 s. A shorter one makes `RE_UNCERTAIN` likelier.
    FinalReply,
    /// The greeting; 300 s.
    Greeting,
    /// The reply to EHLO or HELO; 300 s.
    Hello,
    /// The reply to MAIL; 300 s.
    Mail,
    /// The reply to QUIT; 2 s.
    Quit,
    /// The reply to RCPT; 300 s.
    Rcpt,
    /// All replies of a mail's hosts together, and what contents take beyond 8 KiB a second; 3600 s, and one second more for
    /// each recipient. After it no mail transaction begins any more; a content that has begun goes on. Recipients whose
    /// domains have the same hosts have it together.
    Replies,
    /// From the start to the first octet of content, DNS and all hosts included; 300 s. Where a host takes several mail
    /// transactions, each of the others has the same from its MAIL on.
    Start,
    /// The reply to STARTTLS; 60 s.
    StartTls,
    /// The TLS handshake; 15 s.
    Tls,
}

const DNS_PORT: u16 = 53;
const SMTP_PORT: u16 = 25;
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// The defaults: the system's resolver, port 25, the deadlines of RFC 5321.
    pub fn new() -> Self {
        Self {
            dns_servers: Vec::new(),
            dns_trust_anchors: TrustAnchors::default(),
            resolver: None,
            connector: None,
            proxy: None,
            tcp: TcpConnector::default(),
            policy: Policy::default(),
            smtp_port: SMTP_PORT,
            hello_name: HelloName::default(),
            connect_timeout: Duration::from_secs(15),
            deadline: None,
            deadlines: Deadlines::default(),
            chunking: Chunking::default(),
            port25_check: true,
            port25_probe_hosts: ProbeHosts::default(),
            require_tls: false,
            dane: true,
            mta_sts: true,
            https_port: HTTPS_PORT,
            tls_roots: Vec::new(),
            platform_roots: true,
            relay: None,
            dkim_signers: Vec::new(),
        }
    }

    /// Asks these DNS servers instead of the system's; an empty list goes back to the system's. The names of a relay and a
    /// proxy, which the operating system looks up as for any program, are then asked of them, too.
    pub fn set_dns_servers(&mut self, servers: Vec<SocketAddr>) {
        self.dns_servers = servers;
    }

    /// The same, from texts: `127.0.0.1:5300`, `[::1]:53`, `192.0.2.1`. Changes nothing unless all can be read.
    ///
    /// # Errors
    /// A text that is not a server.
    pub fn parse_dns_servers<'a>(
        &mut self,
        servers: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), ConfigError> {
        self.dns_servers = servers.into_iter().map(dns_server).collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Trusts these keys of the DNS root for DNSSEC instead of those that are built in: one or more DNSKEY records in
    /// the form of a zone file, as `dig . DNSKEY` prints them.
    ///
    /// # Errors
    /// [`ConfigError::TrustAnchor`]; the setting is as before then.
    pub fn set_dns_trust_anchor(&mut self, records: &str) -> Result<(), ConfigError> {
        self.dns_trust_anchors = records.parse()?;
        Ok(())
    }

    /// Asks this resolver instead of DNS servers.
    pub fn set_resolver(&mut self, resolver: Arc<dyn Resolver>) {
        self.resolver = Some(resolver);
    }

    /// Connects by this connector instead of TCP: to mail hosts, and to the policy hosts of MTA-STS at port 443. The source
    /// address is its own matter then.
    pub fn set_connector(&mut self, connector: Arc<dyn Connector>) {
        self.connector = Some(connector);
    }

    /// Connects to mail hosts, and to the policy hosts of MTA-STS, through this SOCKS5 proxy; `None` for no proxy. It is not
    /// used for the DNS. Its own name is looked up as that of a [relay](crate::Relay::new).
    ///
    /// [`Proxy`] says who looks up the addresses of mail hosts. If the proxy does, a domain without an MX record is taken
    /// for its own mail host without a look at its addresses, and only the rules of the proxy keep mail away from
    /// addresses that it must not be sent to. No probe host is asked about port 25, since the way is not this machine's.
    ///
    /// # Example
    /// ```
    /// # fn main() -> Result<(), map_core::net::ProxyUrlError> {
    /// let mut config = map_core::Config::new();
    /// config.set_proxy(Some("socks5h://proxy.example.net:1080".parse()?));
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_proxy(&mut self, proxy: Option<Proxy>) {
        self.proxy = proxy;
    }

    /// The address that connections come from, where a machine has several and the mail should leave by the one that has
    /// a reverse name or is listed for the domain. One of each family can be set, by two calls; a family without one
    /// keeps the system's choice. `None` takes both back.
    ///
    /// It holds for connections to mail hosts, to the policy hosts of MTA-STS, to a proxy and to probe hosts, not for the
    /// DNS.
    ///
    /// # Errors
    /// An address that nothing can be sent from: unspecified, multicast, broadcast. Whether this machine has the address
    /// is seen when a connection is made, and the attempt in the report says so.
    pub fn set_source_address(&mut self, source: Option<IpAddr>) -> Result<(), ConfigError> {
        self.tcp = match source.map(|source| source.to_canonical()) {
            None => TcpConnector::default(),
            Some(IpAddr::V4(source)) if source.is_broadcast() => {
                return Err(ConfigError::SourceAddress(source.into()));
            }
            Some(source) if source.is_unspecified() || source.is_multicast() => {
                return Err(ConfigError::SourceAddress(source));
            }
            Some(source) => self.tcp.from_source(source),
        };
        Ok(())
    }

    /// The same, from texts: one address, or one of each family; none for the system's choice. Changes nothing unless all
    /// can be used.
    ///
    /// # Errors
    /// A text that is no address, an address that nothing can be sent from, and the second of a family.
    pub fn parse_source_addresses<'a>(
        &mut self,
        addresses: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), ConfigError> {
        let mut changed = self.clone();
        changed.set_source_address(None)?;
        let mut families = Vec::new();
        for text in addresses {
            let text = text.trim();
            let address: IpAddr = text
                .parse()
                .map_err(|_| ConfigError::SourceText(text.to_owned()))?;
            let family = Family::from(address.to_canonical());
            if families.contains(&family) {
                return Err(ConfigError::SourceFamily(address));
            }
            families.push(family);
            changed.set_source_address(Some(address))?;
        }
        *self = changed;
        Ok(())
    }

    /// The way to mail hosts that these settings make.
    pub(super) fn connector(&self, host_names: &HostNames) -> Arc<dyn Connector> {
        let connector = match &self.connector {
            Some(connector) => Arc::clone(connector),
            None => Arc::new(self.tcp),
        };
        match &self.proxy {
            Some(proxy) => Arc::new(SocksConnector::new(proxy.clone(), connector, host_names.clone())),
            None => connector,
        }
    }

    /// Signs by DKIM what is sent from the signer's domain, or from one below it, by the domain of `From`. Several signers
    /// may sign one message: one with RSA, which every verifier knows, and one with Ed25519.
    ///
    /// # Example
    /// ```no_run
    /// use map_core::dkim::DkimSigner;
    ///
    /// let mut config = map_core::Config::new();
    /// config.add_dkim_signer(DkimSigner::from_file("example.com".parse()?, "mail2026", "/etc/mail/dkim.pem")?);
    /// let agent = map_core::Agent::new(config);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add_dkim_signer(&mut self, signer: DkimSigner) {
        self.dkim_signers.push(signer);
    }

    /// The port of mail hosts; 25.
    ///
    /// # Errors
    /// Port 0.
    pub fn set_smtp_port(&mut self, port: u16) -> Result<(), ConfigError> {
        if port == 0 {
            return Err(ConfigError::Port);
        }
        self.smtp_port = port;
        Ok(())
    }

    /// The name in EHLO: a domain or an address literal; `None` for the machine's own.
    ///
    /// # Errors
    /// A text that is neither, and `localhost`, which names every machine and so none.
    pub fn set_hello_name(&mut self, name: Option<&str>) -> Result<(), ConfigError> {
        let Some(text) = name else {
            self.hello_name = HelloName::OfMachine;
            return Ok(());
        };
        match text.parse::<MailboxDomain>() {
            Ok(name) if !name.to_string().eq_ignore_ascii_case("localhost") => {
                self.hello_name = HelloName::Fixed(name);
                Ok(())
            }
            _ => Err(ConfigError::HelloName(text.to_owned())),
        }
    }

    /// The caller's total deadline for one send, DNS and MTA-STS included; `None` for no other than the exchange's own.
    ///
    /// # Errors
    /// Zero, or longer than a year.
    pub fn set_deadline(&mut self, deadline: Option<Duration>) -> Result<(), ConfigError> {
        self.deadline = deadline.map(sensible).transpose()?;
        Ok(())
    }

    /// The caller's total deadline for one send.
    pub fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// One deadline of the exchange.
    ///
    /// # Errors
    /// Zero, or longer than a year.
    pub fn set_timeout(&mut self, which: Timeout, duration: Duration) -> Result<(), ConfigError> {
        let duration = sensible(duration)?;
        let timeout = match which {
            Timeout::Auth => &mut self.deadlines.auth,
            Timeout::Connect => &mut self.connect_timeout,
            Timeout::Content => &mut self.deadlines.content,
            Timeout::ContentBlock => &mut self.deadlines.content_block,
            Timeout::Data => &mut self.deadlines.data,
            Timeout::FinalReply => &mut self.deadlines.final_reply,
            Timeout::Greeting => &mut self.deadlines.greeting,
            Timeout::Hello => &mut self.deadlines.hello,
            Timeout::Mail => &mut self.deadlines.mail,
            Timeout::Quit => &mut self.deadlines.quit,
            Timeout::Rcpt => &mut self.deadlines.rcpt,
            Timeout::Replies => &mut self.deadlines.replies,
            Timeout::Start => &mut self.deadlines.start,
            Timeout::StartTls => &mut self.deadlines.starttls,
            Timeout::Tls => &mut self.deadlines.tls,
        };
        *timeout = duration;
        Ok(())
    }

    /// When a content goes by BDAT (RFC 3030) and not by DATA; [`Chunking::Auto`].
    pub fn set_chunking(&mut self, chunking: Chunking) {
        self.chunking = chunking;
    }

    /// Allows targets on this machine, by loopback addresses or by those of its interfaces: for tests, for the sandbox, and
    /// for programs on the recipient's own mail server.
    pub fn set_allow_loopback(&mut self, allow: bool) {
        self.policy.allow_loopback = allow;
    }

    /// Refuses private ranges as targets, too.
    pub fn set_public_only(&mut self, public_only: bool) {
        self.policy.public_only = public_only;
    }

    /// Takes no domain without an MX record (the letter of MAP 3.5.3).
    pub fn set_require_mx(&mut self, require: bool) {
        self.policy.require_mx = require;
    }

    /// Whether to ask probe hosts if outgoing port 25 is blocked when no mail host could be connected to; true. Without it
    /// a blocked port is `RE_SERVER_UNREACH`, never `RE_PORT_BLOCKED`.
    pub fn set_port25_check(&mut self, check: bool) {
        self.port25_check = check;
    }

    /// Whom to ask; `None` for the default, hosts of large providers.
    pub fn set_port25_probe_hosts(&mut self, probe_hosts: Option<ProbeHosts>) {
        self.port25_probe_hosts = probe_hosts.unwrap_or_default();
    }

    /// Sends only over TLS, to a mail host that has proved who it is: by DANE where its zone has TLSA records, else by a
    /// certificate for its name (the name of the MX record) from an authority that is trusted. False: TLS is used where
    /// it is offered, and the certificate is verified only where DANE or MTA-STS asks for it.
    ///
    /// Much of the Internet's mail cannot be delivered with it: many hosts have a certificate for another name. A host
    /// that cannot be verified is `RE_SERVER_UNREACH`, transient, with 4.7.5.
    ///
    /// Has no effect on a relay, whose own [security](crate::RelaySecurity) counts.
    pub fn set_require_tls(&mut self, require: bool) {
        self.require_tls = require;
    }

    /// Whether to verify mail hosts by DANE (RFC 7672), the signed records of their zones; true.
    pub fn set_dane(&mut self, dane: bool) {
        self.dane = dane;
    }

    /// Whether to follow the MTA-STS policies (RFC 8461) of recipients' domains; true.
    pub fn set_mta_sts(&mut self, mta_sts: bool) {
        self.mta_sts = mta_sts;
    }

    /// Trusts these certificate authorities, too, for relays, MTA-STS and [`Self::set_require_tls`]: one or more
    /// certificates in PEM. Changes nothing unless all can be read.
    ///
    /// # Errors
    /// [`ConfigError::TlsRoots`].
    pub fn add_tls_roots(&mut self, pem: &str) -> Result<(), ConfigError> {
        self.tls_roots.extend(roots(pem)?);
        Ok(())
    }

    /// Whether the certificate authorities of the platform are trusted, too; true. Where the platform has none to offer,
    /// those that Mozilla trusts stand in for them.
    pub fn set_platform_roots(&mut self, trust: bool) {
        self.platform_roots = trust;
    }

    /// The port where MTA-STS policies are fetched; 443. For tests and the sandbox.
    ///
    /// # Errors
    /// Port 0.
    pub fn set_https_port(&mut self, port: u16) -> Result<(), ConfigError> {
        if port == 0 {
            return Err(ConfigError::Port);
        }
        self.https_port = port;
        Ok(())
    }

    /// Hands all mail to this relay instead of the recipients' own mail hosts; `None` for the direct road.
    ///
    /// No MX record is looked up then, port 25 and the rules about targets (loopback, private ranges) do not count, and
    /// neither do DANE and MTA-STS. [`Self::set_smtp_port`] is not the relay's port.
    pub fn set_relay(&mut self, relay: Option<Relay>) {
        self.relay = relay;
    }

    /// What TLS sessions are made by.
    pub(super) fn tls_settings(&self) -> TlsSettings {
        let settings = TlsSettings::default().with_extra_roots(self.tls_roots.clone());
        if self.platform_roots {
            settings
        } else {
            settings.without_platform_roots()
        }
    }
}

fn roots(pem: &str) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let unfit = |why: String| ConfigError::TlsRoots(why);
    let roots: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| unfit(format!("the PEM cannot be read ({error})")))?;
    if roots.is_empty() {
        return Err(unfit("there is no certificate in the PEM".to_owned()));
    }
    for root in &roots {
        webpki::anchor_from_trusted_cert(root)
            .map_err(|error| unfit(format!("one of them cannot be read ({error})")))?;
    }
    Ok(roots)
}

fn sensible(duration: Duration) -> Result<Duration, ConfigError> {
    if duration.is_zero() || duration > LONGEST {
        Err(ConfigError::Duration)
    } else {
        Ok(duration)
    }
}

fn dns_server(text: &str) -> Result<SocketAddr, ConfigError> {
    let text = text.trim();
    text.parse::<SocketAddr>()
        .ok()
        .filter(|server| server.port() != 0)
        .or_else(|| {
            text.parse::<IpAddr>()
                .ok()
                .map(|address| SocketAddr::new(address, DNS_PORT))
        })
        .ok_or_else(|| ConfigError::DnsServer(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dns_servers_are_read_as_a_person_writes_them() {
        let cases = [
            ("127.0.0.1:5300", Some("127.0.0.1:5300")),
            (" 192.0.2.1 ", Some("192.0.2.1:53")),
            ("[::1]:5300", Some("[::1]:5300")),
            ("2001:db8::1", Some("[2001:db8::1]:53")),
            ("127.0.0.1:0", None),
            ("dns.example.com", None),
            ("127.0.0.1:99999", None),
            ("", None),
        ];
        for (text, server) in cases {
            let mut config = Config::new();
            let read = config.parse_dns_servers([text]).map(|()| config.dns_servers);
            let expected = match server {
                Some(server) => Ok(vec![server.parse().expect("a socket address")]),
                None => Err(ConfigError::DnsServer(text.trim().to_owned())),
            };
            assert_eq!(read, expected, "{text:?}");
        }
    }

    #[test]
    fn source_addresses_are_one_of_each_family() {
        let mut config = Config::new();
        config
            .parse_source_addresses(["192.0.2.1", " 2001:db8::1 "])
            .expect("one of each family");
        let both = config.tcp;
        let refused = [
            (vec!["mail.example.com"], "is not an IP address"),
            (vec!["192.0.2.1", "::ffff:192.0.2.2"], "the second of its own"),
            (vec!["192.0.2.2", "::"], "anything can be sent from"),
        ];
        for (addresses, why) in refused {
            let error = config
                .parse_source_addresses(addresses.iter().copied())
                .expect_err("cannot be used");
            assert!(error.to_string().contains(why), "{error}");
            assert_eq!(config.tcp, both, "{addresses:?}");
        }
        config.parse_source_addresses([]).expect("none");
        assert_eq!(config.tcp, TcpConnector::default());
    }

    #[test]
    fn one_bad_server_leaves_the_servers_as_they_were() {
        let mut config = Config::new();
        config.parse_dns_servers(["192.0.2.1"]).expect("a server");
        config
            .parse_dns_servers(["192.0.2.2", "nonsense"])
            .expect_err("not a server");
        assert_eq!(
            config.dns_servers,
            ["192.0.2.1:53".parse().expect("a socket address")]
        );
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let mut config = Config::new();
        assert_eq!(config.set_smtp_port(0), Err(ConfigError::Port));
        assert_eq!(
            config.set_deadline(Some(Duration::ZERO)),
            Err(ConfigError::Duration)
        );
        assert_eq!(
            config.set_deadline(Some(Duration::MAX)),
            Err(ConfigError::Duration)
        );
        assert_eq!(
            config.set_timeout(Timeout::Mail, Duration::ZERO),
            Err(ConfigError::Duration)
        );
        for name in [
            "",
            "localhost",
            "LOCALHOST",
            "two words",
            "-x.example",
            "a\r\nMAIL",
            "[300.1.1.1]",
        ] {
            assert_eq!(
                config.set_hello_name(Some(name)),
                Err(ConfigError::HelloName(name.to_owned()))
            );
        }
    }

    #[test]
    fn source_addresses_are_those_that_can_send() {
        for text in [
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
            "::ffff:0.0.0.0",
        ] {
            let source: IpAddr = text.parse().expect("an address");
            let error = Err(ConfigError::SourceAddress(source.to_canonical()));
            assert_eq!(Config::new().set_source_address(Some(source)), error, "{text}");
        }
        for text in ["192.0.2.1", "127.0.0.1", "2001:db8::1", "fd00::1"] {
            let source: IpAddr = text.parse().expect("an address");
            assert_eq!(Config::new().set_source_address(Some(source)), Ok(()), "{text}");
        }
    }

    #[test]
    fn roots_are_certificates_all_of_them() {
        let made = |name: &str| {
            let key = rcgen::KeyPair::generate().expect("a key");
            let certificate = rcgen::CertificateParams::new([name.to_owned()])
                .and_then(|params| params.self_signed(&key))
                .expect("a certificate");
            certificate.pem()
        };
        let (one, other) = (made("one.example"), made("other.example"));
        let mut config = Config::new();
        config.add_tls_roots(&one).expect("a certificate");
        config
            .add_tls_roots(&format!("# two of them\n{one}{other}"))
            .expect("certificates");
        assert_eq!(config.tls_roots.len(), 3);
        let nonsense = "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n";
        let half: String = one.lines().take(3).collect::<Vec<_>>().join("\n");
        for pem in ["", "nonsense", nonsense, &format!("{other}{nonsense}"), &half] {
            let error = config.add_tls_roots(pem).expect_err("no certificate");
            assert!(matches!(error, ConfigError::TlsRoots(_)), "{error}");
            assert_eq!(config.tls_roots.len(), 3, "{pem}");
        }
    }

    #[test]
    fn policies_are_followed_unless_they_are_switched_off() {
        let mut config = Config::new();
        let settings = |config: &Config| (config.require_tls, config.dane, config.mta_sts, config.https_port);
        assert_eq!(settings(&config), (false, true, true, 443));
        config.set_require_tls(true);
        config.set_dane(false);
        config.set_mta_sts(false);
        config.set_https_port(8443).expect("a port");
        assert_eq!(config.set_https_port(0), Err(ConfigError::Port));
        assert_eq!(settings(&config), (true, false, false, 8443));
    }

    #[test]
    fn no_password_of_a_relay_is_shown() {
        let relay = Relay::new("mail.example.net", 465, crate::RelaySecurity::Implicit)
            .and_then(|relay| relay.with_login("alice", "s3cret", crate::smtp::SecretKind::Password));
        let mut config = Config::new();
        config.set_relay(Some(relay.expect("a relay")));
        let shown = format!("{config:?}");
        assert!(shown.contains("alice") && !shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn no_password_of_a_proxy_is_shown() {
        let mut config = Config::new();
        config.set_proxy(Some("socks5://alice:s3cret@127.0.0.1".parse().expect("a proxy")));
        let shown = format!("{config:?}");
        assert!(shown.contains("alice") && !shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn a_trust_anchor_is_a_key_of_the_root() {
        let mut config = Config::new();
        let error = config
            .set_dns_trust_anchor("example. IN NS ns.example.")
            .expect_err("no key");
        assert!(matches!(error, ConfigError::TrustAnchor(_)), "{error}");
        assert_eq!(
            format!("{:?}", config.dns_trust_anchors),
            "TrustAnchors { root_keys: 2 }"
        );
        let key = ". IN DNSKEY 257 3 13 \
            KXX8lzMOgAB9pQn4OYmSzrP0rEVWrdXSu5vQ0DKhUvLNkmJrQtk7QZAzl+QW51cYSs2JiuQwJVEPK0yV6GXgWQ==";
        config.set_dns_trust_anchor(key).expect("a key of the root");
        assert_eq!(
            format!("{:?}", config.dns_trust_anchors),
            "TrustAnchors { root_keys: 1 }"
        );
    }

    #[test]
    fn each_timeout_sets_its_own_deadline() {
        let all = [
            Timeout::Auth,
            Timeout::Connect,
            Timeout::Content,
            Timeout::ContentBlock,
            Timeout::Data,
            Timeout::FinalReply,
            Timeout::Greeting,
            Timeout::Hello,
            Timeout::Mail,
            Timeout::Quit,
            Timeout::Rcpt,
            Timeout::Replies,
            Timeout::Start,
            Timeout::StartTls,
            Timeout::Tls,
        ];
        let mut config = Config::new();
        for (seconds, which) in (1..).zip(all) {
            config
                .set_timeout(which, Duration::from_secs(seconds))
                .expect("a duration");
        }
        let deadlines = &config.deadlines;
        let set = [
            deadlines.auth,
            config.connect_timeout,
            deadlines.content,
            deadlines.content_block,
            deadlines.data,
            deadlines.final_reply,
            deadlines.greeting,
            deadlines.hello,
            deadlines.mail,
            deadlines.quit,
            deadlines.rcpt,
            deadlines.replies,
            deadlines.start,
            deadlines.starttls,
            deadlines.tls,
        ];
        assert!(
            set.iter()
                .zip(1..)
                .all(|(duration, seconds)| *duration == Duration::from_secs(seconds))
        );
    }
}
