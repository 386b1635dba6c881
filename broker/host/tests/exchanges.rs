//! Enhanced authentication: who judges an exchange, what is kept of it, and what a failure means.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(unreachable_pub, dead_code, reason = "support is shared by test programs")]

mod support;

use std::sync::Arc;

use midge_host::Host;
use midge_host::contract::{Candidate, Denial, DenialCause, Exchange, ExchangeStep, Hook, OnError, PluginSpec};
use support::{Guest, counters, credentials, load};

fn plugin(name: &str) -> PluginSpec {
    Guest::new(&["enhanced-authn"]).spec(name)
}

fn candidate(method: &str) -> Candidate {
    let (credentials, facts) = credentials("alice");
    Candidate { method: method.into(), credentials: Arc::new(credentials), facts: Arc::new(facts), principal: None }
}

async fn start(host: &Host, data: &str) -> ExchangeStep {
    host.start_exchange(&candidate("METHOD"), Some(data.into())).await
}

async fn proceed(host: &Host, exchange: Exchange, data: &str) -> ExchangeStep {
    host.proceed(&candidate("METHOD"), exchange, Some(data.into())).await
}

async fn challenged(host: &Host, data: &str) -> Exchange {
    match start(host, data).await {
        ExchangeStep::Challenge { exchange, .. } => exchange,
        other => panic!("{other:?}"),
    }
}

fn denied(step: ExchangeStep) -> Denial {
    match step {
        ExchangeStep::Denied(denial) => denial,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_first_plugin_that_serves_the_method_judges_alone() {
    let host = load(vec![Guest::new(&["authn"]).spec("other"), plugin("first"), plugin("second")]).await.unwrap();
    assert!(host.authenticates("tcp"));
    let step = start(&host, "bob").await;
    let ExchangeStep::Allowed { grant, plugin, data: None } = step else { panic!("{step:?}") };
    assert_eq!((grant.principal.as_str(), &*plugin), ("bob", "first"));
    let denial = denied(start(&host, "d").await);
    assert_eq!((denial.code, denial.cause, denial.hook), (0x86, DenialCause::Refused, Hook::EnhancedAuthn));
    let first = counters(&host, "first", Hook::EnhancedAuthn);
    assert_eq!((first.answered, first.refused), (2, 1));
    assert_eq!(counters(&host, "second", Hook::EnhancedAuthn).answered, 0);
    assert_eq!(counters(&host, "other", Hook::Authn).answered, 0);
}

#[tokio::test]
async fn a_method_that_nobody_serves_is_nobodys() {
    let host = load(vec![plugin("first")]).await.unwrap();
    for method in ["OTHER", "method", "METHOD-PLUS"] {
        let step = host.start_exchange(&candidate(method), None).await;
        assert!(matches!(step, ExchangeStep::Unserved), "{step:?}");
    }
}

#[tokio::test]
async fn an_exchange_needs_no_instance_but_its_state() {
    let mut one_instance = Guest::new(&["enhanced-authn", "http"]).spec("first");
    one_instance.limits.instances_max = 1;
    let host = load(vec![one_instance]).await.unwrap();
    let mut exchanges = Vec::new();
    for name in ["carl", "cecil", "celia"] {
        exchanges.push((name, challenged(&host, name).await));
    }
    for (name, exchange) in exchanges {
        let step = proceed(&host, exchange, "f").await;
        let ExchangeStep::Allowed { grant, .. } = step else { panic!("{step:?}") };
        assert_eq!(grant.principal, name);
    }
}

#[tokio::test]
async fn an_exchange_goes_on_with_the_plugin_that_took_the_others_place() {
    let before = load(vec![plugin("first")]).await.unwrap();
    let exchange = challenged(&before, "carl").await;
    let after = load(vec![plugin("second"), plugin("first")]).await.unwrap();
    let step = proceed(&after, exchange.clone(), "f").await;
    assert!(matches!(&step, ExchangeStep::Allowed { plugin, .. } if &**plugin == "first"), "{step:?}");
    let without = load(vec![plugin("second")]).await.unwrap();
    assert_eq!(denied(proceed(&without, exchange, "f").await).cause, DenialCause::NobodyAllowed);
}

#[tokio::test]
async fn a_failure_denies_and_its_words_stay_here() {
    let host = load(vec![plugin("first")]).await.unwrap();
    for data in ["t", "l", "m", "e", "h"] {
        let denial = denied(start(&host, data).await);
        assert_eq!(
            (denial.code, denial.reason.as_deref(), denial.plugin.as_deref()),
            (0x88, None, Some("first")),
            "{data}"
        );
        assert_ne!(denial.cause, DenialCause::Refused, "{data}");
        // The breaker counts failures in a row, and the strikes are the client's.
        assert!(matches!(
            start(&load(vec![plugin("first")]).await.unwrap(), "bob").await,
            ExchangeStep::Allowed { .. }
        ));
    }
}

#[tokio::test]
async fn only_at_the_first_step_can_another_plugin_go_on() {
    let mut tolerant = plugin("first");
    tolerant.on_error = OnError::Next;
    let host = load(vec![tolerant.clone(), plugin("second")]).await.unwrap();
    let denial = denied(start(&host, "e").await);
    assert_eq!((denial.code, denial.plugin.as_deref()), (0x88, Some("second")), "the second was asked, and failed too");
    let exchange = challenged(&host, "carl").await;
    let denial = denied(proceed(&host, exchange, "e").await);
    assert_eq!((denial.code, denial.plugin.as_deref()), (0x88, Some("first")));
    let alone = load(vec![tolerant]).await.unwrap();
    assert_eq!(denied(start(&alone, "e").await).cause, DenialCause::NobodyAllowed);
}

#[tokio::test]
async fn what_the_broker_keeps_for_a_plugin_is_bounded() {
    let mut roomy = plugin("roomy");
    roomy.limits.state_bytes_max = 1 << 20;
    let host = load(vec![roomy]).await.unwrap();
    challenged(&host, "z").await;
    let host = load(vec![plugin("first")]).await.unwrap();
    let denial = denied(start(&host, "z").await);
    let DenialCause::BadAnswer(text) = denial.cause else { panic!("{denial}") };
    assert_eq!(
        (denial.code, text.as_str()),
        (0x88, "1048576 bytes of state, and its limit is 16384 (`state_bytes_max`)")
    );
}
