#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use super::*;
use crate::transport::tests::pair;

/// An authority, a server's certificate from it, and their files.
struct Pki {
    directory: TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Pki {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join("ca.pem"), authority.pem()).unwrap();
        let pki = Self { directory, authority };
        pki.issue_server();
        pki
    }

    fn issue(&self, params: &CertificateParams) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.authority).unwrap(), key)
    }

    /// Writes a new server certificate and returns its DER.
    fn issue_server(&self) -> Vec<u8> {
        let (certificate, key) = self.issue(&CertificateParams::new(vec!["localhost".into()]).unwrap());
        self.write("server.pem", &certificate.pem());
        self.write("server.key", &key.serialize_pem());
        certificate.der().to_vec()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.directory.path().join(name), text).unwrap();
    }

    fn settings(&self, client_certificate: ClientCertificate) -> config::Tls {
        let path = |name: &str| self.directory.path().join(name);
        config::Tls {
            certificate: path("server.pem"),
            key: path("server.key"),
            client_ca: (client_certificate != ClientCertificate::None).then(|| path("ca.pem")),
            client_certificate,
        }
    }

    fn client(&self, identity: Option<(rcgen::Certificate, KeyPair)>) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
                builder.with_client_auth_cert(vec![certificate.der().clone()], key).unwrap()
            }
        };
        TlsConnector::from(Arc::new(config))
    }
}

/// A handshake and one byte each way; what the server learned, and the certificate the client saw.
async fn shake(tls: &Tls, client: TlsConnector) -> io::Result<(TlsFacts, CertificateDer<'static>)> {
    let (near, far) = pair().await;
    let name = ServerName::try_from("localhost").unwrap();
    let client = async {
        let mut stream = client.connect(name, far).await?;
        stream.write_u8(1).await?;
        let answer = stream.read_u8().await?;
        assert_eq!(answer, 2);
        Ok::<_, io::Error>(stream.get_ref().1.peer_certificates().unwrap()[0].clone())
    };
    let server = async {
        let (mut stream, facts) = tls.accept(near).await?;
        stream.read_u8().await?;
        stream.write_u8(2).await?;
        stream.flush().await?;
        Ok::<_, io::Error>(facts)
    };
    let (server, client) = tokio::join!(server, client);
    Ok((server?, client?))
}

fn device() -> CertificateParams {
    let mut params = CertificateParams::new(vec!["device.example".into()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "device-7");
    params.subject_alt_names.push(SanType::IpAddress("192.0.2.7".parse().unwrap()));
    params.subject_alt_names.push(SanType::URI("urn:dev:7".try_into().unwrap()));
    params
}

#[tokio::test]
async fn a_client_without_certificate_is_known_by_the_name_it_asked_for() {
    let pki = Pki::new();
    let tls = Tls::load(pki.settings(ClientCertificate::None)).unwrap();
    let (facts, _) = shake(&tls, pki.client(None)).await.unwrap();
    assert_eq!((facts.server_name.as_deref(), facts.client), (Some("localhost"), None));
}

#[tokio::test]
async fn a_verified_certificate_gives_its_names_and_its_chain() {
    let pki = Pki::new();
    let tls = Tls::load(pki.settings(ClientCertificate::Required)).unwrap();
    let identity = pki.issue(&device());
    let der = identity.0.der().to_vec();
    let (facts, _) = shake(&tls, pki.client(Some(identity))).await.unwrap();
    let client = facts.client.unwrap();
    assert_eq!(client.common_name.as_deref(), Some("device-7"));
    assert_eq!(client.alternative_names, ["DNS:device.example", "IP:192.0.2.7", "URI:urn:dev:7"]);
    assert_eq!(client.chain, [der]);
}

#[tokio::test]
async fn who_must_show_a_certificate_and_does_not_is_refused() {
    let pki = Pki::new();
    let required = Tls::load(pki.settings(ClientCertificate::Required)).unwrap();
    assert!(shake(&required, pki.client(None)).await.is_err());
    let optional = Tls::load(pki.settings(ClientCertificate::Optional)).unwrap();
    assert_eq!(shake(&optional, pki.client(None)).await.unwrap().0.client, None);
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused_even_if_optional() {
    let (pki, stranger) = (Pki::new(), Pki::new());
    let optional = Tls::load(pki.settings(ClientCertificate::Optional)).unwrap();
    assert!(shake(&optional, pki.client(Some(stranger.issue(&device())))).await.is_err());
}

#[tokio::test]
async fn a_reload_shows_the_new_certificate_and_a_failed_one_keeps_the_old() {
    let pki = Pki::new();
    let tls = Tls::load(pki.settings(ClientCertificate::None)).unwrap();
    let renewed = pki.issue_server();
    tls.reload().unwrap();
    let (_, seen) = shake(&tls, pki.client(None)).await.unwrap();
    assert_eq!(seen.to_vec(), renewed);
    pki.write("server.pem", "garbage");
    assert!(matches!(tls.reload().unwrap_err().problem(), TlsProblem::NoCertificate));
    let (_, seen) = shake(&tls, pki.client(None)).await.unwrap();
    assert_eq!(seen.to_vec(), renewed);
}

#[test]
fn a_bad_file_is_named_with_what_is_wrong_with_it() {
    let check = |spoil: fn(&Pki), file: &str, words: &str| {
        let pki = Pki::new();
        spoil(&pki);
        let text = Tls::load(pki.settings(ClientCertificate::Required)).err().unwrap().to_string();
        assert!(text.contains(file) && text.contains(words), "{text}");
    };
    check(|pki| fs::remove_file(pki.directory.path().join("server.key")).unwrap(), "server.key", "cannot be read");
    check(|pki| pki.write("server.key", ""), "server.key", "has no private key");
    check(
        |pki| {
            pki.write(
                "server.key",
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
            )
        },
        "server.key",
        "openssl pkey",
    );
    check(
        |pki| pki.write("server.key", &KeyPair::generate().unwrap().serialize_pem()),
        "server.key",
        "is not the private key of the certificate in",
    );
    check(|pki| pki.write("server.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n"), "server.pem", "not valid PEM");
    check(|pki| pki.write("ca.pem", "nothing"), "ca.pem", "has no certificate");
}

#[tokio::test]
async fn both_ends_know_the_same_channel_bindings_and_no_two_connections_do() {
    let pki = Pki::new();
    let certificate = pki.issue_server();
    let tls = Tls::load(pki.settings(ClientCertificate::None)).unwrap();
    let mut seen = Vec::new();
    for _ in 0..2 {
        let (near, far) = pair().await;
        let name = ServerName::try_from("localhost").unwrap();
        let client = pki.client(None);
        let (server, client) = tokio::join!(tls.accept(near), client.connect(name, far));
        let (facts, client) = (server.unwrap().1, client.unwrap());
        let exporter = client.get_ref().1.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", None).unwrap();
        let digest = ::ring::digest::digest(&::ring::digest::SHA256, &certificate);
        let expected = [("tls-exporter", exporter.to_vec()), ("tls-server-end-point", digest.as_ref().to_vec())];
        assert_eq!(facts.channel_bindings(), expected);
        seen.push(exporter);
    }
    assert_ne!(seen[0], seen[1]);
}

#[test]
fn a_certificate_is_named_by_the_hash_of_its_signature_and_by_none_without() {
    let named = |algorithm| {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let certificate = CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&key).unwrap();
        binding::end_point(certificate.der()).map(|digest| digest.len())
    };
    assert_eq!(named(&rcgen::PKCS_ECDSA_P256_SHA256), Some(32));
    assert_eq!(named(&rcgen::PKCS_ECDSA_P384_SHA384), Some(48));
    assert_eq!(named(&rcgen::PKCS_ED25519), None);
    assert_eq!(binding::end_point(b"no certificate"), None);
}
