//! What the broker counts. A batch counts in plain integers; they join the shared totals once per flush.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use midge_protocol::QoS;

/// Declares every counter once: the plain form of a batch, the shared totals, and the public snapshot.
macro_rules! statistics {
    (
        counters { $($(#[$counter_doc:meta])+ $counter:ident,)+ }
        gauges { $($(#[$gauge_doc:meta])+ $gauge:ident,)+ }
        indexes { $($(#[$index_doc:meta])+ $index:ident,)+ }
    ) => {
        /// What one batch changes.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $counter: u64,)+
            $(pub(crate) $gauge: i64,)+
        }

        /// The sums over all batches.
        #[derive(Debug, Default)]
        pub(crate) struct Totals {
            $($counter: AtomicU64,)+
            $($gauge: AtomicI64,)+
        }

        impl Totals {
            /// Adds a batch and empties it.
            pub(crate) fn fold(&self, batch: &mut Counters) {
                $(if batch.$counter != 0 { self.$counter.fetch_add(batch.$counter, Ordering::Relaxed); })+
                $(if batch.$gauge != 0 { self.$gauge.fetch_add(batch.$gauge, Ordering::Relaxed); })+
                *batch = Counters::default();
            }

            /// The sums as they stand; the indexes are for the caller to fill in.
            pub(crate) fn snapshot(&self) -> Statistics {
                Statistics {
                    $($counter: self.$counter.load(Ordering::Relaxed),)+
                    $($gauge: u64::try_from(self.$gauge.load(Ordering::Relaxed)).unwrap_or(0),)+
                    $($index: 0,)+
                }
            }
        }

        /// A snapshot of everything the broker counts. Counters only grow; the others say what there is now.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Statistics {
            $($(#[$counter_doc])+ pub $counter: u64,)+
            $($(#[$gauge_doc])+ pub $gauge: u64,)+
            $($(#[$index_doc])+ pub $index: u64,)+
        }
    };
}

statistics! {
    counters {
        /// CONNECTs accepted.
        connections_accepted,
        /// CONNECTs refused because of a limit or a shutdown.
        connections_refused,
        /// Sessions created.
        sessions_created,
        /// Sessions resumed.
        sessions_resumed,
        /// Connections that lost their session to a newer connection with the same Client Identifier.
        sessions_taken_over,
        /// Sessions whose Session Expiry Interval ran out.
        sessions_expired,
        /// PUBLISH packets with QoS 0 from clients.
        messages_received_qos0,
        /// PUBLISH packets with QoS 1 from clients.
        messages_received_qos1,
        /// PUBLISH packets with QoS 2 from clients, repetitions included.
        messages_received_qos2,
        /// Payload bytes from clients.
        payload_bytes_received,
        /// PUBLISH packets with QoS 0 to clients.
        messages_sent_qos0,
        /// PUBLISH packets with QoS 1 to clients, repetitions included.
        messages_sent_qos1,
        /// PUBLISH packets with QoS 2 to clients, repetitions included.
        messages_sent_qos2,
        /// Payload bytes to clients.
        payload_bytes_sent,
        /// Messages that matched no subscription.
        messages_unmatched,
        /// Messages from clients refused by a decision, a limit or a reserved topic.
        messages_refused,
        /// Messages dropped because a session's queue was full.
        dropped_queue_full,
        /// QoS 0 messages dropped because a client did not read fast enough.
        dropped_outbox_full,
        /// Messages dropped because they exceed the client's Maximum Packet Size.
        dropped_too_large,
        /// Messages dropped because their Message Expiry Interval ran out while they waited.
        dropped_expired,
        /// Messages dropped because the session they waited for ended.
        dropped_session_ended,
        /// Messages dropped because the store no longer has them, or has something else in their place.
        dropped_unreadable,
        /// Messages dropped because their client may not have them, or nobody could say that it may.
        dropped_denied,
        /// Messages refused to their publishers because the queue of a session that would have got them was full.
        refused_queue_full,
        /// Messages for whose topics nothing is retained, or the one before, because there is no room for them.
        not_retained,
        /// Answers, such as SUBACK, discarded because they exceed the client's Maximum Packet Size.
        answers_too_large,
        /// Will Messages published.
        wills_published,
    }
    gauges {
        /// Messages that wait in session queues.
        queued_messages,
        /// Bytes of the messages that wait in session queues.
        queued_bytes,
        /// QoS 1 and 2 messages sent and not yet acknowledged.
        in_flight,
    }
    indexes {
        /// Network Connections past CONNECT.
        connections,
        /// Sessions, connected or not.
        sessions,
        /// Subscriptions, shared ones included.
        subscriptions,
        /// Members of shared subscriptions.
        shared_subscriptions,
        /// Retained messages.
        retained_messages,
        /// Bytes of the retained messages.
        retained_bytes,
    }
}

impl Counters {
    /// A PUBLISH to a client.
    pub(crate) fn count_sent(&mut self, qos: QoS, payload_bytes: usize) {
        match qos {
            QoS::AtMostOnce => self.messages_sent_qos0 += 1,
            QoS::AtLeastOnce => self.messages_sent_qos1 += 1,
            QoS::ExactlyOnce => self.messages_sent_qos2 += 1,
        }
        self.payload_bytes_sent += payload_bytes as u64;
    }

    /// A PUBLISH from a client.
    pub(crate) fn count_received(&mut self, qos: QoS, payload_bytes: usize) {
        match qos {
            QoS::AtMostOnce => self.messages_received_qos0 += 1,
            QoS::AtLeastOnce => self.messages_received_qos1 += 1,
            QoS::ExactlyOnce => self.messages_received_qos2 += 1,
        }
        self.payload_bytes_received += payload_bytes as u64;
    }
}

impl Statistics {
    /// Messages dropped on their way to a subscriber, for whatever reason.
    #[must_use]
    pub fn messages_dropped(&self) -> u64 {
        self.dropped_queue_full
            + self.dropped_outbox_full
            + self.dropped_too_large
            + self.dropped_expired
            + self.dropped_session_ended
            + self.dropped_unreadable
            + self.dropped_denied
    }
}
