//! What MQTT packets mean: connections, sessions, subscriptions, routing.
//!
//! Nothing in here does I/O, waits, or knows what time it is. Packets come in decoded; what is to be sent comes out of each
//! session's outbox as bytes; time is an argument and the seed is given, so the same calls have the same effects.
//!
//! - [`Opening`], then perhaps [`Authenticating`], then [`Connection`]: the rules of one Network Connection.
//! - [`Broker`]: the only door to what connections share.
//! - [`Session`]: the outbox of a client's connection, and how its owner learns what to do.
//! - [`Effects`]: what one read batch brings about.
//! - [`Permissions`]: rules as data, for whoever decides before the broker is told.

mod broker;
mod congestion;
mod connection;
mod durability;
mod effects;
mod error;
mod event;
mod limits;
mod message;
mod permissions;
mod retained;
mod session;
mod sharing;
mod statistics;
mod store;
mod subscriptions;
mod time;
mod wheel;
mod will;

// The model of a store is shared with tests from outside.
#[cfg(test)]
extern crate self as midge_core;
#[cfg(test)]
mod tests;

pub use broker::{Broker, Decision, Ending, Fetched, Origin, Standing};
pub use congestion::Congestion;
pub use connection::{
    Acknowledgement, AcknowledgementKind, Authenticating, AuthenticationStep, ConnectRequest, Connection, Inbound,
    Opening, Received, SessionOverrides, Topic,
};
pub use durability::Durabilities;
pub use effects::{Effects, PublishedWill};
pub use error::{ProtocolError, Refusal};
pub use event::{About, DropReason, Event, SessionEnd};
pub use limits::{Limits, OutboxPolicy, QueuePolicy};
pub use message::{Message, Properties};
pub use permissions::*;
pub use session::{Chunk, CloseReason, ConnectionNumber, DeliveryQuestion, Peer, Session, Work};
pub use sharing::{SharedStrategy, Sharing};
pub use statistics::Statistics;
pub use store::{
    BodyId, Change, DeliveryRecord, Durability, EntryNumber, Health, Kept, KeptDelivery, KeptMessage, KeptSession,
    MemoryStore, SessionNumber, SessionRecord, Store, SubscriptionRecord, Ticket, Unreadable,
};
pub use time::Time;
pub use will::Will;
