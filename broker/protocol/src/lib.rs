//! MQTT control packets: bytes to packets and back.
//!
//! One model serves MQTT 3.1, 3.1.1 and 5.0. A decoded [`Packet`] borrows everything from the buffer it was read
//! into: nothing is copied, and nothing is allocated but the lists of SUBSCRIBE, SUBACK and their like.
//!
//! - [`Decoder`] cuts packets out of a byte stream and checks every rule that needs no state.
//! - Every packet has an `encode`, and [`Packet::encode`] chooses among them.
//! - [`TopicName`] and [`TopicFilter`] are the two kinds of topic, checked.
//! - [`Malformed`] says what was wrong with hostile or broken bytes, and which statement of the standard forbids it.

// The library itself is checked without its tests too, so nothing escapes these lints but test code.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "a failure in a test is an answer"
    )
)]

mod decoder;
mod error;
mod packet;
mod properties;
mod reason;
#[cfg(test)]
mod testing;
mod topic;
mod wire;

pub use decoder::{Decoded, Decoder};
pub use error::{Cause, Malformed, TooLarge, TopicError};
pub use packet::{
    Ack, Auth, Connack, ConnackProperties, Connect, ConnectProperties, Disconnect, MessageProperties, Packet, PacketId,
    PacketKind, ProtocolVersion, Publish, QoS, ReasonProperties, RetainHandling, Suback, Subscribe, SubscribeFilter,
    SubscribeOptions, SubscriptionId, Unsuback, Unsubscribe, Will,
};
pub use properties::{UserProperties, UserPropertiesBuf};
pub use reason::ReasonCode;
pub use topic::{TopicFilter, TopicName};
