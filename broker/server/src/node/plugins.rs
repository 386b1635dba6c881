//! The plugins in force: others in their place, and what they said taken back.

use std::sync::Arc;

use arc_swap::Guard;
use midge_host::Host;
use midge_host::contract::Hook;
use midge_protocol::ReasonCode;

use super::Node;
use crate::revocations::Scope;

impl Node {
    /// The plugins in force.
    pub(crate) fn host(&self) -> Guard<Arc<Host>> {
        self.host.load()
    }

    /// Puts other plugins in force, and returns those that were.
    pub(crate) fn swap_host(&self, host: Arc<Host>) -> Arc<Host> {
        let before = self.host.swap(host);
        self.attend_to_deliveries();
        before
    }

    /// Has the broker ask about deliveries where any plugin in force wants to be asked.
    pub(super) fn attend_to_deliveries(&self) {
        let is_on = self.host().has(Hook::AuthzDeliver);
        self.identities.index_clients(is_on);
        self.broker.ask_about_deliveries(is_on);
    }

    /// What a principal was granted holds no longer. Its clients are disconnected and authenticate anew; where only what they
    /// may do is in question, they stay and are asked about again. Says how many there are.
    pub(crate) fn revoke(&self, principal: &str, scope: Scope) -> usize {
        // Nobody who is let in from here on is let in by what was said before.
        self.revocations.begin(principal, scope);
        self.host().revoke(principal);
        let identities = self.identities.of_principal(principal);
        if scope == Scope::Authentication && *principal != *self.anonymous {
            return identities
                .iter()
                .filter(|it| self.broker.disconnect(&it.client_id, ReasonCode::NotAuthorized))
                .count();
        }
        self.revocations.add(identities.iter().map(|identity| identity.id()));
        identities.iter().for_each(|identity| self.broker.wake(&identity.client_id));
        identities.len()
    }
}
