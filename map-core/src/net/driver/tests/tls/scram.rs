//! A log-in that takes long to be computed holds nobody up.

use super::*;
use crate::smtp::SecretKind;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use tokio::task::yield_now;

fn client(peer: &TlsPeer) -> Client<'_> {
    let mut client = Client::of(TlsUse::Required, peer);
    client.auth = Some(Authentication {
        user: "alice".to_owned(),
        secret: "s3cret".into(),
        kind: SecretKind::Password,
        nonce: "ours".to_owned(),
    });
    client
}

/// Asks for a key that takes long; says how many turns others had until it came, and its last line.
async fn asks_for_a_key(tls: &mut Tls, turn: impl Fn(u64)) -> io::Result<(u64, String)> {
    tls.line().await?;
    tls.say("250-mx.example\r\n250 AUTH SCRAM-SHA-256\r\n").await?;
    tls.line().await?;
    let server_first = BASE64_STANDARD.encode("r=ours-and-theirs,s=AAAA,i=600000");
    tls.say(&format!("334 {server_first}\r\n")).await?;
    let mut turns = 0;
    let mut line = std::pin::pin!(tls.line());
    loop {
        tokio::select! {
            biased;
            line = &mut line => return Ok((turns, line?)),
            () = yield_now() => {
                turns += 1;
                turn(turns);
            }
        }
    }
}

#[tokio::test]
async fn others_have_their_turn_while_a_key_is_made_of_a_password() {
    let server = Server::good();
    let peer = server.peer(Verification::Pkix);
    let (told, _) = meet(client(&peer), &server, ROOM, |mut tls| async move {
        let (turns, line) = asks_for_a_key(&mut tls, |_| {}).await?;
        assert!(turns > 100, "{turns} turns");
        let proof = BASE64_STANDARD.decode(line.trim_end()).expect("base64");
        assert!(
            proof.starts_with(b"c=biws,r=ours-and-theirs,p="),
            "{}",
            proof.escape_ascii()
        );
        tls.say("535 5.7.8 no\r\n").await?;
        tls.leave().await
    })
    .await;
    match told.outcome() {
        Outcome::Refused {
            stage: ExchangeStage::Auth,
            reply,
        } => assert_eq!(reply.code.0, 535),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_cancel_is_heard_while_a_key_is_made_of_a_password() {
    let server = Server::good();
    let peer = server.peer(Verification::Pkix);
    let client = client(&peer);
    let cancel = client.limits.cancel.clone();
    let (told, _) = meet(client, &server, ROOM, |mut tls| async move {
        let cancel_soon = |turns| {
            if turns == 10 {
                cancel.cancel();
            }
        };
        let answer = asks_for_a_key(&mut tls, cancel_soon).await;
        assert!(answer.is_err(), "answered all the same: {answer:?}");
        Ok(())
    })
    .await;
    assert_eq!(
        told.loss(),
        (ExchangeStage::Auth, &ConnectionFailure::Aborted(Abort::Cancelled))
    );
}
