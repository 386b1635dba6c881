//! What the service is asked.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use midge_plugin_sdk::{Connect, Credentials, Protocol, UserProperty, crypto};
use serde::Serialize;

use crate::config::Fact;

/// One CONNECT in JSON. What the client did not say is left out.
#[derive(Serialize)]
struct Question<'a> {
    client_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
    /// A password that is no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    password_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_cn: Option<&'a str>,
    listener: &'a str,
    peer: &'a str,
    protocol: &'static str,
    tls: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    alternative_names: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_fingerprint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_properties: Option<Vec<UserProperty>>,
}

/// The question about one CONNECT. It has the password in it: it goes to the service and nowhere else.
pub(crate) fn of(credentials: &Credentials, connect: &Connect, facts: &[Fact]) -> Vec<u8> {
    let wants = |fact: Fact| facts.contains(&fact).then_some(());
    let password = credentials.password.as_deref();
    let text = password.map(std::str::from_utf8);
    let question = Question {
        client_id: &credentials.client_id,
        username: credentials.username.as_deref(),
        password: text.and_then(Result::ok),
        password_base64: password.filter(|_| matches!(text, Some(Err(_)))).map(|bytes| STANDARD.encode(bytes)),
        certificate_cn: credentials.certificate_cn.as_deref(),
        listener: &credentials.listener,
        peer: &credentials.peer,
        protocol: match credentials.protocol {
            Protocol::V31 => "3.1",
            Protocol::V311 => "3.1.1",
            Protocol::V5 => "5.0",
        },
        tls: credentials.tls,
        alternative_names: wants(Fact::AlternativeNames).map(|()| connect.alternative_names()),
        certificate_fingerprint: wants(Fact::CertificateFingerprint).and_then(|()| fingerprint(connect)),
        server_name: wants(Fact::ServerName).and_then(|()| connect.server_name()),
        user_properties: wants(Fact::UserProperties).map(|()| connect.user_properties()),
    };
    serde_json::to_vec(&question).expect("text, numbers and lists of them are JSON")
}

fn fingerprint(connect: &Connect) -> Option<String> {
    let leaf = connect.certificates().into_iter().next()?;
    Some(crypto::sha256(&leaf).iter().map(|byte| format!("{byte:02x}")).collect())
}
