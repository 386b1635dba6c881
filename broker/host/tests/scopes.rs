//! Plugins that are asked about the clients of some listeners or tenants only.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(unreachable_pub, dead_code, reason = "support is shared by test programs")]

mod support;

use std::sync::Arc;

use midge_host::contract::{Hook, InboundMessage, Message, PluginSpec, Protocol, QoS};
use midge_host::{Identities, Identity, IdentityFacts};
use support::{Guest, counters, load, publish};

fn who(listener: &str, tenant: Option<&str>) -> Arc<Identity> {
    who_of(&Identities::new(), listener, tenant)
}

/// One of several: what is remembered of an identity is remembered under its number.
fn who_of(identities: &Identities, listener: &str, tenant: Option<&str>) -> Arc<Identity> {
    identities.register(IdentityFacts {
        client_id: "c".into(),
        principal: "alice".into(),
        tenant: tenant.map(Into::into),
        attributes: Box::default(),
        listener: listener.into(),
        peer: ([127, 0, 0, 1], 1).into(),
        protocol: Protocol::V5,
    })
}

fn authorizer(name: &str) -> PluginSpec {
    Guest::new(&["authz"]).spec(name)
}

#[tokio::test]
async fn a_plugin_is_asked_about_its_listeners_and_the_next_about_the_others() {
    let mut first = authorizer("first");
    first.listeners = Some(vec!["tcp".into()]);
    let host = load(vec![first, authorizer("second")]).await.unwrap();
    let identities = Identities::new();
    assert!(publish(&host, &who_of(&identities, "tcp", None), "allow").await.allow);
    assert!(publish(&host, &who_of(&identities, "ws", None), "allow").await.allow);
    // Permissions of both for the first client, then the question; of the second for the other client, and the question.
    assert_eq!(
        (counters(&host, "first", Hook::Authz).answered, counters(&host, "second", Hook::Authz).answered),
        (2, 3)
    );
    assert_eq!(host.permissions_from(&who("ws", None)).as_deref(), Some("second"));
}

#[tokio::test]
async fn a_hook_is_there_for_the_listeners_that_a_plugin_with_it_is_for() {
    let mut only = authorizer("only");
    only.listeners = Some(vec!["tcp".into()]);
    let host = load(vec![only]).await.unwrap();
    assert!(host.has(Hook::Authz) && host.is_on(Hook::Authz, "tcp") && !host.is_on(Hook::Authz, "ws"));
}

#[tokio::test]
async fn a_client_of_a_tenant_that_no_authorizer_is_for_may_do_nothing() {
    let mut acme = authorizer("acme");
    acme.tenants = Some(vec!["acme".into()]);
    let host = load(vec![acme]).await.unwrap();
    assert!(host.is_on(Hook::Authz, "tcp"));
    assert!(publish(&host, &who("tcp", Some("acme")), "allow").await.allow);
    assert!(!publish(&host, &who("tcp", Some("other")), "allow").await.allow);
    assert!(!publish(&host, &who("tcp", None), "allow").await.allow);
}

#[tokio::test]
async fn messages_of_others_pass_a_plugin_by() {
    let mut changes = Guest::new(&["messages"]).spec("changes");
    changes.listeners = Some(vec!["tcp".into()]);
    let host = load(vec![changes]).await.unwrap();
    let inbound = |listener: &str| InboundMessage {
        who: Some(who(listener, None)),
        received_at: 0,
        message: Message::new("deny", "payload", QoS::AtMostOnce, false),
    };
    let actions = host.on_publish(vec![inbound("tcp"), inbound("ws")]).resolve().await;
    assert_eq!(actions.len(), 2);
    assert_ne!(actions[0], actions[1]);
    assert_eq!(actions[1], midge_host::contract::Action::Keep);
}
