//! The CONNECT that is lent to whoever authenticates, from JSON.

use serde_json::{Map, Value};

use super::input::{InputError, bytes};
use super::people::pairs;
use crate::contract::{ConnectFacts, QoS, WillFacts};

/// Reads what `connection.connect` will say; what is left out is as in a plain CONNECT.
pub(super) fn facts(at: &str, value: Option<&Value>) -> Result<ConnectFacts, InputError> {
    let empty = Map::new();
    let given = match value {
        None | Some(Value::Null) => &empty,
        Some(Value::Object(given)) => given,
        Some(other) => return Err(InputError::new(at, "an object", other)),
    };
    let mut facts = ConnectFacts { clean_start: true, keep_alive: 60, ..ConnectFacts::default() };
    for (key, value) in given {
        let at = format!("{at}.{key}");
        let wrong = |expected: &str| InputError::new(&at, expected, value);
        match key.replace('_', "-").as_str() {
            "clean-start" => facts.clean_start = value.as_bool().ok_or_else(|| wrong("true or false"))?,
            "keep-alive" => facts.keep_alive = number(value).ok_or_else(|| wrong("a number from 0 to 65535"))?,
            "session-expiry" => facts.session_expiry = number(value).ok_or_else(|| wrong("a number of seconds"))?,
            "will" => facts.will = Some(will(&at, value)?),
            "user-properties" => facts.user_properties = pairs(&at, Some(value))?,
            "server-name" => facts.server_name = Some(value.as_str().ok_or_else(|| wrong("text"))?.to_owned()),
            "certificates" => facts.certificates = list(value, bytes).ok_or_else(|| wrong(BYTES))?,
            "alternative-names" => {
                facts.alternative_names = list(value, text).ok_or_else(|| wrong("a list of texts"))?
            }
            "http-headers" => facts.http_headers = pairs(&at, Some(value))?,
            "channel-bindings" => facts.channel_bindings = bindings(value).ok_or_else(|| wrong(BINDINGS))?,
            _ => {
                return Err(InputError::unknown(
                    at.rsplit_once('.').map_or("", |(at, _)| at),
                    key,
                    KEYS.iter().copied(),
                ));
            }
        }
    }
    Ok(facts)
}

fn will(at: &str, value: &Value) -> Result<WillFacts, InputError> {
    let wrong = || InputError::new(at, "an object with topic, qos, retain, payload", value);
    let given = value.as_object().ok_or_else(wrong)?;
    if given.keys().any(|key| !["topic", "qos", "retain", "payload"].contains(&key.as_str())) {
        return Err(wrong());
    }
    let qos = match given.get("qos") {
        None => QoS::AtMostOnce,
        Some(qos) => match (qos.as_u64(), qos.as_str()) {
            (Some(0), _) | (_, Some("at-most-once")) => QoS::AtMostOnce,
            (Some(1), _) | (_, Some("at-least-once")) => QoS::AtLeastOnce,
            (Some(2), _) | (_, Some("exactly-once")) => QoS::ExactlyOnce,
            _ => return Err(wrong()),
        },
    };
    Ok(WillFacts {
        topic: given.get("topic").and_then(Value::as_str).ok_or_else(wrong)?.to_owned(),
        qos,
        retain: given.get("retain").map_or(Some(false), Value::as_bool).ok_or_else(wrong)?,
        payload: given.get("payload").map_or(Some(Vec::new()), bytes).ok_or_else(wrong)?.into(),
    })
}

fn bindings(value: &Value) -> Option<Vec<(&'static str, Vec<u8>)>> {
    let kind = |name: &str| BINDING_KINDS.into_iter().find(|kind| *kind == name);
    value.as_object()?.iter().map(|(name, data)| Some((kind(name)?, bytes(data)?))).collect()
}

fn list<T>(value: &Value, each: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    value.as_array()?.iter().map(each).collect()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn number<T: TryFrom<u64>>(value: &Value) -> Option<T> {
    value.as_u64()?.try_into().ok()
}

/// What can be said of a CONNECT besides the credentials.
pub(super) const KEYS: [&str; 10] = [
    "clean-start",
    "keep-alive",
    "session-expiry",
    "will",
    "user-properties",
    "server-name",
    "certificates",
    "alternative-names",
    "http-headers",
    "channel-bindings",
];
const BINDING_KINDS: [&str; 2] = ["tls-exporter", "tls-server-end-point"];
const BYTES: &str = "a list of texts or {\"base64\": \"…\"}";
const BINDINGS: &str = "an object with tls-exporter or tls-server-end-point, each text or {\"base64\": \"…\"}";
