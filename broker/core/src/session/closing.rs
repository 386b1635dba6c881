//! Why a connection is to be closed, and that its task hears of it.

use std::task::Waker;

use midge_protocol::ReasonCode;

use super::state::Link;
use super::{ConnectionNumber, Session, wake};

/// Why the broker wants a connection closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// Another connection uses the Client Identifier now [MQTT-3.1.4-3].
    TakenOver,
    /// An operator, a plugin or the server asked for it, with this reason.
    Administrative(ReasonCode),
    /// Nothing came for one and a half times the Keep Alive [MQTT-3.1.2-22].
    KeepAlive,
    /// The time for which the client was authenticated is over.
    IdentityExpired,
    /// The client does not read what is sent to it.
    SlowConsumer,
    /// The server shuts down.
    ServerShutdown,
}

impl CloseReason {
    /// The reason of the DISCONNECT.
    #[must_use]
    pub fn reason_code(self) -> ReasonCode {
        match self {
            Self::TakenOver => ReasonCode::SessionTakenOver,
            Self::Administrative(reason) => reason,
            Self::KeepAlive => ReasonCode::KeepAliveTimeout,
            Self::IdentityExpired => ReasonCode::NotAuthorized,
            Self::SlowConsumer => ReasonCode::QuotaExceeded,
            Self::ServerShutdown => ReasonCode::ServerShuttingDown,
        }
    }
}

impl Session {
    /// Why the connection is to be closed, if it is: for an owner that holds a chunk its socket does not take, and so
    /// does not get [`Work::Close`](super::Work::Close).
    #[must_use]
    pub fn close_requested(&self, number: ConnectionNumber) -> Option<CloseReason> {
        match self.lock().link_of(number) {
            Some((link, _)) => link.closing,
            None => Some(CloseReason::TakenOver),
        }
    }

    /// Has this connection closed: its owner is woken and finds [`Work::Close`](super::Work::Close). The first reason stands.
    pub fn request_close(&self, number: ConnectionNumber, reason: CloseReason) {
        let waker = self.lock().link_of(number).and_then(|(link, _)| link.close_for(reason));
        wake(waker);
    }

    /// Has the current connection closed for this reason, and says whether there is one.
    pub(crate) fn close_for(&self, reason: CloseReason) -> bool {
        let waker = {
            let mut state = self.lock();
            let Some(link) = &mut state.link else { return false };
            link.close_for(reason)
        };
        wake(waker);
        true
    }
}

impl Link {
    /// Notes why the connection is to be closed, unless that is decided; the waker is for after the lock.
    pub(crate) fn close_for(&mut self, reason: CloseReason) -> Option<Waker> {
        self.closing.get_or_insert(reason);
        self.waker.take()
    }
}
