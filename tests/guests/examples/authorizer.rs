//! Answers per action, by the first level of the topic or filter: `allow`, `deny`, `next`, `err`; `qos0` allows at most
//! QoS 0; `reuse` allows for a minute all of `reuse/#`. Counts its calls in the metric `asked`.

use midge_plugin_sdk::{Authorizer, IdentityId, QoS, Refusal, Ruling, Subscription, metrics, plugin};

#[derive(Default)]
struct PerAction;

impl Authorizer for PerAction {
    fn authorize_publish(&mut self, _: IdentityId, topic: &str, _: QoS, _: bool) -> Result<Ruling, String> {
        metrics::add("asked", &[("action", "publish")], 1);
        rule(topic)
    }

    fn authorize_subscribe(&mut self, _: IdentityId, subscription: &Subscription) -> Result<Ruling, String> {
        metrics::add("asked", &[("action", "subscribe")], 1);
        rule(&subscription.filter)
    }

    fn identity_gone(&mut self, _: IdentityId) {
        metrics::add("gone", &[], 1);
    }
}

fn rule(topic: &str) -> Result<Ruling, String> {
    match topic.split('/').next() {
        Some("allow") => Ok(Ruling::allow()),
        Some("deny") => Ok(Ruling::deny("the guest says no")),
        Some("quota") => {
            Ok(Ruling { refusal: Some(Refusal { code: 0x97, reason: None }), ..Ruling::deny("quota exceeded") })
        }
        Some("qos0") => Ok(Ruling::allow().at_most(QoS::AtMostOnce)),
        Some("reuse") => Ok(Ruling::allow().for_ms(60_000).covering("reuse/#")),
        Some("err") => Err("the guest's backend failed".to_owned()),
        _ => Ok(Ruling::next()),
    }
}

plugin!(PerAction: authz);
