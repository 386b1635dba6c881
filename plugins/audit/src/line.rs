//! One event as a line of JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use midge_plugin_sdk::{Event, crypto, now};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::config::How;

/// The fields of a line that may be redacted, besides those of `detail`.
pub(crate) const FIELDS: [&str; 4] = ["node", "client_id", "principal", "topic"];

/// Facts of sessions that went from one principal to another.
const PRINCIPALS: [&str; 2] = ["detail.by", "detail.before"];

/// A line, in the order of its fields. What an event does not say is left out.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    at: String,
    at_ms: u64,
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason_code: Option<u8>,
    count: u32,
    #[serde(skip_serializing_if = "Map::is_empty")]
    detail: Map<String, Value>,
}

/// What is done to which fields.
pub(crate) struct Redaction {
    fields: BTreeMap<String, How>,
    salt: Vec<u8>,
}

impl Line {
    pub(crate) fn of(event: &Event, redaction: &Redaction) -> Self {
        let detail = match serde_json::from_str(&event.detail) {
            Ok(Value::Object(detail)) => detail,
            _ => Map::new(),
        };
        let field = |name: &str, value: &Option<String>| redaction.field(name, value.clone()?);
        Self {
            at: rfc3339(event.at_ms),
            at_ms: event.at_ms,
            kind: event.kind.clone(),
            node: redaction.field("node", event.node.clone()),
            client_id: field("client_id", &event.client_id),
            principal: field("principal", &event.principal),
            topic: field("topic", &event.topic),
            reason_code: event.reason_code,
            count: event.count,
            detail: redaction.detail(detail),
        }
    }

    /// That this plugin lost events before the next line.
    pub(crate) fn lost(events: u64, node: &str) -> Self {
        let at_ms = now();
        Self {
            at: rfc3339(at_ms),
            at_ms,
            kind: "audit.lost".to_owned(),
            node: Some(node.to_owned()),
            client_id: None,
            principal: None,
            topic: None,
            reason_code: None,
            count: u32::try_from(events).unwrap_or(u32::MAX),
            detail: Map::new(),
        }
    }

    /// The line, with its end.
    pub(crate) fn text(&self) -> String {
        // A line is made of texts and numbers, which JSON has words for.
        let mut text = serde_json::to_string(self).unwrap_or_default();
        text.push('\n');
        text
    }
}

impl Redaction {
    pub(crate) fn new(fields: &BTreeMap<String, How>, salt: Vec<u8>) -> Self {
        let mut fields = fields.clone();
        if let Some(how) = fields.get("principal").copied() {
            for other in PRINCIPALS {
                fields.entry(other.to_owned()).or_insert(how);
            }
        }
        Self { fields, salt }
    }

    fn field(&self, name: &str, value: String) -> Option<String> {
        match self.fields.get(name) {
            None => Some(value),
            Some(How::Remove) => None,
            Some(How::Hash) => Some(self.hash(&value)),
        }
    }

    fn detail(&self, mut detail: Map<String, Value>) -> Map<String, Value> {
        for (field, how) in &self.fields {
            let Some(name) = field.strip_prefix("detail.") else { continue };
            match (how, detail.get_mut(name)) {
                (_, None | Some(Value::Null)) => {}
                (How::Remove, Some(_)) => drop(detail.remove(name)),
                (How::Hash, Some(value)) => {
                    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    *value = self.hash(&text).into();
                }
            }
        }
        detail
    }

    /// Sixteen hexadecimal digits: enough to tell values apart, and not to find them by.
    fn hash(&self, value: &str) -> String {
        let digest = crypto::sha256(&[&self.salt, value.as_bytes()].concat());
        let mut text = "sha256:".to_owned();
        for byte in digest.iter().take(8) {
            // Writing to a text does not fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

/// `2026-11-30T17:05:10.123Z`.
fn rfc3339(unix_ms: u64) -> String {
    let (seconds, ms) = (unix_ms / 1000, unix_ms % 1000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// Year, month and day of so many days after 1970-01-01, by years that begin in March, so that the leap day is the last.
fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_TO_1970: u64 = 719_468;
    let days = days + DAYS_TO_1970;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_people_read_them() {
        for (unix_ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_200_001, "2024-03-01T00:00:00.001Z"),
            (1_796_058_310_123, "2026-11-30T17:05:10.123Z"),
            (4_102_444_800_000, "2100-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(unix_ms), text);
        }
    }
}
