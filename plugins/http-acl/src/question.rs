//! What the service is asked.

use std::collections::BTreeMap;

use midge_plugin_sdk::{Identity, Protocol};
use serde::Serialize;

/// What the client wants to do.
#[derive(Serialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub(crate) enum Action<'a> {
    /// Anything: what may it do?
    Permissions,
    Publish {
        topic: &'a str,
        qos: u8,
        retain: bool,
    },
    Subscribe {
        filter: &'a str,
        qos: u8,
        no_local: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        share: Option<&'a str>,
    },
}

#[derive(Serialize)]
struct Question<'a> {
    #[serde(flatten)]
    action: &'a Action<'a>,
    client_id: &'a str,
    principal: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<&'a str, &'a str>,
    listener: &'a str,
    peer: &'a str,
    protocol: &'static str,
}

/// The question whether `who` may do that.
pub(crate) fn of(who: &Identity, action: &Action<'_>) -> Vec<u8> {
    let question = Question {
        action,
        client_id: &who.client_id,
        principal: &who.principal,
        tenant: who.tenant.as_deref(),
        attributes: who.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        listener: &who.listener,
        peer: &who.peer,
        protocol: match who.protocol {
            Protocol::V31 => "3.1",
            Protocol::V311 => "3.1.1",
            Protocol::V5 => "5.0",
        },
    };
    serde_json::to_vec(&question).expect("text, numbers and tables of them are JSON")
}
