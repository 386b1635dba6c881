//! Why a publisher should slow down.

use std::sync::Arc;

use crate::session::Session;

/// What a batch ran into that should slow its publisher down, from the weakest reason to the strongest.
///
/// No session is a reason that is not connected, or that has taken nothing for [`Limits::slow_down_max`](crate::Limits): nobody
/// waits for those who do not come, and what there is no room for meets the policy of outbox or queue.
#[derive(Clone, Debug)]
pub enum Congestion {
    /// The store falls behind.
    Store,
    /// The outbox of this session is more than three quarters full, of `QoS` 0 among others.
    Outbox(Arc<Session>),
    /// The queue of this session is. A publisher that says nothing more until [`Broker::is_congested`](crate::Broker::is_congested)
    /// says no makes it lose nothing.
    Queue(Arc<Session>),
}
