//! One connection of a client, with packets instead of bytes.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use midge_protocol::{
    Connect, ConnectProperties, Decoded, Decoder, Packet, PacketId, ProtocolVersion, QoS, ReasonCode, Subscribe,
    SubscribeFilter, SubscribeOptions, UserProperties,
};

/// The connection is gone, as it is whenever the broker is killed.
#[derive(Debug)]
pub(crate) struct Gone;

/// A Network Connection after its CONNACK.
pub(crate) struct Channel {
    stream: TcpStream,
    decoder: Decoder,
    unread: Vec<u8>,
}

/// How long a session lives without its connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stay {
    Briefly,
    Forever,
}

/// What a CONNACK said.
pub(crate) enum Hello {
    Welcome { channel: Channel, session_present: bool },
    Refused(ReasonCode),
}

const VERSION: ProtocolVersion = ProtocolVersion::V5;
/// How long anything may take that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

impl Channel {
    /// Connects, with the session of before if there is one that stays.
    pub(crate) fn connect(address: SocketAddr, client_id: &str, stay: Stay) -> Result<Hello, Gone> {
        let stream = TcpStream::connect(address).map_err(|_| Gone)?;
        stream.set_nodelay(true).map_err(|_| Gone)?;
        let mut channel = Self { stream, decoder: Decoder::client(VERSION, u32::MAX), unread: Vec::new() };
        let session_expiry = (stay == Stay::Forever).then_some(u32::MAX);
        channel.send(&Packet::Connect(Box::new(Connect {
            version: VERSION,
            bridge: false,
            clean_start: stay == Stay::Briefly,
            keep_alive: 0,
            properties: ConnectProperties { session_expiry, ..ConnectProperties::default() },
            client_id,
            will: None,
            username: None,
            password: None,
        })))?;
        let answer = channel.receive(Instant::now() + PATIENCE, |packet| match packet {
            Packet::Connack(connack) => Some((connack.reason, connack.session_present)),
            _ => None,
        })?;
        match answer.flatten() {
            Some((ReasonCode::Success, session_present)) => Ok(Hello::Welcome { channel, session_present }),
            Some((reason, _)) => Ok(Hello::Refused(reason)),
            None => Err(Gone),
        }
    }

    /// Asks for everything that matches, with QoS 2.
    pub(crate) fn subscribe(&mut self, filter: &str) -> Result<(), Gone> {
        let options = SubscribeOptions::new(QoS::ExactlyOnce);
        self.send(&Packet::Subscribe(Subscribe {
            packet_id: PacketId::new(1).expect("not 0"),
            subscription_id: None,
            user_properties: UserProperties::default(),
            filters: vec![SubscribeFilter { filter, options }],
        }))
    }

    pub(crate) fn send(&mut self, packet: &Packet<'_>) -> Result<(), Gone> {
        let mut bytes = Vec::new();
        packet.encode(VERSION, &mut bytes).expect("what a script sends fits a packet");
        self.stream.write_all(&bytes).map_err(|_| Gone)
    }

    /// The next packet, or none if there is none before the deadline.
    pub(crate) fn receive<T>(
        &mut self,
        deadline: Instant,
        look: impl FnOnce(&Packet<'_>) -> T,
    ) -> Result<Option<T>, Gone> {
        loop {
            if let Decoded::Packet { packet, length } = self.decoder.decode(&self.unread).map_err(|_| Gone)? {
                let seen = look(&packet);
                drop(packet);
                self.unread.drain(..length);
                return Ok(Some(seen));
            }
            let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) else {
                return Ok(None);
            };
            self.stream.set_read_timeout(Some(left)).map_err(|_| Gone)?;
            let mut space = [0; 64 * 1024];
            match self.stream.read(&mut space) {
                Ok(0) => return Err(Gone),
                Ok(length) => self.unread.extend_from_slice(&space[..length]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Gone),
            }
        }
    }
}
