//! Messages that wait on the disk, fetched when the client can have them.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use midge_core::{BodyId, CloseReason, Fetched};
use midge_protocol::ReasonCode;
use tokio::task::{JoinHandle, spawn_blocking};

use super::{Driver, with_scratch};

/// Messages being read, away from the threads that serve connections.
pub(crate) type Load = JoinHandle<Vec<Fetched>>;

impl Driver {
    /// Begins to read.
    pub(super) fn load(&mut self, bodies: Vec<BodyId>) {
        let node = Arc::clone(&self.node);
        self.few.set_load(Some(spawn_blocking(move || node.broker.fetch(&bodies))));
    }

    /// Hands on what was read; pending where nothing is being read, or still is.
    pub(super) fn poll_load(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(load) = self.few.load() else { return Poll::Pending };
        let Poll::Ready(outcome) = Pin::new(load).poll(context) else { return Poll::Pending };
        self.few.set_load(None);
        let Ok(fetched) = outcome else {
            // A reader that panicked has said so. To try again would be to panic again.
            let reason = CloseReason::Administrative(ReasonCode::UnspecifiedError);
            self.connection.session().request_close(self.connection.number(), reason);
            return Poll::Ready(());
        };
        let now = self.node.clock.now();
        with_scratch(|scratch| {
            self.node.broker.loaded(&mut self.connection, fetched, now, &mut scratch.effects);
            self.node.conclude(&mut scratch.effects, now);
        });
        Poll::Ready(())
    }
}
