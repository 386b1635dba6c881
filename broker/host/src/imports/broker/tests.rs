#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tokio::runtime::Handle;

use super::*;
use crate::bindings::midge::plugin::types::Qos;
use crate::contract::{Hook, PluginLimits, PluginSource, PluginSpec};
use crate::grants::Grants;
use crate::identities::Identities;
use crate::imports::{ImportLimits, Lasting};

/// Writes down what arrives.
#[derive(Default)]
struct Outsider(Mutex<Vec<String>>);

impl Outside for Outsider {
    fn publish(&self, plugin: &str, message: Message) -> Result<(), String> {
        self.0.lock().unwrap().push(format!("{plugin} publish {}", message.topic));
        Ok(())
    }
    fn disconnect(&self, plugin: &str, client_id: &str, code: u8, _keep_session: bool) -> bool {
        self.0.lock().unwrap().push(format!("{plugin} disconnect {client_id} {code:#x}"));
        true
    }
    fn redirect(&self, plugin: &str, client_id: &str, to: &Redirection) -> bool {
        self.0.lock().unwrap().push(format!("{plugin} redirect {client_id} to {}", to.server_reference));
        true
    }
    fn revoke(&self, plugin: &str, principal: &str) {
        self.0.lock().unwrap().push(format!("{plugin} revoke {principal}"));
    }
}

fn state(allow: &serde_json::Value, limits: ImportLimits) -> (PluginState, Arc<Outsider>) {
    let outside = Arc::new(Outsider::default());
    let source = PluginSource::Bytes { origin: "test".to_owned(), bytes: Cow::Borrowed(&[]) };
    let mut spec = PluginSpec::new("guard", source);
    spec.allow = Grants::from_json("guard", allow, Path::new("/")).unwrap();
    let lasting = Arc::new(Lasting::new(limits, Handle::current(), None));
    let shared = Shared::new(&spec, Arc::clone(&outside) as _, Arc::new(Identities::new()), &lasting).unwrap();
    let mut state = PluginState::new(shared, &PluginLimits::default());
    state.begin_call(Hook::Authn, Instant::now() + Duration::from_secs(1));
    (state, outside)
}

fn end(state: &mut PluginState) {
    state.end_call().carry_out(&Arc::clone(&state.shared));
}

fn message(topic: &str) -> WitMessage {
    WitMessage {
        topic: topic.to_owned(),
        payload: Vec::new(),
        qos: Qos::AtMostOnce,
        retain: false,
        payload_is_utf8: false,
        message_expiry: None,
        content_type: None,
        response_topic: None,
        correlation_data: None,
        user_properties: Vec::new(),
    }
}

#[tokio::test]
async fn orders_take_effect_in_order_after_the_call_and_not_before() {
    let (mut state, outside) =
        state(&json!({"publish": ["alerts/#"], "disconnect": true, "revoke": true}), ImportLimits::default());
    state.publish(message("alerts/a")).unwrap().unwrap();
    state.disconnect("c1".to_owned(), 0x98, true).unwrap().unwrap();
    state.revoke("alice".to_owned()).unwrap().unwrap();
    assert!(outside.0.lock().unwrap().is_empty());
    end(&mut state);
    assert_eq!(
        *outside.0.lock().unwrap(),
        ["guard publish alerts/a", "guard disconnect c1 0x98", "guard revoke alice"]
    );
}

#[tokio::test]
async fn each_function_is_granted_separately() {
    let (mut state, outside) = state(&json!({"publish": ["alerts/#"]}), ImportLimits::default());
    assert!(matches!(state.publish(message("other")).unwrap(), Err(Error::NotGranted)));
    assert!(matches!(state.publish(message("$SYS/x")).unwrap(), Err(Error::NotGranted)));
    assert!(matches!(state.disconnect("c1".to_owned(), 0x98, true).unwrap(), Err(Error::NotGranted)));
    assert!(matches!(state.revoke("alice".to_owned()).unwrap(), Err(Error::NotGranted)));
    assert!(state.publish(message("alerts")).unwrap().is_ok());
    end(&mut state);
    assert_eq!(outside.0.lock().unwrap().len(), 1);
    assert_eq!(state.shared.status().denials, 4);
}

#[tokio::test]
async fn a_message_no_client_could_publish_is_refused_in_words() {
    let (mut state, _) = state(&json!({"publish": ["#"]}), ImportLimits::default());
    let long = "x".repeat(70_000);
    let cases = [
        message(""),
        message("a/#"),
        message("a\0b"),
        message(&long),
        WitMessage { response_topic: Some("a/+".to_owned()), ..message("a") },
        WitMessage { content_type: Some(long.clone()), ..message("a") },
        WitMessage { correlation_data: Some(vec![0; 70_000]), ..message("a") },
        WitMessage { user_properties: vec![("n".to_owned(), long.clone())], ..message("a") },
        WitMessage { payload_is_utf8: true, payload: vec![0xff], ..message("a") },
    ];
    for case in cases {
        let topic: String = case.topic.chars().take(10).collect();
        assert!(matches!(state.publish(case).unwrap(), Err(Error::Invalid(_))), "{topic}");
    }
}

#[tokio::test]
async fn a_code_that_is_no_servers_disconnect_is_refused() {
    let (mut state, _) = state(&json!({"disconnect": true}), ImportLimits::default());
    for code in [0x04, 0x01, 0x86, 0xff] {
        assert!(matches!(state.disconnect("c".to_owned(), code, true).unwrap(), Err(Error::Invalid(_))), "{code:#x}");
    }
}

#[tokio::test]
async fn orders_are_bounded_per_call_and_per_second() {
    let limits = ImportLimits { orders_per_call_max: 3, orders_per_second: 5, ..ImportLimits::default() };
    let (mut state, outside) = state(&json!({"publish": ["#"]}), limits);
    let call = |state: &mut PluginState| (0..4).filter(|_| state.publish(message("a")).unwrap().is_ok()).count();
    assert_eq!(call(&mut state), 3);
    end(&mut state);
    assert!(call(&mut state) <= 3);
    end(&mut state);
    assert_eq!(call(&mut state), 0, "five a second");
    end(&mut state);
    assert!(outside.0.lock().unwrap().len() <= 6);
}

#[tokio::test]
async fn a_call_that_did_not_end_cleanly_has_ordered_nothing() {
    let (mut state, outside) = state(&json!({"publish": ["#"]}), ImportLimits::default());
    state.publish(message("a")).unwrap().unwrap();
    drop(state);
    assert!(outside.0.lock().unwrap().is_empty());
}
