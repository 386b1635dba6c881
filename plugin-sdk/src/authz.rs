//! The hook `authz`: may this identity do that?

use crate::bindings::authz::exports::midge::plugin::authz as generated;
use crate::instance::{Exports, Instance};
use crate::{Actions, Effect, Identity, IdentityId, Permission, QoS, Redirection, Refusal, Reuse};

pub use generated::{Ruling, Subscription, Verdict as RulingVerdict};

/// Decides what a client may do. Every method says "not mine" unless it is written: implement [`permissions`] to answer
/// once per identity with rules that the broker evaluates itself, or the others to be asked per action.
///
/// In all of them an error means that the plugin or its backend failed; a refusal is an `Ok`.
///
/// [`permissions`]: Authorizer::permissions
pub trait Authorizer {
    /// The whole authorization of an identity, or `None` to be asked per action.
    ///
    /// # Errors
    /// When the plugin or its backend failed.
    fn permissions(&mut self, id: IdentityId, who: &Identity) -> Result<Option<Vec<Permission>>, String> {
        let _ = (id, who);
        Ok(None)
    }

    /// May `who` publish this? Also asked for the Will.
    ///
    /// # Errors
    /// When the plugin or its backend failed.
    fn authorize_publish(&mut self, who: IdentityId, topic: &str, qos: QoS, retain: bool) -> Result<Ruling, String> {
        let _ = (who, topic, qos, retain);
        Ok(Ruling::next())
    }

    /// May `who` subscribe to this? Asked for every filter of a SUBSCRIBE.
    ///
    /// # Errors
    /// When the plugin or its backend failed: that goes for the whole SUBSCRIBE.
    fn authorize_subscribe(&mut self, who: IdentityId, subscription: &Subscription) -> Result<Ruling, String> {
        let _ = (who, subscription);
        Ok(Ruling::next())
    }

    /// The identity is gone: forget what was kept under its id.
    fn identity_gone(&mut self, who: IdentityId) {
        let _ = who;
    }
}

impl Ruling {
    /// Allow, at any QoS.
    #[must_use]
    pub fn allow() -> Self {
        Self { verdict: RulingVerdict::Allow, max_qos: QoS::ExactlyOnce, reuse: Reuse::NEVER, refusal: None }
    }

    /// Refuse as Not authorized (0x87); `reason` is logged and shown to MQTT 5 clients that ask for it.
    #[must_use]
    pub fn deny(reason: impl Into<String>) -> Self {
        let refusal = Refusal { code: Refusal::NOT_AUTHORIZED, reason: Some(reason.into()) };
        Self { verdict: RulingVerdict::Deny, refusal: Some(refusal), ..Self::allow() }
    }

    /// Not mine: ask the next authorizer. The chain's end refuses.
    #[must_use]
    pub fn next() -> Self {
        Self { verdict: RulingVerdict::Next, ..Self::allow() }
    }

    /// Allow at most this QoS: above it a subscription is granted less, a publication is refused.
    #[must_use]
    pub fn at_most(mut self, qos: QoS) -> Self {
        self.max_qos = qos;
        self
    }

    /// The broker may use the ruling again for this many milliseconds.
    #[must_use]
    pub fn for_ms(mut self, ttl_ms: u32) -> Self {
        self.reuse.ttl_ms = ttl_ms;
        self
    }

    /// The ruling holds for everything this filter contains, not only for what was asked.
    #[must_use]
    pub fn covering(mut self, filter: impl Into<String>) -> Self {
        self.reuse.covers = Some(filter.into());
        self
    }
}

impl Permission {
    /// Allows the actions on what `filter` matches, at any QoS and with RETAIN.
    #[must_use]
    pub fn allow(actions: Actions, filter: impl Into<String>) -> Self {
        Self { effect: Effect::Allow, actions, topic_filter: filter.into(), max_qos: QoS::ExactlyOnce, retain: true }
    }

    /// Refuses the actions on what `filter` matches.
    #[must_use]
    pub fn deny(actions: Actions, filter: impl Into<String>) -> Self {
        Self { effect: Effect::Deny, ..Self::allow(actions, filter) }
    }
}

impl Actions {
    /// Publish and subscribe.
    #[must_use]
    pub fn both() -> Self {
        Self::PUBLISH | Self::SUBSCRIBE
    }
}

impl Refusal {
    /// Bad User Name or Password.
    pub const BAD_USER_NAME_OR_PASSWORD: u8 = 0x86;
    /// Not authorized.
    pub const NOT_AUTHORIZED: u8 = 0x87;
}

impl Redirection {
    /// To this server, "host" or "host:port", for this time.
    #[must_use]
    pub fn to(server_reference: impl Into<String>) -> Self {
        Self { server_reference: server_reference.into(), permanent: false, reason: None }
    }

    /// For good: the client should forget this server.
    #[must_use]
    pub fn permanently(mut self) -> Self {
        self.permanent = true;
        self
    }

    /// Why; it is logged, and shown to MQTT 5 clients that ask for it.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }
}

impl Reuse {
    /// Ask every time.
    pub const NEVER: Self = Self { ttl_ms: 0, covers: None };
}

impl<T: Authorizer + Instance> generated::Guest for Exports<T> {
    fn permissions(id: IdentityId, who: Identity) -> Result<Option<Vec<Permission>>, String> {
        T::with(|plugin| plugin.permissions(id, &who))
    }

    fn authorize_publish(who: IdentityId, topic: String, qos: QoS, retain: bool) -> Result<Ruling, String> {
        T::with(|plugin| plugin.authorize_publish(who, &topic, qos, retain))
    }

    fn authorize_subscribe(who: IdentityId, subscriptions: Vec<Subscription>) -> Result<Vec<Ruling>, String> {
        T::with(|plugin| subscriptions.iter().map(|one| plugin.authorize_subscribe(who, one)).collect())
    }

    fn identity_gone(who: IdentityId) {
        T::with(|plugin| plugin.identity_gone(who));
    }
}
