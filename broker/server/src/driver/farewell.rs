//! The end of a connection: what it leaves behind, what its client is told, and the one line in the log.

use std::future::poll_fn;
use std::time::Duration;

use midge_protocol::{Disconnect, ProtocolVersion, ReasonCode};
use tokio::time::timeout;

use super::{Driver, with_scratch};
use crate::ending::ConnectionEnd;
use crate::transport::Owned;

impl Driver {
    /// Decides Will and session, tells the client why, closes, and logs. The Will goes first: it must not wait for a
    /// client that does not read its farewell.
    pub(crate) async fn finish(self, end: ConnectionEnd) {
        // The link has the connection's place among those that may be open, and gives it back last.
        let Self { node, mut owned, link: _link, connection, client, unsent, few, .. } = self;
        // Whatever is being asked for the client is not, by the time plugins hear that it is gone.
        drop(few);
        let (version, session, number) = (connection.version(), connection.session().clone(), connection.number());
        // Somebody else may be writing, for the length of a system call.
        poll_fn(|context| session.poll_silence(number, context)).await;
        // Behind a piece of a packet nothing can be said any more.
        let is_cut_off = unsent.is_some() || session.is_cut_off(number);
        // What came before the packet that broke a rule was carried out, and is answered.
        let mut farewell = match &end {
            ConnectionEnd::Malformed(_) | ConnectionEnd::Protocol(_) if !is_cut_off => session.last_output(number),
            _ => Vec::new(),
        };
        let maximum_packet_size = connection.maximum_packet_size() as usize;
        let now = node.clock.now();
        with_scratch(|scratch| {
            node.broker.close(connection, end.ending(), now, &mut scratch.effects);
            node.conclude(&mut scratch.effects, now);
        });
        node.connection_ended(&client, version, &end, now);
        drop(session);
        let ordered = node.redirects.take(&client.identity.client_id);
        if let Some(reason) = end.reason_code().filter(|_| version.is_v5() && !is_cut_off) {
            let elsewhere = match reason {
                ReasonCode::UseAnotherServer | ReasonCode::ServerMoved => end.server_reference().or(ordered.as_deref()),
                _ => None,
            };
            farewell.extend(disconnect(reason, elsewhere, maximum_packet_size));
        }
        close(&mut owned, &farewell).await;
    }
}

/// A DISCONNECT, with the server that the client is sent to unless it takes no packet of that size [MQTT-3.1.2-24].
fn disconnect(reason: ReasonCode, elsewhere: Option<&str>, maximum_packet_size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    if elsewhere.is_some() {
        let packet = Disconnect { server_reference: elsewhere, ..Disconnect::new(reason) };
        if packet.encode(ProtocolVersion::V5, &mut bytes).is_ok() && bytes.len() <= maximum_packet_size {
            return bytes;
        }
        bytes.clear();
    }
    let encoded = Disconnect::new(reason).encode(ProtocolVersion::V5, &mut bytes);
    debug_assert!(encoded.is_ok(), "a DISCONNECT without properties has three bytes");
    bytes
}

/// Writes what is left to say, closes our side, and waits for the client's, but not for long.
pub(crate) async fn close(owned: &mut Owned, farewell: &[u8]) {
    let goodbye = async {
        let mut rest = farewell;
        while !rest.is_empty() {
            match poll_fn(|context| owned.poll_write(context, rest)).await {
                Ok(written) if written > 0 => rest = rest.get(written..).unwrap_or_default(),
                Ok(_) | Err(_) => return,
            }
        }
        if poll_fn(|context| owned.poll_shutdown(context)).await.is_ok() {
            poll_fn(|context| owned.poll_discard(context)).await;
        }
    };
    // A client that neither reads nor closes is left to the operating system.
    let _ = timeout(FAREWELL_MAX, goodbye).await;
}

const FAREWELL_MAX: Duration = Duration::from_secs(2);
