//! `[[listener]]`: where clients connect.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::units::milliseconds;

/// One address on which clients connect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listener {
    /// Its name in logs, metrics and what plugins are told.
    pub name: String,
    /// The address; port 0 lets the operating system choose.
    pub address: SocketAddr,
    /// What is spoken on the accepted stream.
    pub protocol: Transport,
    /// The HTTP path of the WebSocket upgrade; `/mqtt` unless said. Without meaning for `mqtt`.
    pub path: String,
    /// TLS, where it is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// Whether clients may connect without any plugin having authenticated them. Unless said: only on a
    /// loopback address, and only while no plugin authenticates.
    pub anonymous: bool,
    /// What the operator said about it.
    #[serde(skip)]
    pub(super) anonymous_said: Option<bool>,
    /// MQTT versions that are accepted.
    pub versions: Vec<ProtocolName>,
    /// Network Connections open at once; one more is closed at accept.
    pub connections_max: u32,
    /// New Network Connections a second; one more waits in the operating system's queue. 0: no limit.
    pub connects_per_second: u32,
    /// From accept to CONNACK, TLS and WebSocket handshakes included.
    #[serde(rename = "connect_timeout_ms", with = "milliseconds")]
    pub connect_timeout: Duration,
    /// True for the IPv6 half of the default listeners: a host without IPv6 is no error.
    #[serde(skip)]
    pub optional: bool,
}

impl Listener {
    /// A listener on `address` as it is where nothing but the address is said.
    #[must_use]
    pub fn new(name: impl Into<String>, address: SocketAddr) -> Self {
        Self {
            name: name.into(),
            address,
            protocol: Transport::Mqtt,
            path: "/mqtt".into(),
            tls: None,
            anonymous: address.ip().is_loopback(),
            anonymous_said: None,
            versions: ProtocolName::ALL.to_vec(),
            connections_max: 1_000_000,
            connects_per_second: 0,
            connect_timeout: Duration::from_secs(10),
            optional: false,
        }
    }

    /// The listeners of a broker that was told none: port 1883 on both loopback addresses.
    #[must_use]
    pub fn loopback() -> Vec<Self> {
        let v4 = Self::new("loopback", (Ipv4Addr::LOCALHOST, 1883).into());
        let v6 = Self { optional: true, ..Self::new("loopback6", (Ipv6Addr::LOCALHOST, 1883).into()) };
        vec![v4, v6]
    }

    /// The address as a URL, for the banner: `mqtt://`, `mqtts://`, `ws://…/mqtt` or `wss://…/mqtt`.
    #[must_use]
    pub fn url(&self, bound: SocketAddr) -> String {
        match (self.protocol, self.tls.is_some()) {
            (Transport::Mqtt, false) => format!("mqtt://{bound}"),
            (Transport::Mqtt, true) => format!("mqtts://{bound}"),
            (Transport::Ws, false) => format!("ws://{bound}{}", self.path),
            (Transport::Ws, true) => format!("wss://{bound}{}", self.path),
        }
    }
}

/// What is spoken on an accepted stream, inside TLS if there is TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// MQTT packets directly.
    #[default]
    Mqtt,
    /// MQTT packets in binary WebSocket frames, subprotocol `mqtt`.
    Ws,
}

/// A version of MQTT as the configuration names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProtocolName {
    /// MQTT 3.1, protocol name `MQIsdp`.
    #[serde(rename = "3.1")]
    V31,
    /// MQTT 3.1.1.
    #[serde(rename = "3.1.1")]
    V311,
    /// MQTT 5.0.
    #[serde(rename = "5")]
    V5,
}

impl ProtocolName {
    /// Every version, oldest first.
    pub const ALL: [Self; 3] = [Self::V31, Self::V311, Self::V5];
}

/// The `tls` table of a listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tls {
    /// PEM: the server's certificate, then its intermediates.
    pub certificate: PathBuf,
    /// PEM: the private key of `certificate` (PKCS#8, PKCS#1 or SEC1).
    pub key: PathBuf,
    /// PEM: the authorities that sign client certificates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_ca: Option<PathBuf>,
    /// Whether a client shows a certificate.
    pub client_certificate: ClientCertificate,
}

/// Whether a client shows a certificate in the TLS handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificate {
    /// It is not asked for one.
    #[default]
    None,
    /// It is asked; one that is shown must be signed by `client_ca`.
    Optional,
    /// It must show one that is signed by `client_ca`.
    Required,
}
