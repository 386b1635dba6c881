//! Certificates, and what they say about their holder.

use decisions::Values;
use midge_plugin_sdk::crypto;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::{Decode, Encode, Tag, Tagged};
use x509_cert::ext::pkix::KeyUsage;
use x509_cert::name::Name;

/// A certificate.
pub(crate) struct Certificate {
    der: Vec<u8>,
    parsed: x509_cert::Certificate,
    /// Seconds since the Unix epoch.
    pub(crate) not_before: u64,
    /// Seconds since the Unix epoch; the first at which it is no longer valid.
    pub(crate) not_after: u64,
}

impl Certificate {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn parse(der: &[u8]) -> Result<Self, String> {
        let parsed =
            x509_cert::Certificate::from_der(der).map_err(|why| format!("the certificate cannot be read: {why}"))?;
        let validity = parsed.tbs_certificate().validity();
        let (not_before, not_after) = (
            validity.not_before.to_unix_duration().as_secs(),
            // It is valid during this second still.
            validity.not_after.to_unix_duration().as_secs().saturating_add(1),
        );
        Ok(Self { der: der.to_vec(), parsed, not_before, not_after })
    }

    pub(crate) fn subject(&self) -> &Name {
        self.parsed.tbs_certificate().subject()
    }

    pub(crate) fn issuer(&self) -> &Name {
        self.parsed.tbs_certificate().issuer()
    }

    /// Its number, as its issuer counts.
    pub(crate) fn serial(&self) -> &[u8] {
        self.parsed.tbs_certificate().serial_number().as_bytes()
    }

    /// Its public key, as `crypto` wants it.
    pub(crate) fn key(&self) -> Option<Vec<u8>> {
        self.parsed.tbs_certificate().subject_public_key_info().to_der().ok()
    }

    /// Whether its key may sign revocation lists: unless it says what it is for, and that not among it.
    pub(crate) fn may_sign_lists(&self) -> bool {
        let extensions = self.parsed.tbs_certificate().extensions();
        let usage = extensions.into_iter().flatten().find(|extension| extension.extn_id == KeyUsage::OID);
        usage.is_none_or(|usage| KeyUsage::from_der(usage.extn_value.as_bytes()).is_ok_and(|usage| usage.crl_sign()))
    }
}

/// Whoever holds a certificate.
pub(crate) struct Holder<'a> {
    pub(crate) certificate: &'a Certificate,
    /// As the broker read them: `DNS:…`, `URI:…`, `IP:…`, `email:…`.
    pub(crate) alternative_names: Vec<String>,
}

/// What may stand in a template. Attributes of the subject are those of RFC 4514 and a few more.
pub(crate) const NAMES: [&str; 21] = [
    "cn",
    "o",
    "ou",
    "l",
    "st",
    "c",
    "street",
    "dc",
    "uid",
    "serialnumber",
    "emailaddress",
    "dn",
    "issuer",
    "issuer.cn",
    "serial",
    "fingerprint",
    "san.dns",
    "san.uri",
    "san.email",
    "san.ip",
    "not_after",
];

impl Values for Holder<'_> {
    fn values(&self, name: &str) -> Vec<String> {
        let alternative = |prefix: &str| {
            let names = self.alternative_names.iter().filter_map(|name| name.strip_prefix(prefix));
            names.map(str::to_owned).collect()
        };
        match name {
            "dn" => vec![distinguished(self.certificate.subject())],
            "issuer" => vec![distinguished(self.certificate.issuer())],
            "issuer.cn" => attribute(self.certificate.issuer(), "cn"),
            "serial" => {
                let number = hex(self.certificate.serial());
                // A zero in front says no more than that it is positive.
                vec![number.strip_prefix("00").filter(|rest| !rest.is_empty()).unwrap_or(&number).to_owned()]
            }
            "fingerprint" => vec![hex(&crypto::sha256(&self.certificate.der))],
            "not_after" => vec![self.certificate.not_after.to_string()],
            "san.dns" => alternative("DNS:"),
            "san.uri" => alternative("URI:"),
            "san.email" => alternative("email:"),
            "san.ip" => alternative("IP:"),
            attribute_name => attribute(self.certificate.subject(), attribute_name),
        }
    }
}

/// Bytes in hex, in lower case.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The values of an attribute, the most specific first.
fn attribute(name: &Name, attribute: &str) -> Vec<String> {
    let Some((_, oid)) = ATTRIBUTES.iter().find(|(known, _)| *known == attribute) else { return Vec::new() };
    let mut values: Vec<String> =
        name.iter().filter(|one| one.oid == *oid).filter_map(|one| text(&one.value)).collect();
    values.reverse();
    values
}

/// A name as RFC 4514 writes it: `CN=device,O=Acme`. What has no name there, or is no text, is written as bytes.
pub(crate) fn distinguished(name: &Name) -> String {
    let mut parts: Vec<String> = Vec::new();
    for relative in name.iter_rdn() {
        let pairs: Vec<String> = relative
            .iter()
            .map(|one| {
                let known = ATTRIBUTES.iter().find(|(_, oid)| *oid == one.oid);
                match known.zip(text(&one.value)) {
                    Some(((known, _), value)) => format!("{}={}", known.to_ascii_uppercase(), escaped(&value)),
                    None => format!("{}=#{}", one.oid, one.value.to_der().map(|der| hex(&der)).unwrap_or_default()),
                }
            })
            .collect();
        parts.push(pairs.join("+"));
    }
    parts.reverse();
    parts.join(",")
}

fn escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (place, letter) in value.chars().enumerate() {
        let at_an_end = (place == 0 && matches!(letter, ' ' | '#')) || (place == last && letter == ' ');
        if at_an_end || matches!(letter, '"' | '+' | ',' | ';' | '<' | '>' | '\\') {
            escaped.push('\\');
            escaped.push(letter);
        } else if letter.is_ascii_control() {
            escaped.push_str(&format!("\\{:02x}", u32::from(letter)));
        } else {
            escaped.push(letter);
        }
    }
    escaped
}

fn text(value: &x509_cert::der::Any) -> Option<String> {
    let bytes = value.value();
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String => String::from_utf8(bytes.to_vec()).ok(),
        // Latin 1, as everybody reads it.
        Tag::TeletexString => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
        Tag::BmpString => {
            let units: Vec<u16> = bytes.chunks_exact(2).map(|unit| u16::from_be_bytes([unit[0], unit[1]])).collect();
            String::from_utf16(&units).ok().filter(|_| bytes.len().is_multiple_of(2))
        }
        _ => None,
    }
}

const ATTRIBUTES: [(&str, ObjectIdentifier); 11] = [
    ("cn", ObjectIdentifier::new_unwrap("2.5.4.3")),
    ("o", ObjectIdentifier::new_unwrap("2.5.4.10")),
    ("ou", ObjectIdentifier::new_unwrap("2.5.4.11")),
    ("l", ObjectIdentifier::new_unwrap("2.5.4.7")),
    ("st", ObjectIdentifier::new_unwrap("2.5.4.8")),
    ("c", ObjectIdentifier::new_unwrap("2.5.4.6")),
    ("street", ObjectIdentifier::new_unwrap("2.5.4.9")),
    ("dc", ObjectIdentifier::new_unwrap("0.9.2342.19200300.100.1.25")),
    ("uid", ObjectIdentifier::new_unwrap("0.9.2342.19200300.100.1.1")),
    ("serialnumber", ObjectIdentifier::new_unwrap("2.5.4.5")),
    ("emailaddress", ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.1")),
];
