//! The hooks of a generation that are not asked in a chain, each as one call.

use std::time::Instant;

use super::Generation;
use super::calls::{Asked, Deliver, Flush, Handle, Health, OnEvents, OnPublish, Tick};
use crate::contract::{Action, Delivery, Event, Hook, Outcome, PageRequest, PageResponse};
use crate::error::HookError;

impl Generation {
    /// `messages.on-publish`, as a call.
    pub(crate) fn about_messages<'a>(&'a self, batch: &'a [Asked<'a>]) -> OnPublish<'a> {
        OnPublish { batch, plugin: &self.about.name, with_payload: self.with_payload() }
    }

    /// `messages.on-publish`.
    pub(crate) async fn on_publish(&self, batch: &[Asked<'_>], now: &mut Instant) -> Result<Vec<Action>, HookError> {
        self.call_at(&self.about_messages(batch), now).await
    }

    /// `sink.deliver`.
    pub(crate) async fn deliver(&self, batch: &[Delivery]) -> Result<Vec<Outcome>, HookError> {
        let with_payload = self.with_payload();
        self.call(&Deliver { batch, with_payload }).await
    }

    /// `sink.flush`: each idle instance may hold something back.
    pub(crate) async fn flush(&self) -> Result<(), HookError> {
        self.call(&Flush).await
    }

    /// `events.on-events`.
    pub(crate) async fn on_events(&self, batch: &[Event]) -> Result<(), HookError> {
        let node = &self.nursery.blueprint.environment.node;
        self.call(&OnEvents { batch, node }).await
    }

    /// `ticker.tick`.
    pub(crate) async fn tick(&self) -> Result<(), HookError> {
        self.call(&Tick).await
    }

    /// `admin.handle`.
    pub(crate) async fn handle(&self, request: &PageRequest) -> Result<PageResponse, HookError> {
        self.call(&Handle { request, bytes_max: self.limits().admin_bytes_max }).await
    }

    /// `lifecycle.health`; a plugin without it is healthy.
    pub(crate) async fn health(&self) -> Result<(), HookError> {
        if !self.has(Hook::Lifecycle) {
            return Ok(());
        }
        self.call(&Health).await
    }

    const fn with_payload(&self) -> bool {
        self.about.shows_payload && self.registration.wants_payload
    }
}
