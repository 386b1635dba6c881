//! Whom the HTTP client trusts.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::imports::{ImportError, ImportLimits};

/// The public certificate authorities (Mozilla's list, compiled in) and those of the operator's file. Names the
/// cryptography provider, so nothing depends on a process-wide default.
pub(super) fn config(limits: &ImportLimits) -> Result<ClientConfig, ImportError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = &limits.http_ca_file {
        let added = add_file(&mut roots, path).map_err(|reason| ImportError::CaFile { path: path.clone(), reason })?;
        if added == 0 {
            return Err(ImportError::CaFile { path: path.clone(), reason: "no certificate in it".to_owned() });
        }
    }
    let mut config = ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("the ring provider has all default protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
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
