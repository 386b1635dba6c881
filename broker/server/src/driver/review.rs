//! A client is looked at again because what was granted to somebody was revoked, or because its session is from before.

use std::sync::atomic::Ordering;

use midge_host::contract::{Denial, Hook};

use super::{Driver, Waiting, with_scratch};
use crate::ending::ConnectionEnd;
use crate::hooks::{Reviewed, review};
use crate::revocations::REVIEW_DUE;

impl Driver {
    /// Begins to ask about the client again, if that is due. Nothing that it sends is carried out until there is an answer;
    /// a packet that waits for plugins is first.
    pub(super) fn begin_review(&mut self) {
        let epoch = self.node.revocations.epoch();
        let seen = self.client.reviewed.load(Ordering::Relaxed);
        let is_free = matches!(self.waiting.as_deref(), None | Some(Waiting::Pause(_) | Waiting::Hold(_)));
        if seen == epoch || !is_free {
            return;
        }
        self.client.reviewed.store(epoch, Ordering::Relaxed);
        let is_meant = self.node.revocations.take(self.client.identity.id());
        if !is_meant && seen != REVIEW_DUE {
            return;
        }
        if is_meant {
            // What was asked before the revocation is not to be answered after it.
            self.authorize_again();
        }
        let standing = self.node.broker.subscriptions(&self.connection);
        let listener = &self.client.identity.listener;
        let is_ruled = self.connection.permissions().is_some() || self.node.host().is_on(Hook::Authz, listener);
        if !is_meant && (standing.is_empty() || !is_ruled) {
            return;
        }
        let (node, client) = (self.node.clone(), self.client.clone());
        let own = self.connection.shared_permissions().cloned();
        self.waiting = Some(Box::new(Waiting::Review(Box::pin(review(node, client, own, standing, is_meant)))));
        self.link.set_paused(true);
    }

    /// From now on the client may do what was found.
    pub(super) fn conclude_review(&mut self, found: Result<Reviewed, Denial>) -> Result<(), ConnectionEnd> {
        let Reviewed { client, permissions, standing, rulings } = found.map_err(ConnectionEnd::Revoked)?;
        let now = self.node.clock.now();
        let before = std::mem::replace(&mut self.client, client);
        if before.identity.id() != self.client.identity.id() {
            self.authorize_again();
        }
        with_scratch(|scratch| {
            let (broker, effects) = (&self.node.broker, &mut scratch.effects);
            broker.regrant(&mut self.connection, permissions, &standing, &rulings, now, effects);
            self.node.conclude(effects, now);
        });
        let ended = standing.iter().zip(&rulings).filter(|(_, ruling)| ruling.is_err());
        let ended: Vec<&str> = ended.map(|(one, _)| &*one.filter).collect();
        self.node.reviewed(&before, &self.client, &ended, now);
        Ok(())
    }
}
