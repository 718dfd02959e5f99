//! Real handshakes in memory, with certificates made here.

use super::*;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PublicKeyData, date_time_ymd,
};
use ring::digest;
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_rustls::TlsAcceptor;

const HOST: &str = "mx1.example.test";

/// A certificate authority and a server's certificate under it.
struct Server {
    authority: CertificateDer<'static>,
    authority_key: Vec<u8>,
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

impl Server {
    fn named(names: &[&str], expired: bool) -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority =
            CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        if expired {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        }
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &authority).expect("a certificate");
        Self {
            authority: authority.der().clone(),
            authority_key: authority.key().subject_public_key_info(),
            chain: vec![certificate.der().clone(), authority.der().clone()],
            key,
        }
    }

    fn good() -> Self {
        Self::named(&[HOST], false)
    }

    fn acceptor(&self) -> TlsAcceptor {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), key)
            .expect("a server");
        TlsAcceptor::from(Arc::new(config))
    }

    /// What a client that asks so comes to.
    async fn meets(&self, verification: Verification, settings: &TlsSettings) -> Result<TlsFacts, TlsError> {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let acceptor = self.acceptor();
        tokio::spawn(async move {
            if let Ok(mut stream) = acceptor.accept(theirs).await {
                let mut ping = [0; 4];
                let _ = stream.read_exact(&mut ping).await;
                let _ = stream.write_all(&ping).await;
                let _ = stream.flush().await;
            }
        });
        let (mut transport, facts) = handshake(Box::new(ours), HOST, &verification, settings).await?;
        transport.write_all(b"ping").await.expect("a session");
        transport.flush().await.expect("a session");
        let mut pong = [0; 4];
        transport.read_exact(&mut pong).await.expect("a session");
        assert_eq!(&pong, b"ping");
        Ok(facts)
    }

    /// Settings that trust this server's authority, and no other.
    fn trusted(&self) -> TlsSettings {
        TlsSettings::default()
            .with_extra_roots(vec![self.authority.clone()])
            .without_platform_roots()
    }

    fn record(&self, usage: u8, selector: u8, matching_type: u8) -> Tlsa {
        let certificate = if usage == 2 {
            &self.authority
        } else {
            &self.chain[0]
        };
        let selected = match (selector, usage) {
            (0, _) => certificate.to_vec(),
            (_, 2) => self.authority_key.clone(),
            _ => self.key.subject_public_key_info(),
        };
        let data = match matching_type {
            0 => selected,
            1 => digest::digest(&digest::SHA256, &selected).as_ref().to_vec(),
            _ => digest::digest(&digest::SHA512, &selected).as_ref().to_vec(),
        };
        Tlsa {
            usage,
            selector,
            matching_type,
            data,
        }
    }
}

fn dane(tlsa: Tlsa) -> Verification {
    Verification::Dane {
        tlsa: vec![tlsa],
        names: vec![HostName::parse(HOST).expect("a host name")],
    }
}

#[tokio::test]
async fn without_verification_any_certificate_will_do() {
    let settings = TlsSettings::default();
    for server in [
        Server::good(),
        Server::named(&["other.example"], false),
        Server::named(&[HOST], true),
    ] {
        let facts = server
            .meets(Verification::Unverified, &settings)
            .await
            .expect("a session");
        assert_eq!(facts.verified, Verified::No);
        assert_eq!(facts.version, "TLSv1.3");
        assert!(facts.cipher_suite.starts_with("TLS_"), "{}", facts.cipher_suite);
    }
}

#[tokio::test]
async fn authorities_vouch_for_name_and_date() {
    let server = Server::good();
    let facts = server
        .meets(Verification::Pkix, &server.trusted())
        .await
        .expect("a session");
    assert_eq!(facts.verified, Verified::Pkix);

    let stranger = Server::good();
    let error = server
        .meets(Verification::Pkix, &stranger.trusted())
        .await
        .expect_err("an unknown authority");
    assert!(matches!(error, TlsError::Certificate(_)), "{error}");
    for server in [
        Server::named(&["other.example"], false),
        Server::named(&[HOST], true),
    ] {
        let error = server
            .meets(Verification::Pkix, &server.trusted())
            .await
            .expect_err("unfit");
        assert!(matches!(error, TlsError::Certificate(_)), "{error}");
    }
}

#[tokio::test]
async fn the_platform_does_not_know_a_private_authority() {
    let server = Server::good();
    let error = server
        .meets(Verification::Pkix, &TlsSettings::default())
        .await
        .expect_err("unknown");
    assert!(matches!(error, TlsError::Certificate(_)), "{error}");
}

#[tokio::test]
async fn every_selector_and_matching_type_vouches() {
    let (server, stranger) = (Server::good(), Server::good());
    let settings = TlsSettings::default();
    for usage in [2, 3] {
        for selector in [0, 1] {
            for matching_type in [0, 1, 2] {
                let record = server.record(usage, selector, matching_type);
                assert!(record.is_usable(), "{record:?}");
                let facts = server.meets(dane(record), &settings).await;
                let facts =
                    facts.unwrap_or_else(|error| panic!("{usage} {selector} {matching_type}: {error}"));
                assert_eq!(facts.verified, Verified::Dane);

                let wrong = stranger.record(usage, selector, matching_type);
                let error = server
                    .meets(dane(wrong), &settings)
                    .await
                    .expect_err("a wrong record");
                assert!(matches!(error, TlsError::Certificate(_)), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn one_right_record_among_wrong_ones_is_enough() {
    let server = Server::good();
    let records = vec![Server::good().record(3, 1, 1), server.record(3, 1, 1)];
    let verification = Verification::Dane {
        tlsa: records,
        names: vec![HostName::parse(HOST).expect("a host name")],
    };
    server
        .meets(verification, &TlsSettings::default())
        .await
        .expect("a session");
}

#[tokio::test]
async fn an_end_entity_record_makes_name_and_date_moot_and_an_anchor_does_not() {
    let settings = TlsSettings::default();
    for server in [
        Server::named(&["other.example"], false),
        Server::named(&[HOST], true),
    ] {
        server
            .meets(dane(server.record(3, 1, 1)), &settings)
            .await
            .expect("a session");
        let error = server
            .meets(dane(server.record(2, 0, 1)), &settings)
            .await
            .expect_err("unfit");
        assert!(matches!(error, TlsError::Certificate(_)), "{error}");
    }
}

#[tokio::test]
async fn an_anchor_that_did_not_sign_the_server_does_not_vouch() {
    let mut server = Server::good();
    let stranger = Server::good();
    // The stranger's authority is in the chain, and the record names it, but the server's certificate is another's.
    server.chain.push(stranger.authority.clone());
    let error = server
        .meets(dane(stranger.record(2, 0, 1)), &TlsSettings::default())
        .await
        .expect_err("unfit");
    assert!(matches!(error, TlsError::Certificate(_)), "{error}");
}

async fn answers(octets: &'static [u8]) -> TlsError {
    let (ours, mut theirs): (DuplexStream, DuplexStream) = tokio::io::duplex(64 * 1024);
    tokio::spawn(async move {
        let mut hello = [0; 512];
        let _ = theirs.read(&mut hello).await;
        let _ = theirs.write_all(octets).await;
    });
    handshake(
        Box::new(ours),
        HOST,
        &Verification::Unverified,
        &TlsSettings::default(),
    )
    .await
    .expect_err("no TLS server")
}

#[tokio::test]
async fn failures_are_told_apart() {
    // A server that knows only old versions: the alert protocol_version, as OpenSSL sends it.
    let old = answers(&[0x15, 3, 1, 0, 2, 2, 70]).await;
    assert!(matches!(old, TlsError::Handshake(_)), "{old}");
    let nonsense = answers(b"220 I would rather speak SMTP\r\n").await;
    assert!(matches!(nonsense, TlsError::Handshake(_)), "{nonsense}");
    let closed = answers(b"").await;
    assert!(matches!(closed, TlsError::Lost(_)), "{closed}");
}

#[tokio::test]
async fn a_name_that_no_certificate_carries_is_refused_before_anything_is_said() {
    let (ours, _theirs) = tokio::io::duplex(64);
    let error = handshake(
        Box::new(ours),
        "not a name",
        &Verification::Pkix,
        &TlsSettings::default(),
    )
    .await;
    assert!(matches!(error, Err(TlsError::BadName(_))));
}
