//! The JSON that is sent; README.md documents it for those who receive it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use midge_plugin_sdk::{Delivery, QoS, identities::identity};
use serde::Serialize;

use crate::config::Payload;

/// A batch as JSON.
pub(crate) fn body(batch: &[Delivery], payload: Payload) -> Vec<u8> {
    let messages = batch.iter().map(|delivery| Message::of(delivery, payload)).collect();
    serde_json::to_vec(&Body { messages }).expect("strings and numbers can be written as JSON")
}

#[derive(Serialize)]
struct Body<'a> {
    messages: Vec<Message<'a>>,
}

#[derive(Serialize)]
struct Message<'a> {
    sequence: u64,
    topic: &'a str,
    /// This or the next, never both.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
    qos: u8,
    retain: bool,
    client_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<String>,
    received_at_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_topic: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_data_base64: Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    user_properties: &'a [(String, String)],
}

impl<'a> Message<'a> {
    fn of(delivery: &'a Delivery, payload: Payload) -> Self {
        let inbound = &delivery.inbound;
        let message = &inbound.message;
        let text = match payload {
            Payload::Auto => std::str::from_utf8(&message.payload).ok(),
            Payload::Base64 => None,
        };
        Self {
            sequence: delivery.sequence,
            topic: &message.topic,
            payload: text,
            payload_base64: text.is_none().then(|| STANDARD.encode(&message.payload)),
            qos: match message.qos {
                QoS::AtMostOnce => 0,
                QoS::AtLeastOnce => 1,
                QoS::ExactlyOnce => 2,
            },
            retain: message.retain,
            client_id: &inbound.client_id,
            principal: identity(inbound.who).map(|who| who.principal),
            received_at_ms: inbound.received_at,
            content_type: message.content_type.as_deref(),
            response_topic: message.response_topic.as_deref(),
            correlation_data_base64: message.correlation_data.as_ref().map(|data| STANDARD.encode(data)),
            user_properties: &message.user_properties,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use midge_plugin_sdk::{Inbound, Message, testing};
    use serde_json::{Value, json};

    use super::*;

    fn written(message: Message, payload: Payload) -> Value {
        testing::set_now(1_700_000_000_000);
        let delivery = Delivery { sequence: 7, attempt: 0, inbound: Inbound::of(message) };
        serde_json::from_slice::<Value>(&body(&[delivery], payload)).unwrap()["messages"][0].take()
    }

    #[test]
    fn a_plain_message_has_no_empty_keys() {
        let expected = json!({
            "sequence": 7, "topic": "t", "payload": "21.5 °C", "qos": 0, "retain": false,
            "client_id": "client", "received_at_ms": 1_700_000_000_000_u64,
        });
        assert_eq!(written(Message::new("t", "21.5 °C"), Payload::Auto), expected);
    }

    #[test]
    fn a_payload_that_is_no_text_is_base64() {
        let message = written(Message::new("t", [0xFF, 0x00]), Payload::Auto);
        assert_eq!((&message["payload_base64"], message.get("payload")), (&json!("/wA="), None));
        assert_eq!(written(Message::new("t", "a"), Payload::Base64)["payload_base64"], "YQ==");
    }

    #[test]
    fn properties_and_principal_are_told() {
        testing::set_identity(1, testing::identity("client", "alice"));
        let message = Message {
            qos: QoS::ExactlyOnce,
            retain: true,
            content_type: Some("text/plain".to_owned()),
            response_topic: Some("r".to_owned()),
            correlation_data: Some(vec![1]),
            user_properties: vec![("k".to_owned(), "v".to_owned())],
            ..Message::new("t", "")
        };
        let written = written(message, Payload::Auto);
        assert_eq!(written["principal"], "alice");
        assert_eq!((&written["qos"], &written["retain"], &written["payload"]), (&json!(2), &json!(true), &json!("")));
        assert_eq!((&written["content_type"], &written["response_topic"]), (&json!("text/plain"), &json!("r")));
        assert_eq!(
            (&written["correlation_data_base64"], &written["user_properties"]),
            (&json!("AQ=="), &json!([["k", "v"]]))
        );
    }
}
