//! Whom the HTTP client trusts, and TCP connections.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::imports::{ImportError, ImportLimits};

/// What the HTTP client speaks TLS with.
pub(super) fn config(limits: &ImportLimits) -> Result<ClientConfig, ImportError> {
    let mut config = trusting(limits.http_ca_file.as_deref())?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// A client that trusts the public certificate authorities (Mozilla's list, compiled in) and those of the operator's file.
/// Names the cryptography provider, so nothing depends on a process-wide default.
///
/// # Errors
/// The file has no certificate, or one that cannot be read.
pub(in crate::imports) fn trusting(ca_file: Option<&Path>) -> Result<ClientConfig, ImportError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = ca_file {
        let added =
            add_file(&mut roots, path).map_err(|reason| ImportError::CaFile { path: path.to_owned(), reason })?;
        if added == 0 {
            return Err(ImportError::CaFile { path: path.to_owned(), reason: "no certificate in it".to_owned() });
        }
    }
    Ok(ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("the ring provider has all default protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth())
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<usize, String> {
    let mut added = 0;
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())? {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
        added += 1;
    }
    Ok(added)
}

#[cfg(test)]
mod tests;
