//! Lets everybody in with rules of their own: `%u/#` for all, `shared/#` for reading at QoS 1, `%u/secret` for nobody.
//!
//! Config: `expires_in_s` ends the connection after that time, `client_id` replaces the client's, `tenant` labels it.

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
        grant.limits = text("inflight").and_then(|count| count.parse().ok()).map(|inflight| Limits {
            publish_per_second: None,
            bytes_per_second: None,
            inflight: Some(inflight),
            queued_messages: None,
            session_expiry: None,
            packet_size: None,
        });
        grant.user_properties = vec![("welcome".to_owned(), name.clone())];
        Ok(grant.into())
    }
}

plugin!(Grantor: authn);
