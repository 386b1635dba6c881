//! The hook `authz-deliver`: may a client have this message?

use crate::bindings::authz_deliver::exports::midge::plugin::authz_deliver as generated;
use crate::instance::{Exports, Instance};
use crate::{IdentityId, Reuse};

pub use generated::{Delivery as DeliveryQuestion, Publisher, Ruling as DeliveryRuling, Verdict as DeliveryVerdict};

/// Decides about each message whether a client may have it, before it is sent. The operator has to name the hook `authz-deliver`.
pub trait DeliveryAuthorizer {
    /// May `who` have this message? Let the answer be used again where it can be: it is asked about every message for every
    /// subscriber.
    ///
    /// # Errors
    /// When the plugin or its backend failed: that goes for all messages of the call.
    fn authorize_deliver(&mut self, who: IdentityId, delivery: &DeliveryQuestion) -> Result<DeliveryRuling, String>;
}

impl DeliveryRuling {
    /// The client gets it.
    #[must_use]
    pub fn allow() -> Self {
        Self { verdict: DeliveryVerdict::Allow, reuse: Reuse::NEVER }
    }

    /// It is dropped for this client, and counted.
    #[must_use]
    pub fn deny() -> Self {
        Self { verdict: DeliveryVerdict::Deny, ..Self::allow() }
    }

    /// Not mine: ask the next plugin with this hook. The chain's end refuses.
    #[must_use]
    pub fn next() -> Self {
        Self { verdict: DeliveryVerdict::Next, ..Self::allow() }
    }

    /// The broker may use the ruling again for this many milliseconds, whoever published the message.
    #[must_use]
    pub fn for_ms(mut self, ttl_ms: u32) -> Self {
        self.reuse.ttl_ms = ttl_ms;
        self
    }

    /// The ruling holds for every topic that this filter contains, not only for the message's.
    #[must_use]
    pub fn covering(mut self, filter: impl Into<String>) -> Self {
        self.reuse.covers = Some(filter.into());
        self
    }
}

impl<T: DeliveryAuthorizer + Instance> generated::Guest for Exports<T> {
    fn authorize_deliver(who: IdentityId, deliveries: Vec<DeliveryQuestion>) -> Result<Vec<DeliveryRuling>, String> {
        T::with(|plugin| deliveries.iter().map(|one| plugin.authorize_deliver(who, one)).collect())
    }
}
