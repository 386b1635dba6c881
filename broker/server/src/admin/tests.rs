//! What a supervisor is told.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

use super::pages::Readiness;

#[test]
fn a_broker_that_serves_is_ready_and_one_that_does_not_says_why() {
    let json = |serving| serde_json::to_value(Readiness::new(serving, 3, &[])).unwrap();
    assert_eq!(json(true), serde_json::json!({ "ready": true, "connections": 3, "plugins": [] }));
    assert_eq!(json(false)["ready"], false);
    assert_eq!(json(false)["reason"], "the broker is starting or stopping: its listeners take no clients");
}
