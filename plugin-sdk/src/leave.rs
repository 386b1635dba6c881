//! The hooks `authz-unsubscribe` and `authz-will`: what a client may leave, and what it may leave behind.

use crate::bindings::authz_unsubscribe::exports::midge::plugin::authz_unsubscribe as unsubscribe;
use crate::bindings::authz_will::exports::midge::plugin::authz_will as will;
use crate::instance::{Exports, Instance};
use crate::{IdentityId, Message, Refusal};

/// Yes, no, or not mine.
#[derive(Debug, Clone, PartialEq)]
pub enum Permit {
    /// It may; nobody else is asked.
    Allow,
    /// It may not.
    Deny(Refusal),
    /// Ask the next plugin with this hook. The chain's end refuses.
    Next,
}

impl Permit {
    /// Refuse as Not authorized (0x87); `reason` is logged.
    #[must_use]
    pub fn deny(reason: impl Into<String>) -> Self {
        Self::Deny(Refusal { code: Refusal::NOT_AUTHORIZED, reason: Some(reason.into()) })
    }
}

/// Decides whether clients may end their subscriptions.
pub trait UnsubscribeAuthorizer {
    /// May `who` end this subscription? Asked for every filter of an UNSUBSCRIBE.
    ///
    /// # Errors
    /// When the plugin or its backend failed: that goes for the whole UNSUBSCRIBE.
    fn authorize_unsubscribe(&mut self, who: IdentityId, filter: &str) -> Result<Permit, String>;
}

/// Decides whether clients may leave the Wills they want to, after their topics were allowed.
pub trait WillAuthorizer {
    /// May `who` leave this Will, to be published `delay` seconds after its connection is lost?
    ///
    /// # Errors
    /// When the plugin or its backend failed.
    fn authorize_will(&mut self, who: IdentityId, will: &Message, delay: u32) -> Result<Permit, String>;
}

impl<T: UnsubscribeAuthorizer + Instance> unsubscribe::Guest for Exports<T> {
    fn authorize_unsubscribe(who: IdentityId, filters: Vec<String>) -> Result<Vec<unsubscribe::Verdict>, String> {
        let verdict = |permit| match permit {
            Permit::Allow => unsubscribe::Verdict::Allow,
            Permit::Deny(refusal) => unsubscribe::Verdict::Deny(refusal),
            Permit::Next => unsubscribe::Verdict::Next,
        };
        T::with(|plugin| filters.iter().map(|one| plugin.authorize_unsubscribe(who, one).map(verdict)).collect())
    }
}

impl<T: WillAuthorizer + Instance> will::Guest for Exports<T> {
    fn authorize_will(who: IdentityId, message: Message, delay: u32) -> Result<will::Verdict, String> {
        Ok(match T::with(|plugin| plugin.authorize_will(who, &message, delay))? {
            Permit::Allow => will::Verdict::Allow,
            Permit::Deny(refusal) => will::Verdict::Deny(refusal),
            Permit::Next => will::Verdict::Next,
        })
    }
}
