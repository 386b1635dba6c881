//! What a finished TLS handshake tells about a client, for plugins.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use rustls::ServerConnection;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::binding;

/// What a TLS handshake told about a client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TlsFacts {
    /// The server name it asked for (SNI).
    pub(crate) server_name: Option<String>,
    /// Who it proved to be, where it showed a certificate.
    pub(crate) client: Option<ClientFacts>,
    /// What no other connection has (RFC 9266), where TLS 1.3 is spoken.
    pub(super) exporter: Option<[u8; 32]>,
    /// What names the certificate that the client was shown (RFC 5929), where that defines it.
    pub(super) end_point: Option<Arc<[u8]>>,
}

/// The certificate of a client, verified against the listener's authorities.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ClientFacts {
    /// The common name of the leaf's subject; of several, the last (most specific) one.
    pub(crate) common_name: Option<String>,
    /// The subject alternative names of the leaf: `DNS:…`, `URI:…`, `IP:…`, `email:…`.
    pub(crate) alternative_names: Vec<String>,
    /// The chain as DER, leaf first.
    pub(crate) chain: Vec<Vec<u8>>,
}

impl TlsFacts {
    /// The facts of a finished handshake, in which the certificate named by `end_point` was shown.
    pub(super) fn of(connection: &ServerConnection, end_point: Option<Arc<[u8]>>) -> Self {
        Self {
            server_name: connection.server_name().map(str::to_owned),
            client: connection
                .peer_certificates()
                .filter(|chain| !chain.is_empty())
                .map(|chain| ClientFacts::of(chain.iter().map(|certificate| certificate.to_vec()).collect())),
            exporter: binding::exporter(connection),
            end_point,
        }
    }

    /// The kinds of channel binding that this connection has, with their data.
    pub(crate) fn channel_bindings(&self) -> Vec<(&'static str, Vec<u8>)> {
        let exporter = self.exporter.map(|data| (binding::EXPORTER, data.to_vec()));
        let end_point = self.end_point.as_deref().map(|data| (binding::END_POINT, data.to_vec()));
        exporter.into_iter().chain(end_point).collect()
    }
}

impl ClientFacts {
    /// Names that cannot be read are left out: the certificate is verified, its names are only what they say.
    fn of(chain: Vec<Vec<u8>>) -> Self {
        let leaf = chain.first().and_then(|leaf| X509Certificate::from_der(leaf).ok()).map(|(_, leaf)| leaf);
        let common_name = leaf.as_ref().and_then(|leaf| {
            let last = leaf.subject().iter_common_name().last()?;
            last.as_str().ok().map(str::to_owned)
        });
        let alternative_names = leaf
            .as_ref()
            .and_then(|leaf| leaf.subject_alternative_name().ok().flatten())
            .map(|extension| extension.value.general_names.iter().filter_map(in_words).collect())
            .unwrap_or_default();
        Self { common_name, alternative_names, chain }
    }
}

fn in_words(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(format!("DNS:{name}")),
        GeneralName::URI(uri) => Some(format!("URI:{uri}")),
        GeneralName::RFC822Name(address) => Some(format!("email:{address}")),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(|bytes| format!("IP:{}", Ipv4Addr::from(bytes))),
            _ => <[u8; 16]>::try_from(*bytes).ok().map(|bytes| format!("IP:{}", Ipv6Addr::from(bytes))),
        },
        _ => None,
    }
}
