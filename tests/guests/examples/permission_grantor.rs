//! Lets everybody in with rules of their own: `%u/#` for all, `shared/#` for reading at QoS 1, `%u/secret` for nobody.
//!
//! Config: `expires_in_s` ends the connection after that time, `client_id` replaces the client's, `tenant` labels it;
//! `inflight`, `keep_alive`, `maximum_qos` and `topic_alias_maximum` limit it, and so does `retain_available`, if "false".

use midge_plugin_sdk::{
    Actions, Answer, Authenticator, Connect, Credentials, Grant, Limits, Permission, QoS, config::text, now, plugin,
};

#[derive(Default)]
struct Grantor;

impl Authenticator for Grantor {
    fn authenticate(&mut self, credentials: &Credentials, _: &Connect) -> Result<Answer, String> {
        let name = credentials.username.as_ref().unwrap_or(&credentials.client_id);
        let read_shared = Permission { max_qos: QoS::AtLeastOnce, ..Permission::allow(Actions::SUBSCRIBE, "shared/#") };
        let rules = vec![
            Permission::deny(Actions::both(), "%u/secret"),
            Permission::allow(Actions::both(), "%u/#"),
            read_shared,
        ];
        let mut grant = Grant::new(name).permissions(rules).attribute("origin", "permission-grantor");
        grant.tenant = text("tenant");
        grant.client_id = text("client_id");
        let lifetime_s: Option<u64> = text("expires_in_s").and_then(|seconds| seconds.parse().ok());
        grant.expires_at = lifetime_s.map(|seconds| now() / 1000 + seconds);
        grant.limits = Some(limits());
        grant.user_properties = vec![("welcome".to_owned(), name.clone())];
        Ok(grant.into())
    }
}

fn limits() -> Limits {
    Limits {
        inflight: number("inflight"),
        keep_alive: number("keep_alive"),
        topic_alias_maximum: number("topic_alias_maximum"),
        maximum_qos: number("maximum_qos").map(|qos| match qos {
            0 => QoS::AtMostOnce,
            1 => QoS::AtLeastOnce,
            _ => QoS::ExactlyOnce,
        }),
        retain_available: text("retain_available").map(|word| word != "false"),
        ..Limits::default()
    }
}

fn number(key: &str) -> Option<u16> {
    text(key).and_then(|number| number.parse().ok())
}

plugin!(Grantor: authn);
