//! Connecting and subscribing; what follows is the load's own business.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use midge_protocol::{
    Connect, ConnectProperties, Decoded, Decoder, Disconnect, Packet, PacketId, ProtocolVersion, QoS, ReasonCode,
    Subscribe, SubscribeFilter, SubscribeOptions, UserProperties,
};
use socket2::{Domain, Socket, Type};

/// A connection whose CONNECT was accepted. Its reads have a deadline until [`Client::into_stream`].
pub(crate) struct Client {
    stream: TcpStream,
}

impl Client {
    /// Connects with a clean session and no keep alive, from this source address if one is given.
    pub(crate) fn connect(broker: SocketAddr, source: Option<Ipv4Addr>, client_id: &str) -> io::Result<Self> {
        let stream = match source {
            None => TcpStream::connect(broker)?,
            Some(address) => {
                let socket = Socket::new(Domain::for_address(broker), Type::STREAM, None)?;
                socket.bind(&SocketAddr::new(IpAddr::V4(address), 0).into())?;
                socket.connect(&broker.into())?;
                socket.into()
            }
        };
        Self::greet(stream, client_id, true)
    }

    /// Connects with the session of before, or a new one, which stays when the connection is gone.
    pub(crate) fn connect_persistent(broker: SocketAddr, client_id: &str) -> io::Result<Self> {
        Self::greet(TcpStream::connect(broker)?, client_id, false)
    }

    fn greet(stream: TcpStream, client_id: &str, clean_start: bool) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        let mut client = Self { stream };
        let connect = Connect {
            version: VERSION,
            bridge: false,
            clean_start,
            keep_alive: 0,
            properties: ConnectProperties::default(),
            client_id,
            will: None,
            username: None,
            password: None,
        };
        client.send(&Packet::Connect(Box::new(connect)))?;
        client.expect(|packet| match packet {
            Packet::Connack(connack) if connack.reason == ReasonCode::Success => Ok(()),
            other => Err(io::Error::other(format!("CONNECT was answered with {other:?}"))),
        })?;
        Ok(client)
    }

    /// Subscribes to one filter.
    pub(crate) fn subscribe(&mut self, filter: &str, qos: QoS) -> io::Result<()> {
        let subscribe = Subscribe {
            packet_id: PacketId::new(1).expect("1 is not 0"),
            subscription_id: None,
            user_properties: UserProperties::default(),
            filters: vec![SubscribeFilter { filter, options: SubscribeOptions::new(qos) }],
        };
        self.send(&Packet::Subscribe(subscribe))?;
        self.expect(|packet| match packet {
            Packet::Suback(suback) if suback.reasons == [ReasonCode::granted(qos)] => Ok(()),
            other => Err(io::Error::other(format!("SUBSCRIBE was answered with {other:?}"))),
        })
    }

    /// Says goodbye and waits until the broker has closed.
    pub(crate) fn disconnect(mut self) -> io::Result<()> {
        self.send(&Packet::Disconnect(Disconnect::new(ReasonCode::Success)))?;
        self.stream.read_to_end(&mut Vec::new()).map(drop)
    }

    /// The connection, whose reads wait for as long as it takes.
    pub(crate) fn into_stream(self) -> io::Result<TcpStream> {
        self.stream.set_read_timeout(None)?;
        Ok(self.stream)
    }

    fn send(&mut self, packet: &Packet<'_>) -> io::Result<()> {
        let mut bytes = Vec::new();
        packet.encode(VERSION, &mut bytes).map_err(io::Error::other)?;
        self.stream.write_all(&bytes)
    }

    /// Gives the one packet that is to come to `check`.
    fn expect(&mut self, check: impl FnOnce(&Packet<'_>) -> io::Result<()>) -> io::Result<()> {
        let mut decoder = Decoder::client(VERSION, u32::MAX);
        let mut bytes = Vec::new();
        loop {
            match decoder.decode(&bytes).map_err(io::Error::other)? {
                Decoded::Packet { packet, .. } => return check(&packet),
                Decoded::Incomplete { needed } => {
                    // No more than the packet: what follows belongs to the load.
                    let start = bytes.len();
                    bytes.resize(needed, 0);
                    self.stream.read_exact(&mut bytes[start..])?;
                }
            }
        }
    }
}

const VERSION: ProtocolVersion = ProtocolVersion::V311;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
