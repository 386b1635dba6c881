#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;

fn credentials(username: &str, password: &str) -> Credentials {
    Credentials {
        client_id: "c".into(),
        username: Some(username.into()),
        password: Some(password.into()),
        certificate_cn: None,
        listener: "tcp".into(),
        peer: "127.0.0.1:1000".into(),
        protocol: Protocol::V5,
        tls: true,
    }
}

fn allow(principal: &str) -> Decision {
    let grant = Grant { principal: principal.into(), ..Grant::default() };
    Decision::Allow { grant: Arc::new(grant), plugin: "p".into() }
}

fn deny() -> Decision {
    let refused = Refused { code: 0x87, reason: None, elsewhere: None };
    Decision::Deny { refused, plugin: "p".into() }
}

fn answers(size_max: u64) -> Authentications {
    Authentications::new(Duration::from_secs(60), size_max)
}

async fn turn<'a>(answers: &'a Authentications, credentials: &Credentials) -> Turn<'a> {
    match answers.find(credentials).await {
        Found::Question(turn) => turn,
        Found::Decision(decision) => panic!("{decision:?}"),
    }
}

async fn knows(answers: &Authentications, credentials: &Credentials) -> bool {
    matches!(answers.find(credentials).await, Found::Decision(_))
}

const TTL: Duration = Duration::from_secs(10);

#[tokio::test]
async fn credentials_that_differ_in_anything_but_the_port_are_others() {
    let answers = answers(100);
    let known = credentials("alice", "secret");
    turn(&answers, &known).await.keep(allow("alice"), TTL);
    assert!(knows(&answers, &known).await);
    assert!(knows(&answers, &Credentials { peer: "127.0.0.1:2000".into(), ..known.clone() }).await);
    let others = [
        Credentials { client_id: "d".into(), ..known.clone() },
        Credentials { username: None, ..known.clone() },
        Credentials { username: Some("alices".into()), password: Some("ecret".into()), ..known.clone() },
        Credentials { password: None, ..known.clone() },
        Credentials { password: Some(Vec::new()), ..known.clone() },
        Credentials { certificate_cn: Some(String::new()), ..known.clone() },
        Credentials { listener: "tls".into(), ..known.clone() },
        Credentials { peer: "127.0.0.2:1000".into(), ..known.clone() },
        Credentials { protocol: Protocol::V311, ..known.clone() },
        Credentials { tls: false, ..known.clone() },
    ];
    for other in &others {
        assert!(!knows(&answers, other).await, "{other:?}");
    }
}

#[tokio::test]
async fn nothing_is_kept_that_may_not_be_reused_or_has_expired() {
    let answers = answers(100);
    let known = credentials("alice", "secret");
    turn(&answers, &known).await.keep(allow("alice"), Duration::ZERO);
    let expired = Grant { principal: "alice".into(), expires_at: Some(1000), ..Grant::default() };
    turn(&answers, &known).await.keep(Decision::Allow { grant: Arc::new(expired), plugin: "p".into() }, TTL);
    assert!(!knows(&answers, &known).await);
    let none = Authentications::new(Duration::from_secs(60), 0);
    turn(&none, &known).await.keep(allow("alice"), TTL);
    assert!(!knows(&none, &known).await);
}

#[tokio::test]
async fn a_revoked_principal_is_asked_about_again_and_so_is_everybody_who_was_refused() {
    let answers = answers(100);
    let (alice, bob, eve) = (credentials("alice", "a"), credentials("bob", "b"), credentials("eve", "e"));
    turn(&answers, &alice).await.keep(allow("alice"), TTL);
    turn(&answers, &bob).await.keep(allow("bob"), TTL);
    turn(&answers, &eve).await.keep(deny(), TTL);
    let before = turn(&answers, &credentials("alice", "other")).await;
    answers.revoke("alice");
    assert!(!knows(&answers, &alice).await && knows(&answers, &bob).await && !knows(&answers, &eve).await);
    before.keep(allow("alice"), TTL);
    drop(before);
    assert!(!knows(&answers, &credentials("alice", "other")).await, "asked before it was revoked");
}

#[tokio::test]
async fn the_table_is_bounded_and_refusals_push_out_nothing_that_was_granted() {
    let answers = answers(10);
    let alice = credentials("alice", "secret");
    turn(&answers, &alice).await.keep(allow("alice"), TTL);
    for guess in 0..1000 {
        turn(&answers, &credentials("alice", &guess.to_string())).await.keep(deny(), TTL);
    }
    assert!(knows(&answers, &alice).await);
    assert!(answers.status().size <= 11, "{:?}", answers.status());
    assert!(knows(&answers, &credentials("alice", "999")).await);
}

#[tokio::test]
async fn who_shows_what_is_being_judged_waits_for_that_and_only_once() {
    let answers = Arc::new(answers(100));
    turn(&answers, &credentials("bob", "b")).await.keep(allow("bob"), TTL);
    let alice = credentials("alice", "secret");
    let first = turn(&answers, &alice).await;
    let mut second = std::pin::pin!(answers.find(&alice));
    assert!(futures_are_pending(second.as_mut()).await);
    first.keep(allow("alice"), TTL);
    drop(first);
    assert!(matches!(second.await, Found::Decision(_)));

    let eve = credentials("eve", "secret");
    let first = turn(&answers, &eve).await;
    let (mut second, mut third) = (std::pin::pin!(answers.find(&eve)), std::pin::pin!(answers.find(&eve)));
    assert!(futures_are_pending(second.as_mut()).await && futures_are_pending(third.as_mut()).await);
    drop(first);
    let (second, third) = (second.await, third.await);
    assert!(matches!((second, third), (Found::Question(_), Found::Question(_))), "not one after the other");
}

/// Polls once.
async fn futures_are_pending<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
    std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context).is_pending())).await
}
