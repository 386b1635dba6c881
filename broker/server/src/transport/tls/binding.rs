//! Channel bindings: data that both ends of a TLS connection know and nobody in between can choose.

use ring::digest::{self, Algorithm};
use rustls::{ProtocolVersion, ServerConnection};
use x509_parser::oid_registry::{
    OID_NIST_HASH_SHA256, OID_NIST_HASH_SHA384, OID_NIST_HASH_SHA512, OID_PKCS1_MD5WITHRSAENC, OID_PKCS1_RSASSAPSS,
    OID_PKCS1_SHA1WITHRSA, OID_PKCS1_SHA256WITHRSA, OID_PKCS1_SHA384WITHRSA, OID_PKCS1_SHA512WITHRSA,
    OID_SIG_ECDSA_WITH_SHA256, OID_SIG_ECDSA_WITH_SHA384, OID_SIG_ECDSA_WITH_SHA512, Oid,
};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::signature_algorithm::SignatureAlgorithm;
use x509_parser::x509::AlgorithmIdentifier;

/// The kind of [`exporter`].
pub(super) const EXPORTER: &str = "tls-exporter";
/// The kind of [`end_point`].
pub(super) const END_POINT: &str = "tls-server-end-point";

/// RFC 9266: keying material of this connection alone. Before TLS 1.3 it would be unique only with extensions that
/// nobody here can ask about, so there it is left out.
pub(super) fn exporter(connection: &ServerConnection) -> Option<[u8; 32]> {
    if connection.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
        return None;
    }
    connection.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).ok()
}

/// RFC 5929, section 4: the certificate's digest by the hash of its signature, but no weaker than SHA-256. None where the
/// signature has no one hash, as with Ed25519.
pub(super) fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let algorithm = hash(&parsed.signature_algorithm)?;
    Some(digest::digest(algorithm, certificate).as_ref().to_vec())
}

fn hash(signature: &AlgorithmIdentifier<'_>) -> Option<&'static Algorithm> {
    let known = |oid: &Oid<'_>| HASHES.iter().find(|(known, _)| known == oid).map(|(_, algorithm)| *algorithm);
    if signature.algorithm != OID_PKCS1_RSASSAPSS {
        return known(&signature.algorithm);
    }
    match SignatureAlgorithm::try_from(signature).ok()? {
        SignatureAlgorithm::RSASSA_PSS(parameters) => known(parameters.hash_algorithm_oid()),
        _ => None,
    }
}

const HASHES: [(Oid<'static>, &Algorithm); 11] = [
    (OID_PKCS1_MD5WITHRSAENC, &digest::SHA256),
    (OID_PKCS1_SHA1WITHRSA, &digest::SHA256),
    (OID_PKCS1_SHA256WITHRSA, &digest::SHA256),
    (OID_PKCS1_SHA384WITHRSA, &digest::SHA384),
    (OID_PKCS1_SHA512WITHRSA, &digest::SHA512),
    (OID_SIG_ECDSA_WITH_SHA256, &digest::SHA256),
    (OID_SIG_ECDSA_WITH_SHA384, &digest::SHA384),
    (OID_SIG_ECDSA_WITH_SHA512, &digest::SHA512),
    (OID_NIST_HASH_SHA256, &digest::SHA256),
    (OID_NIST_HASH_SHA384, &digest::SHA384),
    (OID_NIST_HASH_SHA512, &digest::SHA512),
];
