//! Clients that do not keep up: what waits for them, and what they lost.

use std::fmt;

use super::text::{Row, Text};
use crate::backlog::Waiting;
use crate::drops::ClientDrops;

/// What there is to say of them at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClientsStatus {
    pub(crate) waiting: Waiting,
    pub(crate) drops: Vec<ClientDrops>,
}

pub(super) fn write(status: &ClientsStatus, text: &mut Text<'_>) -> fmt::Result {
    let Waiting { connections, bytes } = status.waiting;
    text.gauge("midge_outbox_bytes", "Bytes that wait because sockets take no more", bytes as f64)?;
    text.gauge("midge_outbox_connections", "Connections whose sockets take no more", connections as f64)?;
    text.counters(
        "midge_client_messages_dropped",
        "Messages that did not reach a client, for the clients to which that happened last",
        &status.drops.iter().map(row).collect::<Vec<_>>(),
    )
}

fn row(drops: &ClientDrops) -> Row<'_, u64> {
    (vec![("client_id", &drops.client_id), ("reason", drops.reason.name())], drops.count)
}
