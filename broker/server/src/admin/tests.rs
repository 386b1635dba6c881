//! What a supervisor is told.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

use super::pages::{Readiness, StoreReadiness};

#[test]
fn a_broker_that_serves_is_ready_and_one_that_does_not_says_why() {
    let json = |serving, unhealthy: &[&str]| {
        let unhealthy = unhealthy.iter().map(|&reason| reason.into()).collect();
        serde_json::to_value(Readiness::new(serving, unhealthy, None, 3, &[], &[])).unwrap()
    };
    assert_eq!(json(true, &[]), serde_json::json!({ "ready": true, "connections": 3, "plugins": [] }));
    assert_eq!(json(false, &[])["reason"], "the broker is starting or stopping: its listeners take no clients");
    let sick = json(true, &["plugin jwt: no keys"]);
    assert_eq!((&sick["ready"], &sick["reason"]), (&false.into(), &"plugin jwt: no keys".into()));
}

#[test]
fn a_store_that_refuses_makes_the_broker_unready_and_says_why() {
    let json = |health, failure: Option<&str>| {
        let store = StoreReadiness { health, failure: failure.map(Into::into) };
        serde_json::to_value(Readiness::new(true, Vec::new(), Some(store), 0, &[], &[])).unwrap()
    };
    let full = json("refusing", Some("the disk is full"));
    assert_eq!((&full["ready"], &full["reason"]), (&false.into(), &"the disk is full".into()));
    assert_eq!(full["store"], serde_json::json!({ "health": "refusing", "failure": "the disk is full" }));
    let behind = json("behind", None);
    assert_eq!((&behind["ready"], &behind["store"]["health"]), (&true.into(), &"behind".into()));
}
