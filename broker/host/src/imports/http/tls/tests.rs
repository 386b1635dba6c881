#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;

use super::*;
use crate::grants::Grants;
use crate::imports::http::Request;
use crate::imports::http::client::{Client, Failure};

/// An HTTPS server on the loopback for `localhost`; returns its port and its certificate in PEM.
fn https() -> (u16, String) {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let tls = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream.unwrap());
            let mut tls = BufReader::new(tls);
            let mut line = String::new();
            // A client that does not trust us ends the handshake, and with it this loop.
            while tls.read_line(&mut line).is_ok_and(|read| read > 2) {
                line.clear();
            }
            let _ = tls.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nsecret");
            let _ = tls.get_mut().flush();
            tls.get_mut().conn.send_close_notify();
            let _ = tls.get_mut().flush();
        }
    });
    (port, cert.pem())
}

async fn ask(port: u16, limits: &ImportLimits) -> Result<Vec<u8>, Failure> {
    let origin = format!("https://localhost:{port}");
    let grants = Grants::from_json("jwt", &json!({"http": [origin]}), Path::new("/")).unwrap();
    let client = Client::new(&grants, 256, limits).unwrap();
    let request =
        Request { method: "GET".to_owned(), url: origin, headers: Vec::new(), body: Vec::new(), timeout_ms: 0 };
    client.send(request, Duration::from_secs(5)).await.map(|answer| answer.body)
}

#[tokio::test]
async fn a_private_authority_is_trusted_when_its_file_is_named_and_only_then() {
    let (port, pem) = https();
    let stranger = ask(port, &ImportLimits::default()).await;
    assert!(matches!(stranger, Err(Failure::Tls(_))), "{stranger:?}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, pem).unwrap();
    let trusting = ImportLimits { http_ca_file: Some(path), ..ImportLimits::default() };
    assert_eq!(ask(port, &trusting).await.unwrap(), b"secret");
}

#[test]
fn an_authority_file_without_certificates_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, "nothing").unwrap();
    let limits = ImportLimits { http_ca_file: Some(path.clone()), ..ImportLimits::default() };
    let error = config(&limits).unwrap_err().to_string();
    assert!(error.contains("ca.pem") && error.contains("no certificate"), "{error}");
    std::fs::remove_file(&path).unwrap();
    assert!(config(&limits).is_err());
    assert!(config(&ImportLimits::default()).is_ok());
}
