//! From CONNECT to CONNACK.

mod exchange;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use midge_core::{ConnectRequest, Opening, Refusal};
use midge_protocol::{Cause, Connack, Decoded, Decoder, Malformed, ProtocolVersion, ReasonCode};
use tokio::io::ReadBuf;
use tokio::time::timeout_at;

use crate::config::ProtocolName;
use crate::driver::{Driver, Few, Link, Reauthentication, Scratch, Unread, Waiting, close, with_scratch};
use crate::ending::ConnectionEnd;
use crate::hooks::{Admitted, Arrival, admit, kept};
use crate::listener::{Accepted, Permit};
use crate::node::Node;
use crate::revocations::{REVIEW_DUE, Scope};
use crate::transport::Owned;

/// Serves one client from its first byte to its last.
///
/// It is written by hand because every connection is one of these for as long as it lasts: what is needed once, at the
/// beginning and at the end, is in boxes, and in between there is a driver and nothing else.
pub(crate) enum Serving {
    /// From the first byte to CONNACK.
    Opening(Pin<Box<dyn Future<Output = Option<Driver>> + Send>>),
    /// From there on.
    Driving(Driver),
    /// What follows when there is a reason to close.
    Closing(Pin<Box<dyn Future<Output = ()> + Send>>),
    /// The client is gone.
    Over,
}

/// Serves the client that was accepted.
pub(crate) fn serve(node: Arc<Node>, accepted: Accepted) -> Serving {
    Serving::Opening(Box::pin(open(node, accepted)))
}

impl Future for Serving {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let next = match &mut *self {
                Self::Opening(opening) => ready!(opening.as_mut().poll(context)).map_or(Self::Over, Self::Driving),
                Self::Driving(driver) => {
                    let end = ready!(driver.poll(context));
                    match std::mem::replace(&mut *self, Self::Over) {
                        Self::Driving(driver) => Self::Closing(Box::pin(driver.finish(end))),
                        other => other,
                    }
                }
                Self::Closing(closing) => {
                    ready!(closing.as_mut().poll(context));
                    Self::Over
                }
                Self::Over => return Poll::Ready(()),
            };
            *self = next;
        }
    }
}

/// A client that has not been let in.
struct Candidate {
    owned: Owned,
    decoder: Decoder,
    /// What was read and not carried out.
    unread: Vec<u8>,
    client_id: Option<Arc<str>>,
    /// The largest packet it takes.
    maximum_packet_size: u32,
}

/// A client that may come in, with what it asked for.
struct Introduced {
    request: ConnectRequest,
    admitted: Admitted,
    /// Present if it named an Authentication Method.
    reauthentication: Option<Box<Reauthentication>>,
}

/// None for a client that was not let in: it has been told, and the log has its line.
async fn open(node: Arc<Node>, accepted: Accepted) -> Option<Driver> {
    let Accepted { transport, peer, listener, tls, http, deadline, timers, permit } = accepted;
    let arrival = Arrival { listener: &listener, peer, tls: tls.as_deref(), http: http.as_deref() };
    let (owned, writer) = transport.split();
    let decoder = Decoder::server(node.broker.limits().packet_bytes_max);
    let mut candidate =
        Candidate { owned, decoder, unread: Vec::new(), client_id: None, maximum_packet_size: u32::MAX };
    let admitted = match timeout_at(deadline, candidate.introduce(&node, &arrival, &permit)).await {
        Ok(admitted) => admitted,
        Err(_) => Err(ConnectionEnd::ConnectTimeout),
    };
    let metrics = Arc::clone(&node.metrics);
    let link = Arc::new(Link::new(writer, metrics, timers, permit, node.rates.write_stall_max_s));
    let connected = admitted.and_then(|Introduced { request, admitted, reauthentication }| {
        let packet_size = request.overrides.packet_size;
        let now = node.clock.now();
        let peer = Arc::clone(&link);
        let connection = with_scratch(|Scratch { effects, .. }| {
            let connection = node.broker.connect(request, peer, now, effects);
            node.conclude(effects, now);
            connection
        });
        connection
            .map(|connection| (connection, admitted, reauthentication, packet_size))
            .map_err(ConnectionEnd::Refused)
    });
    let (connection, admitted, reauthentication, packet_size) = match connected {
        Ok(connected) => connected,
        Err(end) => {
            candidate.refuse(&node, &arrival, &end).await;
            return None;
        }
    };

    let Admitted { client, expires_at } = admitted;
    let Candidate { owned, mut decoder, unread, .. } = candidate;
    if let Some(bytes) = packet_size {
        decoder.set_maximum_packet_size(bytes.min(node.broker.limits().packet_bytes_max));
    }
    let now = node.clock.now();
    if connection.session_present() {
        // Who it is now may not be allowed what it was when it subscribed.
        client.reviewed.store(REVIEW_DUE, Ordering::Relaxed);
    }
    link.open(&connection, expires_at, node.clock.moment(now));
    node.connection_opened(&client, connection.version(), connection.session_present(), now);
    let few = Few::new(node.pace(&client, now), reauthentication);
    Some(Driver {
        node,
        owned,
        link,
        connection,
        client,
        decoder,
        unread: Unread::from(unread),
        unsent: None,
        waiting: Some(Box::new(Waiting::Succession)),
        few,
    })
}

impl Candidate {
    /// Reads CONNECT and asks who the client is.
    async fn introduce(
        &mut self,
        node: &Arc<Node>,
        arrival: &Arrival<'_>,
        permit: &Permit,
    ) -> Result<Introduced, ConnectionEnd> {
        let mut request = self.connect(node).await?;
        let began = node.revocations.epoch();
        self.client_id = Some(Arc::clone(&request.client_id));
        self.maximum_packet_size = request.maximum_packet_size.unwrap_or(u32::MAX);
        if !arrival.listener.config().versions.contains(&name(request.version)) {
            return Err(ConnectionEnd::VersionNotAccepted);
        }
        // Before any plugin is asked: it could not change that.
        if permit.is_for_refusal() {
            return Err(ConnectionEnd::Refused(node.broker.refuse(Refusal::TooManyConnections)));
        }
        if node.memory.is_full() {
            return Err(ConnectionEnd::Refused(node.broker.refuse(Refusal::OutOfMemory)));
        }
        if let Some(method) = request.authentication_method.clone() {
            let (admitted, asked) = self.authenticate(node, arrival, &mut request, &method).await?;
            look_back(node, began, &admitted)?;
            let asked = kept(asked, &admitted.client.identity.principal);
            let reauthentication = Some(Box::new(Reauthentication::new(asked)));
            return Ok(Introduced { request, admitted, reauthentication });
        }
        let host = Arc::clone(&node.host());
        let admitted = admit(node, &host, arrival, &mut request).await.map_err(ConnectionEnd::Denied)?;
        look_back(node, began, &admitted)?;
        Ok(Introduced { request, admitted, reauthentication: None })
    }

    /// The first packet, which is CONNECT.
    async fn connect(&mut self, node: &Node) -> Result<ConnectRequest, ConnectionEnd> {
        loop {
            if let Decoded::Packet { packet, length } = self.decoder.decode(&self.unread)? {
                let request = Opening::receive(packet, &node.broker)?;
                self.unread.drain(..length);
                node.metrics.received_packets(1);
                return Ok(request);
            }
            let read = read(&mut self.owned, &mut self.unread).await?;
            node.metrics.received(read);
            if read == 0 {
                return Err(ConnectionEnd::Closed);
            }
        }
    }

    /// Tells the client why it is not let in, as far as its version has words for it, closes, and logs.
    async fn refuse(mut self, node: &Node, arrival: &Arrival<'_>, end: &ConnectionEnd) {
        let listener = &arrival.listener.config().name;
        node.connection_refused(&arrival.peer.to_string(), listener, self.client_id.as_deref(), end);
        let farewell = connack(end, self.decoder.version(), self.maximum_packet_size as usize);
        node.metrics.sent(farewell.len());
        close(&mut self.owned, &farewell).await;
    }
}

/// What was revoked while plugins were asked about a client may have been said before it was revoked.
fn look_back(node: &Node, began: u32, admitted: &Admitted) -> Result<(), ConnectionEnd> {
    match node.revocations.since(began, &admitted.client.identity.principal) {
        None => Ok(()),
        Some(Scope::Authorization) => {
            node.revocations.add(std::iter::once(admitted.client.identity.id()));
            Ok(())
        }
        Some(Scope::Authentication) => Err(ConnectionEnd::Administrative(ReasonCode::ServerBusy)),
    }
}

async fn read(owned: &mut Owned, unread: &mut Vec<u8>) -> io::Result<usize> {
    poll_fn(|context| {
        with_scratch(|Scratch { space, .. }| {
            let mut buffer = ReadBuf::new(space);
            ready!(owned.poll_read(context, &mut buffer))?;
            unread.extend_from_slice(buffer.filled());
            std::task::Poll::Ready(Ok(buffer.filled().len()))
        })
    })
    .await
}

/// The CONNACK of a refusal; empty where nothing is to be said.
fn connack(end: &ConnectionEnd, version: Option<ProtocolVersion>, maximum_packet_size: usize) -> Vec<u8> {
    let (Some(reason), Some(version)) = (end.reason_code(), version.or_else(|| asked_version(end))) else {
        return Vec::new();
    };
    let reason = match end {
        // To version 3 a denial is "not authorized", whether the name or the password was wrong: a stranger need not know.
        ConnectionEnd::Denied(_) if !version.is_v5() => match reason {
            unavailable if unavailable.connack_v3() == Some(3) => unavailable,
            _ => ReasonCode::NotAuthorized,
        },
        _ => reason,
    };
    // Version 3 closes without a word where it has no return code for the reason [v3.1.1 MQTT-3.2.2-6].
    if !version.is_v5() && reason.connack_v3().is_none() {
        return Vec::new();
    }
    let mut connack = Connack::new(reason);
    let mut bytes = Vec::new();
    if let ConnectionEnd::Denied(denial) = end {
        connack.properties.server_reference = end.server_reference();
        connack.properties.reason.reason_string = denial.reason.as_deref();
    }
    let mut encoded = connack.encode(version, &mut bytes);
    if encoded.is_err() || bytes.len() > maximum_packet_size {
        // The other server is worth more than why.
        bytes.clear();
        connack.properties.reason.reason_string = None;
        encoded = connack.encode(version, &mut bytes);
    }
    if encoded.is_err() || bytes.len() > maximum_packet_size {
        // A reason that does not fit is left out [MQTT-3.2.2-19].
        bytes.clear();
        let encoded = Connack::new(reason).encode(version, &mut bytes);
        debug_assert!(encoded.is_ok(), "a CONNACK without properties has five bytes at most");
    }
    // What the client does not take is not sent [MQTT-3.1.2-24].
    if bytes.len() > maximum_packet_size { Vec::new() } else { bytes }
}

/// In which version to refuse a version that does not exist: 3.1.1 says 0x01 and 5 says 0x84 [MQTT-3.1.2-2].
fn asked_version(end: &ConnectionEnd) -> Option<ProtocolVersion> {
    let ConnectionEnd::Malformed(malformed) = end else { return None };
    match Malformed::cause(*malformed) {
        Cause::ProtocolVersion(level) if level < 5 => Some(ProtocolVersion::V311),
        Cause::ProtocolVersion(_) => Some(ProtocolVersion::V5),
        _ => None,
    }
}

fn name(version: ProtocolVersion) -> ProtocolName {
    match version {
        ProtocolVersion::V31 => ProtocolName::V31,
        ProtocolVersion::V311 => ProtocolName::V311,
        ProtocolVersion::V5 => ProtocolName::V5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hooks::Client;

    /// What an idle connection is made of here. The numbers are what fits into a size class of allocators together with
    /// what a task (96 bytes, in steps of 128) and an `Arc` (16 bytes) add: one byte more costs a quarter more,
    /// and a task twice as much, where an allocator aligns only what is a power of two.
    #[test]
    fn an_idle_connection_is_small() {
        assert!(size_of::<Serving>() <= 160, "a task's future: {} bytes", size_of::<Serving>());
        assert!(size_of::<Driver>() <= size_of::<Serving>());
        assert!(size_of::<Link>() <= 96, "{} bytes", size_of::<Link>());
        assert!(size_of::<Client>() <= 48, "{} bytes", size_of::<Client>());
    }
}
