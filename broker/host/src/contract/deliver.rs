//! Authorization of deliveries.

use std::sync::Arc;

use super::QoS;

/// May a client have this message?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryQuestion {
    /// The Topic Name.
    pub topic: String,
    /// The publisher's Client Identifier; `None` for what the broker or a plugin published.
    pub publisher: Option<Arc<str>>,
    /// The QoS it is sent with.
    pub qos: QoS,
    /// The RETAIN it is sent with.
    pub retain: bool,
}
