#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

use std::future::poll_fn;
use std::net::{Ipv4Addr, TcpListener as StdListener};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;
use crate::runtime::Runtimes;

const PATIENCE: Duration = Duration::from_secs(10);

fn anywhere(name: &str) -> config::Listener {
    config::Listener::new(name, (Ipv4Addr::LOCALHOST, 0).into())
}

fn with(listeners: Vec<config::Listener>) -> Config {
    let mut config = Config::default();
    config.listeners = listeners;
    config
}

fn metrics() -> Arc<ServerMetrics> {
    Arc::new(ServerMetrics::new())
}

/// A broker's door whose clients arrive in a channel.
struct House {
    runtimes: Runtimes,
    admission: Admission,
    addresses: Vec<SocketAddr>,
    stop: watch::Sender<bool>,
    arrived: mpsc::UnboundedReceiver<Accepted>,
}

impl House {
    fn open(shards: usize, config: &Config) -> Self {
        let runtimes = Runtimes::start(shards, 1).unwrap();
        let admission = Admission::new(config.limits.connections_max, 0);
        let listeners = Listeners::bind(config, shards, &admission, &metrics()).unwrap();
        let addresses = listeners.each().map(|listener| listener.address()).collect();
        let (stop, stopped) = watch::channel(false);
        let (arrive, arrived) = mpsc::unbounded_channel();
        let serve = move |accepted| {
            let _ = arrive.send(accepted);
            std::future::ready(())
        };
        listeners.serve(runtimes.shards(), &stopped, &serve).unwrap();
        Self { runtimes, admission, addresses, stop, arrived }
    }

    /// Runs `future` beside the broker.
    fn run<T>(&mut self, future: impl AsyncFnOnce(&mut Self) -> T) -> T {
        let handle = self.runtimes.control().clone();
        handle.block_on(async { timeout(PATIENCE, future(self)).await.unwrap() })
    }

    async fn next(&mut self) -> Accepted {
        self.arrived.recv().await.unwrap()
    }
}

#[test]
fn every_shard_accepts_on_the_one_port() {
    let mut house = House::open(4, &with(vec![anywhere("a")]));
    assert_ne!(house.addresses[0].port(), 0);
    house.run(async |house| {
        let mut wheels = Vec::new();
        let mut held = Vec::new();
        while wheels.len() < 4 {
            held.push(TcpStream::connect(house.addresses[0]).await.unwrap());
            let accepted = house.next().await;
            if !wheels.iter().any(|wheel| Arc::ptr_eq(wheel, &accepted.timers)) {
                wheels.push(Arc::clone(&accepted.timers));
            }
        }
    });
}

#[test]
fn an_accepted_client_is_described_and_sends_without_delay() {
    let mut house = House::open(1, &with(vec![anywhere("first"), anywhere("second")]));
    house.run(async |house| {
        let client = TcpStream::connect(house.addresses[1]).await.unwrap();
        let accepted = house.next().await;
        assert_eq!(accepted.listener.config().name, "second");
        assert_eq!(accepted.peer, client.local_addr().unwrap());
        assert!(accepted.tls.is_none() && accepted.http.is_none());
        assert!(accepted.deadline > Instant::now());
        let Transport::Tcp(stream) = accepted.transport else { panic!("plain TCP stays plain") };
        assert!(stream.nodelay().unwrap());
    });
}

#[test]
fn a_busy_port_is_an_error_that_names_listener_and_address() {
    let taken = StdListener::bind("127.0.0.1:0").unwrap();
    let mut settings = anywhere("front door");
    settings.address = taken.local_addr().unwrap();
    for shards in [1, 3] {
        let error =
            Listeners::bind(&with(vec![settings.clone()]), shards, &Admission::new(1, 0), &metrics()).err().unwrap();
        let text = error.to_string();
        assert!(text.contains("front door") && text.contains(&settings.address.to_string()), "{text}");
        assert!(text.contains("another program listens there already"), "{text}");
    }
}

#[test]
fn the_port_of_another_midge_is_busy_too() {
    let admission = Admission::new(10, 0);
    let first = Listeners::bind(&with(vec![anywhere("a")]), 3, &admission, &metrics()).unwrap();
    let mut settings = anywhere("b");
    settings.address = first.each().next().unwrap().address();
    for shards in [1, 3] {
        let second = Listeners::bind(&with(vec![settings.clone()]), shards, &admission, &metrics());
        assert!(matches!(second, Err(ListenError::Bind(_))), "{shards} shards");
    }
}

#[test]
fn an_address_this_host_lacks_is_an_error_unless_it_is_optional() {
    let mut settings = anywhere("elsewhere");
    settings.address = "192.0.2.1:0".parse().unwrap();
    let error = Listeners::bind(&with(vec![settings.clone()]), 1, &Admission::new(1, 0), &metrics()).err().unwrap();
    assert!(error.to_string().contains("this host has no such address"), "{error}");
    settings.optional = true;
    let bound = Listeners::bind(&with(vec![settings, anywhere("here")]), 1, &Admission::new(1, 0), &metrics()).unwrap();
    assert_eq!(bound.each().count(), 1);
}

#[test]
fn a_missing_certificate_names_listener_and_file() {
    let mut settings = anywhere("secure");
    settings.tls = Some(config::Tls {
        certificate: "/nowhere/certificate.pem".into(),
        key: "/nowhere/key.pem".into(),
        client_ca: None,
        client_certificate: config::ClientCertificate::None,
    });
    let error = Listeners::bind(&with(vec![settings]), 1, &Admission::new(1, 0), &metrics()).err().unwrap().to_string();
    assert!(error.starts_with("listener secure: /nowhere/certificate.pem: cannot be read"), "{error}");
}

#[test]
fn one_connection_too_many_is_closed_and_a_free_place_is_used() {
    let mut settings = anywhere("a");
    settings.connections_max = 2;
    let mut house = House::open(1, &with(vec![settings]));
    house.run(async |house| {
        let address = house.addresses[0];
        let _held = [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
        let first = house.next().await;
        let _second = house.next().await;
        assert_eq!(house.admission.open(), 2);
        let mut third = TcpStream::connect(address).await.unwrap();
        assert_eq!(third.read(&mut [0]).await.unwrap_or(0), 0, "closed");
        drop(first);
        let _fourth = TcpStream::connect(address).await.unwrap();
        house.next().await;
    });
}

#[test]
fn handshakes_count_against_the_connect_timeout() {
    let mut settings = anywhere("ws");
    settings.protocol = config::Transport::Ws;
    settings.connect_timeout = Duration::from_millis(100);
    let mut house = House::open(1, &with(vec![settings]));
    house.run(async |house| {
        let mut silent = TcpStream::connect(house.addresses[0]).await.unwrap();
        assert_eq!(silent.read(&mut [0]).await.unwrap_or(0), 0, "closed");
        house.admission.idle().await;
    });
}

#[test]
fn a_websocket_client_arrives_with_its_request() {
    let mut settings = anywhere("ws");
    settings.protocol = config::Transport::Ws;
    let mut house = House::open(1, &with(vec![settings]));
    house.run(async |house| {
        let mut client = TcpStream::connect(house.addresses[0]).await.unwrap();
        let request = "GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Origin: here\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
        client.write_all(request.as_bytes()).await.unwrap();
        let accepted = house.next().await;
        let http = accepted.http.unwrap();
        assert!(http.headers.contains(&("x-origin".into(), "here".into())));
        let (mut owned, writer) = accepted.transport.split();
        assert!(!writer.inline_capable());
        client.write_all(&[0x82, 0x82, 0, 0, 0, 0, 0xC0, 0]).await.unwrap();
        let mut space = [0; 10];
        let mut buffer = ReadBuf::new(&mut space);
        poll_fn(|context| owned.poll_read(context, &mut buffer)).await.unwrap();
        assert_eq!(buffer.filled(), [0xC0, 0]);
    });
}

#[test]
fn a_stopped_listener_frees_its_port() {
    let mut house = House::open(2, &with(vec![anywhere("a")]));
    house.stop.send_replace(true);
    house.run(async |house| {
        while TcpStream::connect(house.addresses[0]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
}
