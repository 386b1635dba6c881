//! The doors of hooks that few plugins have: who may connect at all, what a client may leave, what it
//! may have, a plugin's own pages.

use std::net::IpAddr;
use std::sync::Arc;

use super::Host;
use crate::contract::{
    Answer, DeliveryQuestion, Denial, Hook, Message, NoPage, PageRequest, PageResponse, ReuseStatus,
};
use crate::error::HookError;
use crate::identities::Identity;
use crate::plugin::at_once;
use crate::seat::Seat;

impl Host {
    /// Whether a client may connect from this address. Never waits.
    #[must_use]
    pub fn admits(&self, listener: &str, address: IpAddr) -> bool {
        !self.has(Hook::Admission) || self.chains.admits(listener, address)
    }

    /// Whether an identity may end these subscriptions: one entry per filter, in order; none: it may.
    #[must_use]
    pub fn authorize_unsubscribe(&self, who: &Arc<Identity>, filters: Vec<String>) -> Answer<Vec<Option<Denial>>> {
        if self.chains.is_inline(Hook::AuthzUnsubscribe) {
            return Answer::Ready(at_once(self.chains.authorize_unsubscribe(who, &filters)));
        }
        let (chains, who) = (Arc::clone(&self.chains), Arc::clone(who));
        Answer::Later(self.apart(async move { chains.authorize_unsubscribe(&who, &filters).await }))
    }

    /// Whether an identity may leave this Will, to be published `delay` seconds after its connection is lost.
    ///
    /// # Errors
    /// Who said no, and why.
    pub async fn authorize_will(&self, who: &Arc<Identity>, will: Message, delay: u32) -> Result<(), Denial> {
        if self.chains.is_inline(Hook::AuthzWill) {
            return self.chains.authorize_will(who, &will, delay).await;
        }
        let (chains, who) = (Arc::clone(&self.chains), Arc::clone(who));
        self.apart(async move { chains.authorize_will(&who, &will, delay).await }).await
    }

    /// Whether an identity may have these messages: one entry per message, in order; none: it may. Answers at once where all of it
    /// is remembered, or every plugin is an inline one. `now_ms` as in [`Host::authorize_publish`].
    #[must_use]
    pub fn authorize_deliver(
        &self,
        who: &Arc<Identity>,
        questions: Vec<DeliveryQuestion>,
        now_ms: u64,
    ) -> Answer<Vec<Option<Denial>>> {
        let known = self.chains.known_deliveries(who, &questions, now_ms);
        if self.chains.is_inline(Hook::AuthzDeliver) || known.iter().all(Option::is_some) {
            return Answer::Ready(at_once(self.chains.authorize_deliver(who, &questions, known, now_ms)));
        }
        let (chains, who) = (Arc::clone(&self.chains), Arc::clone(who));
        Answer::Later(self.apart(async move { chains.authorize_deliver(&who, &questions, known, now_ms).await }))
    }

    /// Has a plugin answer a request to its pages. Must be called on the runtime that the host was loaded on.
    ///
    /// # Errors
    /// It has none.
    pub async fn page(&self, plugin: &str, request: PageRequest) -> Result<Result<PageResponse, HookError>, NoPage> {
        Ok(self.pages_of(plugin)?.page(&request).await)
    }

    /// Bytes that the body of a request to a plugin's pages may have.
    ///
    /// # Errors
    /// It has none.
    pub fn page_bytes_max(&self, plugin: &str) -> Result<usize, NoPage> {
        Ok(self.pages_of(plugin)?.in_charge().limits().admin_bytes_max)
    }

    fn pages_of(&self, plugin: &str) -> Result<&Seat, NoPage> {
        let seat = self.seats.iter().find(|seat| **seat.name() == *plugin).ok_or(NoPage::Unknown)?;
        if !seat.has(Hook::Admin) {
            return Err(NoPage::NoHook);
        }
        seat.in_charge().serves_pages().map_err(NoPage::NotGranted)?;
        Ok(seat)
    }

    /// Answers about addresses that are kept to be used again.
    #[must_use]
    pub fn admissions(&self) -> ReuseStatus {
        self.chains.admissions.status()
    }
}
