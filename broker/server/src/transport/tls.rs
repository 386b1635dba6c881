//! TLS: certificates from PEM files, replaceable while the broker runs, and what a handshake tells about a client.

use std::io;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::config::{self, ClientCertificate};

mod binding;
mod facts;
mod pem;

pub(crate) use facts::TlsFacts;
pub(crate) use pem::{TlsError, TlsProblem};

/// What the files say.
struct Current {
    config: Arc<ServerConfig>,
    /// The channel binding "tls-server-end-point" of the certificate.
    end_point: Option<Arc<[u8]>>,
}

/// The TLS side of a listener.
pub(crate) struct Tls {
    settings: config::Tls,
    current: ArcSwap<Current>,
}

impl Tls {
    /// Reads the files that `settings` name.
    ///
    /// # Errors
    /// The first file that cannot be used, and why.
    pub(crate) fn load(settings: config::Tls) -> Result<Self, TlsError> {
        let current = ArcSwap::from_pointee(read(&settings)?);
        Ok(Self { settings, current })
    }

    /// Reads the files again, for connections accepted from now on. On an error nothing changes.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub(crate) fn reload(&self) -> Result<(), TlsError> {
        self.current.store(Arc::new(read(&self.settings)?));
        Ok(())
    }

    /// The server's side of the handshake.
    ///
    /// # Errors
    /// What the client did wrong, or that it went away.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<(TlsStream<TcpStream>, TlsFacts)> {
        let current = self.current.load_full();
        let stream = TlsAcceptor::from(Arc::clone(&current.config)).accept(stream).await?;
        let connection: &ServerConnection = stream.get_ref().1;
        let facts = TlsFacts::of(connection, current.end_point.clone());
        Ok((stream, facts))
    }
}

fn read(settings: &config::Tls) -> Result<Current, TlsError> {
    let chain = pem::certificates(&settings.certificate)?;
    let end_point = chain.first().and_then(|certificate| binding::end_point(certificate)).map(Into::into);
    Ok(Current { config: Arc::new(server_config(settings, chain)?), end_point })
}

fn server_config(settings: &config::Tls, chain: Vec<CertificateDer<'static>>) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let key = pem::private_key(&settings.key)?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::new(&settings.certificate, TlsProblem::Unusable(error)))?;
    let builder = match client_verifier(settings, &provider)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            TlsError::new(&settings.key, TlsProblem::NotTheKeyOf(settings.certificate.clone()))
        }
        error => TlsError::new(&settings.key, TlsProblem::Unusable(error)),
    })?;
    // A device that comes back saves a round trip and both signatures. A reload makes new ticket keys, so that no
    // ticket outlives the authorities it was issued under.
    if let Ok(ticketer) = ring::Ticketer::new() {
        config.ticketer = ticketer;
    }
    Ok(config)
}

/// `None`: clients are not asked for a certificate.
fn client_verifier(
    settings: &config::Tls,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    if settings.client_certificate == ClientCertificate::None {
        return Ok(None);
    }
    let Some(file) = &settings.client_ca else {
        return Err(TlsError::new(&settings.certificate, TlsProblem::NoAuthority));
    };
    let builder = WebPkiClientVerifier::builder_with_provider(authorities(file)?, Arc::clone(provider));
    let builder = match settings.client_certificate {
        ClientCertificate::Required => builder,
        ClientCertificate::None | ClientCertificate::Optional => builder.allow_unauthenticated(),
    };
    let unusable = |error: rustls::server::VerifierBuilderError| {
        TlsError::new(file, TlsProblem::Unusable(rustls::Error::General(error.to_string())))
    };
    builder.build().map(Some).map_err(unusable)
}

fn authorities(file: &Path) -> Result<Arc<RootCertStore>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in pem::certificates(file)? {
        roots.add(certificate).map_err(|error| TlsError::new(file, TlsProblem::Unusable(error)))?;
    }
    Ok(Arc::new(roots))
}

#[cfg(test)]
mod tests;
