//! Certificates and keys from PEM files, with errors that say what to do.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustls_pki_types::pem::{Error as PemError, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// A TLS file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", file.display())]
pub(crate) struct TlsError {
    file: PathBuf,
    problem: TlsProblem,
}

impl TlsError {
    pub(super) fn new(file: &Path, problem: TlsProblem) -> Self {
        Self { file: file.to_owned(), problem }
    }

    /// What is wrong with the file.
    #[cfg(test)]
    pub(super) fn problem(&self) -> &TlsProblem {
        &self.problem
    }
}

/// What is wrong with a TLS file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsProblem {
    /// The operating system does not give it.
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    /// It has PEM markers, but not what belongs between them.
    #[error("is not valid PEM: {0}")]
    NotPem(PemError),
    /// It has no `CERTIFICATE` section.
    #[error("has no certificate; a section -----BEGIN CERTIFICATE----- is expected")]
    NoCertificate,
    /// It has no private key.
    #[error("has no private key; a section -----BEGIN PRIVATE KEY----- (or RSA or EC PRIVATE KEY) is expected")]
    NoKey,
    /// Its private key needs a passphrase.
    #[error("has an encrypted private key, which cannot be used; decrypt it with: openssl pkey -in FILE -out NEW_FILE")]
    EncryptedKey,
    /// The key and the certificate do not belong together.
    #[error("is not the private key of the certificate in {}", .0.display())]
    NotTheKeyOf(PathBuf),
    /// Client certificates are asked for, and nobody may sign them.
    #[error("client_certificate is \"optional\" or \"required\", but there is no client_ca file with the authorities")]
    NoAuthority,
    /// The TLS library does not accept it.
    #[error("cannot be used: {0}")]
    Unusable(rustls::Error),
}

/// Every certificate of a file, in order; at least one.
pub(super) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(file)?;
    let certificates = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| TlsError::new(file, TlsProblem::NotPem(error)))?;
    if certificates.is_empty() {
        return Err(TlsError::new(file, TlsProblem::NoCertificate));
    }
    Ok(certificates)
}

/// The first private key of a file.
pub(super) fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(file)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        let problem = match error {
            PemError::NoItemsFound if contains(&text, b"BEGIN ENCRYPTED PRIVATE KEY") => TlsProblem::EncryptedKey,
            PemError::NoItemsFound => TlsProblem::NoKey,
            error => TlsProblem::NotPem(error),
        };
        TlsError::new(file, problem)
    })
}

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(file).map_err(|error| TlsError::new(file, TlsProblem::Unreadable(error)))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
