//! Clients that block, on threads that the broker does not run on.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use midge_protocol::{
    Connect, ConnectProperties, Decoded, Decoder, MessageProperties, Packet, PacketId, ProtocolVersion, Publish, QoS,
    RetainHandling, Subscribe, SubscribeFilter, SubscribeOptions, UserProperties,
};
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use socket2::{Domain, Socket, Type};

use super::PATIENCE;
use crate::config;

/// How a client comes by its stream.
pub(super) type Opener = Arc<dyn Fn(SocketAddr) -> Box<dyn Stream> + Send + Sync>;

pub(super) trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

/// A client that is connected.
pub(super) struct Client {
    stream: Box<dyn Stream>,
    decoder: Decoder,
    unread: Vec<u8>,
}

impl Client {
    /// A client that has subscribed to [`topic`] of its number.
    pub(super) fn subscribed(stream: Box<dyn Stream>, number: usize) -> Self {
        let decoder = Decoder::client(ProtocolVersion::V311, u32::MAX);
        let mut client = Self { stream, decoder, unread: Vec::new() };
        client.send(&Packet::Connect(Box::new(Connect {
            version: ProtocolVersion::V311,
            bridge: false,
            clean_start: true,
            keep_alive: 60,
            properties: ConnectProperties::default(),
            client_id: &format!("idle-{number:05}"),
            will: None,
            username: None,
            password: None,
        })));
        client.wait_for(|packet| matches!(packet, Packet::Connack(_)));
        let options = SubscribeOptions {
            qos: QoS::AtMostOnce,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::OnSubscribe,
        };
        client.send(&Packet::Subscribe(Subscribe {
            packet_id: PacketId::new(1).unwrap(),
            subscription_id: None,
            user_properties: UserProperties::default(),
            filters: vec![SubscribeFilter { filter: &topic(number), options }],
        }));
        client.wait_for(|packet| matches!(packet, Packet::Suback(_)));
        client
    }

    /// Publishes so many bytes with QoS 0.
    pub(super) fn publish(&mut self, topic: &str, bytes: usize) {
        self.send(&Packet::Publish(Publish {
            dup: false,
            qos: QoS::AtMostOnce,
            retain: false,
            topic,
            packet_id: None,
            topic_alias: None,
            subscription_ids: Vec::new(),
            properties: MessageProperties::default(),
            payload: &vec![0; bytes],
        }));
    }

    /// Returns when all is read that was sent to it before.
    pub(super) fn ping(&mut self) {
        self.send(&Packet::Pingreq);
        self.wait_for(|packet| matches!(packet, Packet::Pingresp));
    }

    fn send(&mut self, packet: &Packet<'_>) {
        let mut bytes = Vec::new();
        packet.encode(ProtocolVersion::V311, &mut bytes).unwrap();
        self.stream.write_all(&bytes).unwrap();
        self.stream.flush().unwrap();
    }

    fn wait_for(&mut self, is_it: impl Fn(&Packet<'_>) -> bool) {
        let mut space = vec![0; 64 * 1024];
        loop {
            match self.decoder.decode(&self.unread).unwrap() {
                Decoded::Packet { packet, length } => {
                    let found = is_it(&packet);
                    drop(packet);
                    self.unread.drain(..length);
                    if found {
                        return;
                    }
                }
                Decoded::Incomplete { .. } => {
                    let read = self.stream.read(&mut space).unwrap();
                    assert!(read > 0, "the broker closed the connection");
                    self.unread.extend_from_slice(&space[..read]);
                }
            }
        }
    }
}

/// What the client of this number subscribes to.
pub(super) fn topic(number: usize) -> String {
    format!("idle/{number:05}/state")
}

/// Plain TCP.
pub(super) fn tcp() -> Opener {
    Arc::new(|address| Box::new(stream(address)))
}

/// Plain TCP, whose operating system keeps next to nothing of what the client does not read.
pub(super) fn narrow() -> Opener {
    Arc::new(|address| {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.connect(&address.into()).unwrap();
        Box::new(patient(socket.into()))
    })
}

/// TLS, with a certificate whose files are put into `directory`, and what the listener is to be told of it.
pub(super) fn tls(directory: &Path) -> (config::Tls, Opener) {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (directory.join("server.pem"), directory.join("server.key"));
    fs::write(&certificate, own.cert.pem()).unwrap();
    fs::write(&key, own.signing_key.serialize_pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(own.cert.der().clone()).unwrap();
    let trusting = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let trusting = Arc::new(trusting);
    let open = move |address| {
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::clone(&trusting), name).unwrap();
        Box::new(StreamOwned::new(connection, stream(address))) as Box<dyn Stream>
    };
    let settings =
        config::Tls { certificate, key, client_ca: None, client_certificate: config::ClientCertificate::None };
    (settings, Arc::new(open))
}

fn stream(address: SocketAddr) -> TcpStream {
    patient(TcpStream::connect(address).unwrap())
}

fn patient(stream: TcpStream) -> TcpStream {
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}
