#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio_rustls::TlsAcceptor;

use super::{Connection, Dialer, Failure};
use crate::grants::Grants;
use crate::imports::http::resolver::Lookup;

const LONG: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(20);

/// Names and their addresses, as a test wants them.
struct Names(HashMap<&'static str, Vec<IpAddr>>);

impl Lookup for Names {
    fn lookup(&self, name: String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> {
        let found = self.0.get(name.as_str()).cloned().ok_or_else(|| io::Error::other("no such name"));
        Box::pin(std::future::ready(found))
    }
}

fn dialer(allow: &serde_json::Value, connections_max: u32) -> Arc<Dialer> {
    let grants = Grants::from_json("p", allow, Path::new("/")).unwrap();
    let loopback: IpAddr = "127.0.0.1".parse().unwrap();
    let names = HashMap::from([
        ("localhost", vec![loopback]),
        ("rebound.test", vec![loopback]),
        ("mapped.test", vec!["::ffff:127.0.0.1".parse().unwrap()]),
        ("metadata.test", vec!["169.254.169.254".parse().unwrap()]),
        ("nowhere.test", Vec::new()),
    ]);
    Dialer::with_lookup(&grants, connections_max, &Handle::current(), Arc::new(Names(names))).unwrap()
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Two ends of a connection.
async fn pair() -> (Connection, TcpStream) {
    let (listener, address) = listen().await;
    let dialer = dialer(&json!({ "tcp": [address.to_string()] }), 1);
    let connected = dialer.connect("127.0.0.1", address.port(), LONG).await;
    (connected.ok().unwrap(), listener.accept().await.unwrap().0)
}

async fn refused(dialer: &Arc<Dialer>, host: &str, port: u16) -> Failure {
    dialer.connect(host, port, LONG).await.err().unwrap()
}

#[tokio::test]
async fn bytes_go_both_ways_and_are_counted() {
    let (mut here, mut there) = pair().await;
    here.write(b"hello", LONG).await.unwrap();
    let mut heard = [0; 5];
    there.read_exact(&mut heard).await.unwrap();
    there.write_all(b"world").await.unwrap();
    assert_eq!(here.read(3, LONG).await.unwrap(), b"wor", "no more than asked for");
    assert_eq!(here.read(u32::MAX, LONG).await.unwrap(), b"ld");
    drop(there);
    assert_eq!(here.read(10, LONG).await.unwrap(), b"", "the end");
    assert!(!here.is_open());
    let counts = here.dialer().counts();
    assert_eq!((counts.open, counts.opened, counts.bytes_read, counts.bytes_written), (1, 1, 5, 5));
}

#[tokio::test]
async fn a_read_takes_65536_bytes_at_most_and_at_least_one_is_asked_for() {
    let (mut here, mut there) = pair().await;
    let sent = tokio::spawn(async move {
        there.write_all(&vec![7; 1 << 20]).await.unwrap();
        there
    });
    let mut all = 0;
    while all < 1 << 20 {
        let read = here.read(u32::MAX, LONG).await.unwrap().len();
        assert!((1..=65_536).contains(&read), "{read}");
        all += read;
    }
    sent.await.unwrap();
    assert!(matches!(here.read(0, LONG).await, Err(Failure::Other(_))));
}

#[tokio::test]
async fn a_read_that_was_too_early_loses_nothing() {
    let (mut here, mut there) = pair().await;
    assert_eq!(here.read(10, SHORT).await, Err(Failure::Timeout));
    assert!(here.is_open());
    there.write_all(b"late").await.unwrap();
    assert_eq!(here.read(10, LONG).await.unwrap(), b"late");
}

#[tokio::test]
async fn a_write_that_nobody_takes_ends_the_connection() {
    let (mut here, _there) = pair().await;
    let much = vec![0; 64 << 20];
    assert_eq!(here.write(&much, SHORT).await, Err(Failure::Timeout));
    assert!(!here.is_open());
    assert_eq!(here.write(b"x", LONG).await, Err(Failure::Closed));
    assert_eq!(here.read(1, LONG).await, Err(Failure::Closed));
}

#[tokio::test]
async fn only_what_is_granted_is_connected_to_by_name_and_by_address() {
    let (_listener, address) = listen().await;
    let port = address.port();
    let names = ["rebound.test", "mapped.test", "metadata.test", "nowhere.test", "unknown.test"];
    let granted: Vec<_> = names.iter().map(|name| format!("{name}:{port}")).collect();
    let dialer = dialer(&json!({ "tcp": granted, "tcp_private": true }), 1);
    for (host, port) in [("127.0.0.1", port), ("localhost", port), ("rebound.test", port.wrapping_add(1).max(1))] {
        let failure = refused(&dialer, host, port).await;
        assert!(matches!(&failure, Failure::NotGranted(_)), "{host}: {failure:?}");
    }
    for name in ["rebound.test", "mapped.test", "metadata.test"] {
        let Failure::NotGranted(denial) = refused(&dialer, name, port).await else { panic!("{name} was asked") };
        let words = denial.to_string();
        assert!(words.contains("a loopback, link-local or metadata address"), "{words}");
    }
    assert!(matches!(refused(&dialer, "nowhere.test", port).await, Failure::Connect(_)));
    assert!(matches!(refused(&dialer, "unknown.test", port).await, Failure::Connect(_)));
    assert!(matches!(refused(&dialer, "a/b", port).await, Failure::Other(_)));
    assert_eq!(dialer.counts().opened, 0);
}

#[tokio::test]
async fn localhost_in_the_list_is_the_loopback_address() {
    let (_listener, address) = listen().await;
    let dialer = dialer(&json!({ "tcp": [format!("localhost:{}", address.port())] }), 1);
    assert!(dialer.connect("localhost", address.port(), LONG).await.is_ok());
}

#[tokio::test]
async fn there_are_no_more_connections_than_may_be_and_a_dropped_one_makes_room() {
    let (_listener, address) = listen().await;
    let dialer = dialer(&json!({ "tcp": [address.to_string()] }), 2);
    let first = dialer.connect("127.0.0.1", address.port(), LONG).await;
    let _second = dialer.connect("127.0.0.1", address.port(), LONG).await.ok().unwrap();
    assert_eq!(refused(&dialer, "127.0.0.1", address.port()).await, Failure::Overloaded);
    drop(first);
    assert!(dialer.connect("127.0.0.1", address.port(), LONG).await.is_ok());
    let counts = dialer.counts();
    assert_eq!((counts.open, counts.opened, counts.overloaded), (1, 3, 1));
}

/// A TLS server for `localhost` that says back what it hears; returns its port and its certificate in PEM.
async fn secure_echo() -> (u16, String) {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that does not trust us ends the handshake.
                let Ok(mut tls) = acceptor.accept(stream).await else { return };
                let mut bytes = [0; 64];
                while let Ok(read @ 1..) = tls.read(&mut bytes).await {
                    tls.write_all(&bytes[..read]).await.unwrap();
                }
            });
        }
    });
    (address.port(), cert.pem())
}

#[tokio::test]
async fn tls_goes_only_to_a_server_whose_certificate_is_trusted_and_has_the_name() {
    let (port, certificate) = secure_echo().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), certificate).unwrap();
    let allow = json!({ "tcp": [format!("localhost:{port}")], "tcp_ca_file": folder.path().join("ca.pem") });
    let trusting = dialer(&allow, 8);
    let strict = dialer(&json!({ "tcp": [format!("localhost:{port}")] }), 8);

    let mut connection = trusting.connect("localhost", port, LONG).await.ok().unwrap();
    connection.secure(None, LONG).await.unwrap();
    connection.write(b"psst", LONG).await.unwrap();
    assert_eq!(connection.read(64, LONG).await.unwrap(), b"psst");
    assert!(matches!(connection.secure(None, LONG).await, Err(Failure::Other(_))), "not twice");
    assert!(connection.is_open());

    for (dialer, name) in [(&strict, None), (&trusting, Some("other.test".to_owned()))] {
        let mut connection = dialer.connect("localhost", port, LONG).await.ok().unwrap();
        let failure = connection.secure(name, LONG).await.unwrap_err();
        assert!(matches!(&failure, Failure::Tls(_)), "{failure:?}");
        assert_eq!(connection.read(1, LONG).await, Err(Failure::Closed));
    }
    let mut connection = trusting.connect("localhost", port, LONG).await.ok().unwrap();
    assert!(matches!(connection.secure(Some("no name".to_owned()), LONG).await, Err(Failure::Other(_))));
}
