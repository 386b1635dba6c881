//! What a supervisor is told.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

use super::pages::Readiness;

#[test]
fn a_broker_that_serves_is_ready_and_one_that_does_not_says_why() {
    let json = |serving, unhealthy: &[&str]| {
        let unhealthy = unhealthy.iter().map(|&reason| reason.into()).collect();
        serde_json::to_value(Readiness::new(serving, unhealthy, 3, &[])).unwrap()
    };
    assert_eq!(json(true, &[]), serde_json::json!({ "ready": true, "connections": 3, "plugins": [] }));
    assert_eq!(json(false, &[])["reason"], "the broker is starting or stopping: its listeners take no clients");
    let sick = json(true, &["plugin jwt: no keys"]);
    assert_eq!((&sick["ready"], &sick["reason"]), (&false.into(), &"plugin jwt: no keys".into()));
}
