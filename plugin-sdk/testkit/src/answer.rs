//! [`Answer`]: what came of a call, and what a test may demand of it.

use std::fmt::{self, Write as _};
use std::time::Duration;

use bytes::Bytes;
use midge_host::HookFailure;
use midge_host::Report;
use midge_host::contract::{Hook, LogLine, Message, QoS, Redirection, StagedRequest};
use serde_json::{Value, json};

use crate::world::Deeds;

/// What came of a call.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The hook.
    pub hook: Hook,
    /// The function.
    pub function: String,
    /// What it returned, in the words of the contract; or how the plugin failed, by its own word or otherwise.
    pub value: Result<Value, HookFailure>,
    /// What the broker would make of it besides.
    pub remarks: Vec<String>,
    /// What was logged: by the plugin, and by the host about what it denied it. The first call's has that of the start too.
    pub logs: Vec<LogLine>,
    /// Lines that were too many to be kept.
    pub logs_dropped: u64,
    /// What it published. After a failure nothing is: orders are carried out when a call has returned.
    pub published: Vec<Message>,
    /// The clients that it disconnected.
    pub disconnected: Vec<Disconnection>,
    /// The connected clients that it sent to another server.
    pub redirected: Vec<Redirected>,
    /// The principals that it revoked.
    pub revoked: Vec<String>,
    /// The HTTP requests that it sent.
    pub requests: Vec<StagedRequest>,
    /// How long it took, with what it waited for.
    pub took: Duration,
    /// Linear memory of its instance afterwards.
    pub memory_bytes: u64,
}

/// A client that a plugin disconnected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disconnection {
    /// The client.
    pub client_id: String,
    /// The reason code.
    pub code: u8,
    /// Whether its session stays.
    pub keep_session: bool,
}

/// A connected client that a plugin sent to another server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirected {
    /// The client.
    pub client_id: String,
    /// Where to.
    pub to: Redirection,
}

impl Answer {
    pub(crate) fn new(report: Report, deeds: Deeds) -> Self {
        let Report { hook, function, answer, remarks, took, memory_bytes } = report;
        let Deeds { logs, logs_dropped, published, disconnected, redirected, revoked, requests } = deeds;
        Self {
            hook,
            function,
            value: answer,
            remarks,
            logs,
            logs_dropped,
            published,
            disconnected,
            redirected,
            revoked,
            requests,
            took,
            memory_bytes,
        }
    }

    /// The decision alone: `verdict` of what was returned, of each where that is a list, else what was returned. Null after a failure.
    #[must_use]
    pub fn verdict(&self) -> Value {
        fn of(value: &Value) -> Value {
            match value {
                Value::Object(fields) => fields.get("verdict").unwrap_or(value).clone(),
                Value::Array(items) => items.iter().map(of).collect(),
                other => other.clone(),
            }
        }
        self.value.as_ref().map_or(Value::Null, of)
    }

    /// The state of a challenge, for the next step of the exchange.
    #[must_use]
    pub fn state(&self) -> Option<Value> {
        Some(self.value.as_ref().ok()?.get("challenge")?.get("state")?.clone())
    }

    /// Demands that it allowed: all, where it was asked about several.
    ///
    /// # Panics
    /// It did not.
    #[track_caller]
    pub fn assert_allow(&self) -> &Self {
        self.assert_case("allow")
    }

    /// Demands that it denied: all, where it was asked about several.
    ///
    /// # Panics
    /// It did not.
    #[track_caller]
    pub fn assert_deny(&self) -> &Self {
        self.assert_case("deny")
    }

    /// Demands that it was not its business.
    ///
    /// # Panics
    /// It was.
    #[track_caller]
    pub fn assert_next(&self) -> &Self {
        self.assert_case("next")
    }

    /// Demands this of what it returned; what is not said may be anything.
    ///
    /// # Panics
    /// It is different.
    #[track_caller]
    #[allow(clippy::needless_pass_by_value, reason = "a test writes json!(…) here")]
    pub fn assert_answer(&self, expected: Value) -> &Self {
        let got = self.value.as_ref().map_or(Value::Null, Clone::clone);
        let mismatches = crate::fixture::differences("answer", &expected, &got);
        assert!(mismatches.is_empty(), "{}\n{self}", mismatches.iter().map(ToString::to_string).collect::<String>());
        self
    }

    /// Demands that it failed, with this in its words.
    ///
    /// # Panics
    /// It did not fail, or said something else.
    #[track_caller]
    pub fn assert_fails(&self, text: &str) -> &Self {
        let said = self.value.as_ref().err().map(ToString::to_string);
        assert!(said.is_some_and(|said| said.contains(text)), "no failure with {text:?}\n{self}");
        self
    }

    /// Demands a line of the log with this in it.
    ///
    /// # Panics
    /// There is none.
    #[track_caller]
    pub fn assert_logged(&self, text: &str) -> &Self {
        assert!(self.logs.iter().any(|line| written(line).contains(text)), "no line with {text:?}\n{self}");
        self
    }

    /// Demands that this was published.
    ///
    /// # Panics
    /// It was not.
    #[track_caller]
    pub fn assert_published(&self, topic: &str, payload: impl AsRef<[u8]>) -> &Self {
        let is_it = |message: &Message| *message.topic == *topic && message.payload == payload.as_ref();
        assert!(self.published.iter().any(is_it), "nothing of that kind was published to {topic:?}\n{self}");
        self
    }

    #[track_caller]
    fn assert_case(&self, expected: &str) -> &Self {
        let is_it = |verdict: &Value| match verdict {
            Value::String(case) => case == expected,
            Value::Object(fields) => fields.len() == 1 && fields.contains_key(expected),
            _ => false,
        };
        let verdict = self.verdict();
        let all = match &verdict {
            Value::Array(verdicts) => !verdicts.is_empty() && verdicts.iter().all(is_it),
            one => is_it(one),
        };
        assert!(all, "{} did not {expected}\n{self}", self.function);
        self
    }
}

/// Everything, as a failed test shows it.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Ok(value) => writeln!(f, "{} answered {value}", self.function)?,
            Err(failure) => writeln!(f, "{} failed: {failure}", self.function)?,
        }
        for remark in &self.remarks {
            writeln!(f, "  remark: {remark}")?;
        }
        for line in &self.logs {
            writeln!(f, "  log: {}", written(line))?;
        }
        for message in &self.published {
            writeln!(f, "  published: {}", message_json(message))?;
        }
        for Disconnection { client_id, code, .. } in &self.disconnected {
            writeln!(f, "  disconnected: {client_id} with 0x{code:02x}")?;
        }
        for Redirected { client_id, to } in &self.redirected {
            writeln!(f, "  redirected: {client_id} to {}", to.server_reference)?;
        }
        for principal in &self.revoked {
            writeln!(f, "  revoked: {principal}")?;
        }
        for request in &self.requests {
            writeln!(f, "  asked: {} {}", request.method, request.url)?;
        }
        Ok(())
    }
}

/// A line of the log as it is shown.
pub(crate) fn written(line: &LogLine) -> String {
    let mut text = format!("{} {}", line.level.name(), line.message);
    if !line.fields.is_empty() {
        // Writing to a String cannot fail.
        let _ = write!(text, " {}", line.fields);
    }
    text
}

/// A message as the record of the contract, in JSON; what is none is left out.
#[must_use]
pub fn message_json(message: &Message) -> Value {
    let Message { topic, payload, qos, retain, payload_is_utf8, .. } = message;
    let qos = match qos {
        QoS::AtMostOnce => "at-most-once",
        QoS::AtLeastOnce => "at-least-once",
        QoS::ExactlyOnce => "exactly-once",
    };
    let mut json = json!({
        "topic": &**topic,
        "payload": bytes_json(payload),
        "qos": qos,
        "retain": retain,
        "payload-is-utf8": payload_is_utf8,
        "user-properties": message.user_properties,
    });
    let options = [
        ("message-expiry", message.message_expiry.map(|seconds| json!(seconds))),
        ("content-type", message.content_type.as_ref().map(|text| json!(text))),
        ("response-topic", message.response_topic.as_ref().map(|text| json!(text))),
        ("correlation-data", message.correlation_data.as_ref().map(bytes_json)),
    ];
    if let Value::Object(fields) = &mut json {
        let said = options.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        fields.extend(said);
    }
    json
}

fn bytes_json(bytes: &Bytes) -> Value {
    midge_host::written(bytes)
}
