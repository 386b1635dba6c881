//! The core's statistics as metrics.

use std::fmt;

use midge_core::Statistics;

use super::text::Text;

pub(super) fn write(now: &Statistics, text: &mut Text<'_>) -> fmt::Result {
    counters(now, text)?;
    messages(now, text)?;
    #[rustfmt::skip]
    let gauges = [
        ("midge_connections", "Network Connections past CONNECT", now.connections),
        ("midge_sessions", "Sessions, connected or not", now.sessions),
        ("midge_subscriptions", "Subscriptions, shared ones included", now.subscriptions),
        ("midge_shared_subscriptions", "Members of shared subscriptions", now.shared_subscriptions),
        ("midge_retained_messages", "Retained messages", now.retained_messages),
        ("midge_retained_bytes", "Bytes of the retained messages", now.retained_bytes),
        ("midge_queued_messages", "Messages that wait for sessions", now.queued_messages),
        ("midge_queued_bytes", "Bytes of the messages that wait for sessions", now.queued_bytes),
        ("midge_in_flight_messages", "QoS 1 and 2 messages sent and not yet acknowledged", now.in_flight),
    ];
    gauges.into_iter().try_for_each(|(name, help, value)| text.gauge(name, help, value as f64))
}

fn counters(now: &Statistics, text: &mut Text<'_>) -> fmt::Result {
    #[rustfmt::skip]
    let counters = [
        ("midge_connects_accepted", "CONNECTs accepted", now.connections_accepted),
        ("midge_connects_over_limit", "CONNECTs refused because a limit of the broker was reached", now.connections_refused),
        ("midge_sessions_created", "Sessions created", now.sessions_created),
        ("midge_sessions_resumed", "Sessions resumed", now.sessions_resumed),
        ("midge_sessions_taken_over", "Sessions taken over by a newer connection", now.sessions_taken_over),
        ("midge_sessions_expired", "Sessions whose Session Expiry Interval ran out", now.sessions_expired),
        ("midge_received_payload_bytes", "Payload bytes from clients", now.payload_bytes_received),
        ("midge_sent_payload_bytes", "Payload bytes to clients", now.payload_bytes_sent),
        ("midge_messages_unmatched", "Messages that matched no subscription", now.messages_unmatched),
        ("midge_messages_refused", "Messages from clients refused by a decision, a limit or a reserved topic", now.messages_refused),
        (
            "midge_messages_refused_queue_full",
            "Messages refused to their publishers because a session's queue was full, by session",
            now.refused_queue_full,
        ),
        ("midge_messages_not_retained", "Messages that were to be retained, and for which there is no room", now.not_retained),
        (
            "midge_answers_too_large",
            "Answers, such as SUBACK, discarded because a client takes no packet as large",
            now.answers_too_large,
        ),
        ("midge_wills_published", "Will Messages published", now.wills_published),
    ];
    counters.into_iter().try_for_each(|(name, help, value)| text.counter(name, help, value))
}

fn messages(now: &Statistics, text: &mut Text<'_>) -> fmt::Result {
    let by_qos = |counts: [u64; 3]| {
        let labels = [vec![("qos", "0")], vec![("qos", "1")], vec![("qos", "2")]];
        labels.into_iter().zip(counts).collect::<Vec<_>>()
    };
    let received = [now.messages_received_qos0, now.messages_received_qos1, now.messages_received_qos2];
    let sent = [now.messages_sent_qos0, now.messages_sent_qos1, now.messages_sent_qos2];
    text.counters("midge_messages_received", "PUBLISH packets from clients", &by_qos(received))?;
    text.counters("midge_messages_sent", "PUBLISH packets to clients", &by_qos(sent))?;
    let dropped = [
        ("queue_full", now.dropped_queue_full),
        ("outbox_full", now.dropped_outbox_full),
        ("too_large", now.dropped_too_large),
        ("expired", now.dropped_expired),
        ("session_ended", now.dropped_session_ended),
        ("unreadable", now.dropped_unreadable),
        ("denied", now.dropped_denied),
    ];
    let dropped = dropped.map(|(reason, count)| (vec![("reason", reason)], count));
    text.counters("midge_messages_dropped", "Messages that did not reach a subscriber, by why", &dropped)
}
