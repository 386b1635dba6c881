//! A place where one connection after the other is served, as the server crate serves them.

use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use midge_core::{Connection, ConnectionNumber, Decision, Ending, Opening, Peer, Received, Session, Work};
use midge_protocol::{Connack, Decoded, Decoder, Disconnect, Packet, ProtocolVersion, QoS, ReasonCode};

use super::Hub;
use super::watch::Watch;

/// Nobody, or a connection and its client.
#[derive(Default)]
pub(crate) struct Seat(Option<Guest>);

struct Guest {
    decoder: Decoder,
    connection: Connection,
    socket: Arc<Socket>,
    /// What was said and is not carried out.
    input: Vec<u8>,
    watch: Watch,
}

/// The way to the client, with a buffer that can be full.
struct Socket {
    bytes: Mutex<Vec<u8>>,
    capacity: usize,
    /// Whether whoever publishes writes here itself.
    inline: bool,
}

/// How a connection goes on.
enum Next {
    More,
    End { ending: Ending, reason: Option<ReasonCode> },
}

impl Seat {
    pub(crate) fn is_free(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn version(&self) -> ProtocolVersion {
        self.0.as_ref().map_or(ProtocolVersion::V5, |guest| guest.watch.version)
    }

    pub(crate) fn open(&self) -> Vec<u16> {
        self.0.as_ref().map(|guest| guest.watch.open()).unwrap_or_default()
    }

    /// A new connection, with its CONNECT.
    pub(crate) fn sit_down(&mut self, connect: &[u8], inline: bool, hub: &mut Hub) {
        let mut decoder = Decoder::server(hub.broker.limits().packet_bytes_max);
        let decoded = match decoder.decode(connect) {
            Ok(decoded) => decoded,
            Err(malformed) => return check_refusal(decoder.version(), malformed.reason_code()),
        };
        let Decoded::Packet { packet, .. } = decoded else { return };
        let Packet::Connect(told) = &packet else { panic!("{} is no CONNECT", packet.kind()) };
        let (version, watch) = (Some(told.version), Watch::new(told));
        if let Some(will) = &told.will {
            hub.topics.insert(will.topic.to_owned());
        }
        let request = match Opening::receive(packet, &hub.broker) {
            Ok(request) => request,
            Err(error) => return check_refusal(version, error.reason_code()),
        };
        hub.client_ids.insert(request.client_id.to_string());
        let socket = Arc::new(Socket { bytes: Mutex::default(), capacity: hub.socket_bytes, inline });
        let peer = Arc::clone(&socket) as Arc<dyn Peer>;
        match hub.broker.connect(request, peer, hub.now, &mut hub.effects) {
            Ok(connection) => self.0 = Some(Guest { decoder, connection, socket, input: Vec::new(), watch }),
            Err(refusal) => check_refusal(version, refusal.reason_code()),
        }
        hub.flush();
    }

    /// The client sends these bytes.
    pub(crate) fn say(&mut self, bytes: &[u8], hub: &mut Hub) {
        let Some(guest) = &mut self.0 else { return };
        guest.input.extend_from_slice(bytes);
        self.carry_out(hub);
    }

    /// The client reads so many bytes.
    pub(crate) fn listen(&mut self, most: usize) {
        let Some(guest) = &mut self.0 else { return };
        let bytes = guest.socket.read(most);
        guest.watch.read(&bytes);
    }

    /// The client goes without a word.
    pub(crate) fn lose(&mut self, hub: &mut Hub) {
        self.end(Ending::Lost, None, hub);
    }

    /// Does what the session's output asks for; whether there was anything to do.
    pub(crate) fn serve(&mut self, hub: &mut Hub) -> bool {
        let mut moved = false;
        while let Some(guest) = &mut self.0 {
            let (session, number) = (guest.connection.session(), guest.connection.number());
            let Poll::Ready(work) = session.poll_output(number, &mut Context::from_waker(Waker::noop())) else { break };
            match work {
                Work::Write(chunk) => {
                    let written = guest.socket.write(&chunk.parts().flatten().copied().collect::<Vec<u8>>());
                    let whole = written == chunk.len();
                    session.give_back(number, chunk, written);
                    moved |= written > 0;
                    if !whole {
                        break;
                    }
                }
                Work::Drained => {
                    moved = true;
                    hub.broker.drained(&mut guest.connection, hub.now, &mut hub.effects);
                    hub.flush();
                }
                Work::Load(bodies) => {
                    moved = true;
                    let fetched = hub.broker.fetch(&bodies);
                    hub.broker.loaded(&mut guest.connection, fetched, hub.now, &mut hub.effects);
                    hub.flush();
                }
                Work::Authorize(questions) => {
                    moved = true;
                    let verdicts = questions.into_iter().map(|question| (question, true)).collect();
                    hub.broker.authorized(&mut guest.connection, verdicts, hub.now, &mut hub.effects);
                    hub.flush();
                }
                Work::Close(reason) => {
                    self.end(Ending::Lost, Some(reason.reason_code()), hub);
                    return true;
                }
            }
        }
        self.carry_out(hub) || moved
    }

    pub(crate) fn output_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |guest| guest.connection.session().output_bytes(guest.connection.number()))
    }

    pub(crate) fn has_heard_all(&self) -> bool {
        self.output_bytes() == 0 && self.0.as_ref().is_none_or(|guest| guest.socket.lock().is_empty())
    }

    pub(crate) fn check_answered(&self) {
        if let Some(guest) = &self.0 {
            guest.watch.check_answered();
        }
    }

    /// Carries out every whole packet; whether there was one. A client that does not read its answers is not read either.
    fn carry_out(&mut self, hub: &mut Hub) -> bool {
        let Some(guest) = &mut self.0 else { return false };
        let input = std::mem::take(&mut guest.input);
        let mut rest = input.as_slice();
        let mut next = Next::More;
        while matches!(next, Next::More) && !guest.is_overfull(hub) {
            match guest.decoder.decode(rest) {
                Ok(Decoded::Packet { packet, length }) => {
                    rest = &rest[length..];
                    next = guest.receive(packet, hub);
                }
                Ok(Decoded::Incomplete { needed }) => {
                    assert!(needed > rest.len());
                    break;
                }
                Err(malformed) => next = Next::End { ending: Ending::Lost, reason: Some(malformed.reason_code()) },
            }
        }
        let moved = rest.len() < input.len();
        guest.input = rest.to_vec();
        hub.flush();
        if let Next::End { ending, reason } = next {
            self.end(ending, reason, hub);
            return true;
        }
        moved
    }

    /// The connection ends, with a DISCONNECT where there is a reason to name and a way to do it.
    fn end(&mut self, ending: Ending, reason: Option<ReasonCode>, hub: &mut Hub) {
        let Some(Guest { connection, socket, mut watch, .. }) = self.0.take() else { return };
        let (session, number) = (Arc::clone(connection.session()), connection.number());
        let is_cut_off = session.is_cut_off(number);
        hub.broker.close(connection, ending, hub.now, &mut hub.effects);
        hub.flush();
        watch.read(&socket.read(usize::MAX));
        let Some(reason) = reason else { return };
        assert!(reason.is_error(), "a connection ends without a reason");
        if watch.version == ProtocolVersion::V5 && !is_cut_off {
            let mut farewell = Vec::new();
            Disconnect::new(reason).encode(ProtocolVersion::V5, &mut farewell).expect("it has three bytes");
            watch.read(&farewell);
        }
    }
}

/// A CONNECT is refused with a CONNACK that its client can read; or without, where it has no word for the reason.
fn check_refusal(version: Option<ProtocolVersion>, reason: ReasonCode) {
    assert!(reason.is_error(), "refused without a reason");
    let Some(version) = version.filter(|version| version.is_v5() || reason.connack_v3().is_some()) else { return };
    let mut connack = Vec::new();
    Connack::new(reason).encode(version, &mut connack).expect("it is small");
    let decoded = Decoder::client(version, u32::MAX).decode(&connack);
    assert!(matches!(decoded, Ok(Decoded::Packet { .. })), "{version:?} cannot be told {reason:?}");
}

impl Guest {
    fn is_overfull(&self, hub: &Hub) -> bool {
        self.connection.session().output_bytes(self.connection.number()) > hub.broker.limits().outbox_bytes_max
    }

    /// Carries out one packet.
    fn receive(&mut self, packet: Packet<'_>, hub: &mut Hub) -> Next {
        let Self { connection, watch, .. } = self;
        let received = match connection.receive(&packet) {
            Ok(received) => received,
            Err(error) => return Next::End { ending: Ending::Lost, reason: Some(error.reason_code()) },
        };
        watch.accepted(&packet);
        let Hub { broker, effects, now, topics, .. } = hub;
        match received {
            Received::Publish(inbound) => {
                topics.insert(inbound.topic.to_string());
                let refused = inbound.publish.payload.first() == Some(&b'!');
                let refusal = Decision::Refuse { reason: ReasonCode::NotAuthorized, text: Some("no") };
                let decision = if refused { refusal } else { Decision::Accept };
                broker.publish(connection, &inbound, decision, *now, effects);
            }
            Received::Acknowledgement(acknowledgement) => {
                if let Err(error) = broker.acknowledge(connection, acknowledgement, *now, effects) {
                    return Next::End { ending: Ending::Lost, reason: Some(error.reason_code()) };
                }
            }
            Received::Subscribe(subscribe) => {
                let ruling =
                    |filter: &str| if filter == "b" { Err(ReasonCode::NotAuthorized) } else { Ok(QoS::ExactlyOnce) };
                let rulings: Vec<_> = subscribe.filters.iter().map(|asked| ruling(asked.filter)).collect();
                broker.subscribe(connection, subscribe, &rulings, *now, effects);
            }
            Received::Unsubscribe(unsubscribe) => {
                broker.unsubscribe(connection, unsubscribe, &[], *now, effects);
            }
            Received::Ping => broker.pong(connection, effects),
            Received::Authenticate(_) => {
                return Next::End { ending: Ending::Lost, reason: Some(ReasonCode::BadAuthenticationMethod) };
            }
            Received::Disconnect(disconnect) => {
                let with_will = disconnect.reason == ReasonCode::DisconnectWithWill;
                let ending = Ending::Disconnected { with_will, session_expiry: disconnect.session_expiry };
                return Next::End { ending, reason: None };
            }
        }
        Next::More
    }
}

impl Socket {
    fn write(&self, bytes: &[u8]) -> usize {
        let mut buffer = self.lock();
        let count = bytes.len().min(self.capacity.saturating_sub(buffer.len()));
        buffer.extend_from_slice(&bytes[..count]);
        count
    }

    fn read(&self, most: usize) -> Vec<u8> {
        let mut buffer = self.lock();
        let count = most.min(buffer.len());
        buffer.drain(..count).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().expect("nobody panics while holding it")
    }
}

impl Peer for Socket {
    fn flush(&self, session: &Arc<Session>, number: ConnectionNumber) {
        if !self.inline {
            return session.wake(number);
        }
        while let Some(chunk) = session.take_output(number) {
            let written = self.write(&chunk.parts().flatten().copied().collect::<Vec<u8>>());
            if !session.give_back(number, chunk, written) {
                return;
            }
        }
    }
}
