//! Connecting and subscribing; what follows is the load's own business.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use midge_protocol::{
    Connect, ConnectProperties, Decoded, Decoder, Disconnect, Packet, PacketId, ProtocolVersion, QoS, ReasonCode,
    Subscribe, SubscribeFilter, SubscribeOptions, UserProperties,
};
use socket2::{Domain, Socket, Type};

use crate::Broker;
use crate::tls::Stream;

/// A connection whose CONNECT was accepted. Its reads have a deadline until [`Client::into_stream`].
pub(crate) struct Client {
    stream: Stream,
}

impl Client {
    /// Connects with a clean session, from this source address if one is given.
    pub(crate) fn connect(broker: &Broker, source: Option<Ipv4Addr>, client_id: &str) -> io::Result<Self> {
        Self::greet(broker, source, client_id, true)
    }

    /// Connects with the session of before, or a new one, which stays when the connection is gone.
    pub(crate) fn connect_persistent(broker: &Broker, client_id: &str) -> io::Result<Self> {
        Self::greet(broker, None, client_id, false)
    }

    fn greet(broker: &Broker, source: Option<Ipv4Addr>, client_id: &str, clean_start: bool) -> io::Result<Self> {
        let stream = dial(broker.address, source)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        let mut client = Self { stream: Stream::over(stream, broker.tls)? };
        let connect = Connect {
            version: VERSION,
            bridge: false,
            clean_start,
            keep_alive: KEEP_ALIVE_S,
            properties: ConnectProperties::default(),
            client_id,
            will: None,
            username: broker.username.as_deref(),
            password: broker.password.as_deref().map(str::as_bytes),
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
        self.subscribe_all(&[filter], qos)
    }

    /// Subscribes to several filters at once.
    pub(crate) fn subscribe_all(&mut self, filters: &[impl AsRef<str>], qos: QoS) -> io::Result<()> {
        let subscribe = Subscribe {
            packet_id: PacketId::new(1).expect("1 is not 0"),
            subscription_id: None,
            user_properties: UserProperties::default(),
            filters: filters
                .iter()
                .map(|filter| SubscribeFilter { filter: filter.as_ref(), options: SubscribeOptions::new(qos) })
                .collect(),
        };
        self.send(&Packet::Subscribe(subscribe))?;
        let granted = ReasonCode::granted(qos);
        self.expect(|packet| match packet {
            Packet::Suback(suback)
                if suback.reasons.len() == filters.len() && suback.reasons.iter().all(|reason| *reason == granted) =>
            {
                Ok(())
            }
            other => Err(io::Error::other(format!("SUBSCRIBE was answered with {other:?}"))),
        })
    }

    /// Says goodbye and waits until the broker has closed.
    pub(crate) fn disconnect(mut self) -> io::Result<()> {
        self.send(&Packet::Disconnect(Disconnect::new(ReasonCode::Success)))?;
        self.stream.read_to_end(&mut Vec::new()).map(drop)
    }

    /// The connection, whose reads wait for as long as it takes. Loads go over plain TCP.
    pub(crate) fn into_stream(self) -> io::Result<TcpStream> {
        match self.stream {
            Stream::Plain(stream) => stream.set_read_timeout(None).map(|()| stream),
            Stream::Tls(_) => Err(io::Error::other("only connections that do nothing (`idle`) are measured with TLS")),
        }
    }

    fn send(&mut self, packet: &Packet<'_>) -> io::Result<()> {
        let mut bytes = Vec::new();
        packet.encode(VERSION, &mut bytes).map_err(io::Error::other)?;
        self.stream.write_all(&bytes)?;
        self.stream.flush()
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

/// Connects, from another address where this one's ports are used up: connections that just ended keep theirs for a minute.
fn dial(broker: SocketAddr, source: Option<Ipv4Addr>) -> io::Result<TcpStream> {
    let Some(first) = source else { return dial_from(broker, None) };
    let others = (0..SOURCES_MAX).map(|step| Ipv4Addr::from(u32::from(first).saturating_add(step * SOURCES_APART)));
    let mut result = Err(io::ErrorKind::AddrInUse.into());
    for address in others {
        result = dial_from(broker, Some(address));
        if !result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse) {
            break;
        }
    }
    result
}

fn dial_from(broker: SocketAddr, source: Option<Ipv4Addr>) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(broker), Type::STREAM, None)?;
    // Room for everything that may be under way. What finds none is dropped and sent again after 200 ms, which would be measured.
    // The system gives less where it allows no more.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
    if let Some(address) = source {
        socket.bind(&SocketAddr::new(IpAddr::V4(address), 0).into())?;
    }
    socket.connect(&broker.into())?;
    Ok(socket.into())
}

/// Does the work for each number below `count`, in several threads that take turns at the numbers; the results are in order.
pub(crate) fn side_by_side<T: Send>(
    count: usize,
    threads: usize,
    work: &(impl Fn(usize) -> io::Result<T> + Sync),
) -> io::Result<Vec<T>> {
    let threads = threads.clamp(1, count.max(1));
    let share = |first: usize| -> io::Result<Vec<T>> {
        (first..count)
            .step_by(threads)
            .map(|number| work(number).map_err(|error| io::Error::other(format!("connection {number}: {error}"))))
            .collect()
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|first| scope.spawn(move || share(first))).collect();
        let mut shares = Vec::with_capacity(threads);
        for worker in workers {
            shares.push(worker.join().unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))?.into_iter());
        }
        Ok((0..count).filter_map(|number| shares[number % threads].next()).collect())
    })
}

const VERSION: ProtocolVersion = ProtocolVersion::V311;
/// Addresses that are tried for one connection, and how far they are apart: what lies between is for other connections.
const SOURCES_MAX: u32 = 8;
const SOURCES_APART: u32 = 1 << 16;
/// Longer than any load lasts. Without a Keep Alive rumqttd hangs up at once.
const KEEP_ALIVE_S: u16 = u16::MAX;
const RECEIVE_BUFFER_BYTES: usize = 4 * 1024 * 1024;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_side_by_side_comes_back_in_order() {
        let results = side_by_side(10, 3, &|number| Ok(number * 2)).expect("nothing fails");
        assert_eq!(results, (0..10).map(|number| number * 2).collect::<Vec<_>>());
        let failed = side_by_side(10, 3, &|number| if number == 7 { Err(io::Error::other("no")) } else { Ok(()) });
        assert_eq!(failed.expect_err("one fails").to_string(), "connection 7: no");
        assert!(side_by_side(0, 3, &|_| Ok(())).expect("nothing fails").is_empty());
    }
}
