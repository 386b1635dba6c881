//! Allows every action. Config: `reuse_ms` lets the broker use the answer again for so long, for every topic of `bench/#`.
//! The benchmarks' authorizer.

use midge_plugin_sdk::{
    Authorizer, Environment, IdentityId, Lifecycle, QoS, Ruling, Subscription, config::text, plugin,
};

struct Asked {
    ruling: Ruling,
}

impl Lifecycle for Asked {
    fn init(_: &Environment) -> Result<Self, String> {
        let ruling = match text("reuse_ms").map(|ms| ms.parse().map_err(|_| format!("reuse_ms: {ms:?} is no number"))) {
            Some(ms) => Ruling::allow().for_ms(ms?).covering("bench/#"),
            None => Ruling::allow(),
        };
        Ok(Self { ruling })
    }
}

impl Authorizer for Asked {
    fn authorize_publish(&mut self, _: IdentityId, _: &str, _: QoS, _: bool) -> Result<Ruling, String> {
        Ok(self.ruling.clone())
    }

    fn authorize_subscribe(&mut self, _: IdentityId, _: &Subscription) -> Result<Ruling, String> {
        Ok(self.ruling.clone())
    }
}

plugin!(Asked: lifecycle, authz);
