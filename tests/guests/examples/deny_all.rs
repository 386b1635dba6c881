//! Refuses everybody, and everything.

use midge_plugin_sdk::{
    Answer, Authenticator, Authorizer, Connect, Credentials, IdentityId, QoS, Ruling, Subscription, plugin,
};

#[derive(Default)]
struct DenyAll;

impl Authenticator for DenyAll {
    fn authenticate(&mut self, _: &Credentials, _: &Connect) -> Result<Answer, String> {
        Ok(Answer::deny("nobody may come in"))
    }
}

impl Authorizer for DenyAll {
    fn authorize_publish(&mut self, _: IdentityId, _: &str, _: QoS, _: bool) -> Result<Ruling, String> {
        Ok(Ruling::deny("nothing may be published"))
    }

    fn authorize_subscribe(&mut self, _: IdentityId, _: &Subscription) -> Result<Ruling, String> {
        Ok(Ruling::deny("nothing may be subscribed to"))
    }
}

plugin!(DenyAll: authn, authz);
