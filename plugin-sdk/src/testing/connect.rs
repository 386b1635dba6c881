//! The double of the resource `connection.connect`.

use crate::{UserProperty, Will};

/// The rarely needed facts of a CONNECT. In a component its methods ask the broker; here a test sets the fields.
#[derive(Debug, Clone, Default)]
pub struct Connect {
    /// Clean Start or Clean Session.
    pub clean_start: bool,
    /// Keep Alive, seconds.
    pub keep_alive: u16,
    /// Session Expiry Interval, seconds.
    pub session_expiry: u32,
    /// The Will.
    pub will: Option<Will>,
    /// User Properties.
    pub user_properties: Vec<UserProperty>,
    /// The TLS server name.
    pub server_name: Option<String>,
    /// The client certificate chain in DER, leaf first.
    pub certificates: Vec<Vec<u8>>,
    /// The leaf's subject alternative names.
    pub alternative_names: Vec<String>,
    /// Headers of the HTTP upgrade, names in lower case.
    pub http_headers: Vec<(String, String)>,
    /// What binds an exchange to the TLS connection: kind and data.
    pub channel_bindings: Vec<(String, Vec<u8>)>,
}

impl Connect {
    /// Clean Start (MQTT 5) or Clean Session.
    #[must_use]
    pub fn clean_start(&self) -> bool {
        self.clean_start
    }

    /// Keep Alive in seconds as the client asked; 0 = off.
    #[must_use]
    pub fn keep_alive(&self) -> u16 {
        self.keep_alive
    }

    /// Session Expiry Interval in seconds as the client asked; `u32::MAX` = never.
    #[must_use]
    pub fn session_expiry(&self) -> u32 {
        self.session_expiry
    }

    /// The Will, if there is one.
    #[must_use]
    pub fn will(&self) -> Option<Will> {
        self.will.clone()
    }

    /// The User Properties of CONNECT, in order.
    #[must_use]
    pub fn user_properties(&self) -> Vec<UserProperty> {
        self.user_properties.clone()
    }

    /// The TLS server name the client asked for.
    #[must_use]
    pub fn server_name(&self) -> Option<String> {
        self.server_name.clone()
    }

    /// The verified client certificate chain, DER, leaf first; empty without one.
    #[must_use]
    pub fn certificates(&self) -> Vec<Vec<u8>> {
        self.certificates.clone()
    }

    /// The leaf's subject alternative names, as "DNS:…", "URI:…", "IP:…" or "email:…".
    #[must_use]
    pub fn alternative_names(&self) -> Vec<String> {
        self.alternative_names.clone()
    }

    /// A header of the HTTP upgrade request; the name in any case.
    #[must_use]
    pub fn http_header(&self, name: &str) -> Option<String> {
        self.http_headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
    }

    /// What binds an exchange to the TLS connection, of this kind: "tls-exporter" or "tls-server-end-point".
    #[must_use]
    pub fn channel_binding(&self, kind: &str) -> Option<Vec<u8>> {
        self.channel_bindings.iter().find(|(known, _)| known == kind).map(|(_, data)| data.clone())
    }
}
