//! One connection of a client, with packets instead of bytes.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use midge_protocol::{
    Connect, ConnectProperties, Decoded, Decoder, Disconnect, Packet, PacketId, ProtocolVersion, QoS, ReasonCode,
    Subscribe, SubscribeFilter, SubscribeOptions, UserProperties, Will,
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

/// What a CONNECT says.
#[derive(Clone, Copy)]
pub(crate) struct Login<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) clean_start: bool,
    /// Session Expiry Interval in seconds.
    pub(crate) session_expiry: u32,
    pub(crate) receive_maximum: Option<NonZeroU16>,
    pub(crate) will: Option<Will<'a>>,
}

impl<'a> Login<'a> {
    /// With the session of before, which never ends.
    pub(crate) fn forever(client_id: &'a str) -> Self {
        Self { client_id, clean_start: false, session_expiry: u32::MAX, receive_maximum: None, will: None }
    }

    /// With a session that ends with the connection.
    pub(crate) fn briefly(client_id: &'a str) -> Self {
        Self { clean_start: true, session_expiry: 0, ..Self::forever(client_id) }
    }
}

/// What a CONNACK said.
pub(crate) enum Hello {
    Welcome { channel: Channel, session_present: bool },
    Refused(ReasonCode),
}

const VERSION: ProtocolVersion = ProtocolVersion::V5;
/// How long anything may take that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

impl Channel {
    pub(crate) fn connect(address: SocketAddr, login: Login<'_>) -> Result<Hello, Gone> {
        let stream = TcpStream::connect(address).map_err(|_| Gone)?;
        stream.set_nodelay(true).map_err(|_| Gone)?;
        let mut channel = Self { stream, decoder: Decoder::client(VERSION, u32::MAX), unread: Vec::new() };
        channel.send(&Packet::Connect(Box::new(Connect {
            version: VERSION,
            bridge: false,
            clean_start: login.clean_start,
            keep_alive: 0,
            properties: ConnectProperties {
                session_expiry: Some(login.session_expiry),
                receive_maximum: login.receive_maximum,
                ..ConnectProperties::default()
            },
            client_id: login.client_id,
            will: login.will,
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

    pub(crate) fn subscribe(&mut self, packet_id: PacketId, filter: &str, qos: QoS) -> Result<(), Gone> {
        let options = SubscribeOptions::new(qos);
        self.send(&Packet::Subscribe(Subscribe {
            packet_id,
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

    /// Says goodbye and waits until the broker has closed.
    pub(crate) fn disconnect(mut self) {
        let goodbye = Packet::Disconnect(Disconnect::new(ReasonCode::Success));
        if self.send(&goodbye).is_ok() {
            let deadline = Instant::now() + PATIENCE;
            while let Ok(Some(())) = self.receive(deadline, |_| ()) {}
        }
    }

    /// Goes without a word.
    pub(crate) fn drop_connection(self) {
        // One that is closed already is gone just as well.
        let _ = self.stream.shutdown(Shutdown::Both);
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
