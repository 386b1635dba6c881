//! What the service answers.

use decisions::{Access, Rule, check_filter};
use midge_plugin_sdk::{Permission, QoS, Refusal, RulingVerdict};
use serde::Deserialize;

/// What a client may do.
#[derive(Debug, PartialEq)]
pub(crate) enum Rules {
    These(Vec<Permission>),
    NotMine,
}

/// What was decided about one action.
#[derive(Debug, PartialEq)]
pub(crate) struct Decision {
    pub(crate) verdict: RulingVerdict,
    pub(crate) max_qos: QoS,
    pub(crate) refusal: Option<Refusal>,
    pub(crate) covers: Option<String>,
}

/// A word that is not known is a mistake: it might have been meant to narrow what the client may do.
#[derive(Debug, Deserialize)]
#[serde(tag = "result", rename_all = "lowercase", deny_unknown_fields)]
enum RulesBody {
    Allow { permissions: Option<Vec<Rule>>, publish: Option<Vec<String>>, subscribe: Option<Vec<String>> },
    Deny {},
    Next {},
}

#[derive(Debug, Deserialize)]
#[serde(tag = "result", rename_all = "lowercase", deny_unknown_fields)]
enum Body {
    Allow {
        #[serde(default = "exactly_once")]
        max_qos: u8,
        covers: Option<String>,
    },
    Deny {
        #[serde(default = "not_authorized")]
        code: u8,
        reason: Option<String>,
        covers: Option<String>,
    },
    Next {
        covers: Option<String>,
    },
}

fn exactly_once() -> u8 {
    2
}

fn not_authorized() -> u8 {
    Refusal::NOT_AUTHORIZED
}

impl Rules {
    /// Reads an answer to a question for permissions.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn read(body: &[u8]) -> Result<Self, String> {
        match parse(body)? {
            RulesBody::Next {} => Ok(Self::NotMine),
            RulesBody::Deny {} => Ok(Self::These(Vec::new())),
            RulesBody::Allow { permissions, publish, subscribe } => {
                let access = Access { permissions, publish, subscribe, ..Access::default() };
                let rules = access.permissions().map_err(|why| format!("the service's answer: {why}"))?;
                rules.map(Self::These).ok_or_else(|| {
                    "the service's answer: an allow without permissions, publish or subscribe allows nothing".to_owned()
                })
            }
        }
    }
}

impl Decision {
    /// Yes, at any QoS.
    pub(crate) fn allowed() -> Self {
        Self { verdict: RulingVerdict::Allow, max_qos: QoS::ExactlyOnce, refusal: None, covers: None }
    }

    /// No.
    pub(crate) fn refused(refusal: Refusal) -> Self {
        Self { verdict: RulingVerdict::Deny, refusal: Some(refusal), ..Self::allowed() }
    }

    /// Reads an answer to a question about one action.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn read(body: &[u8]) -> Result<Self, String> {
        let (decision, covers) = match parse(body)? {
            Body::Allow { max_qos, covers } => (Self { max_qos: qos(max_qos)?, ..Self::allowed() }, covers),
            Body::Deny { code, .. } if code < 0x80 => {
                return Err(format!("the service's answer: code {code} is no refusal"));
            }
            Body::Deny { code, reason, covers } => (Self::refused(Refusal { code, reason }), covers),
            Body::Next { covers } => (Self { verdict: RulingVerdict::Next, ..Self::allowed() }, covers),
        };
        if let Some(covers) = &covers {
            check_filter(covers).map_err(|why| format!("the service's answer: covers: {why}"))?;
        }
        Ok(Self { covers, ..decision })
    }
}

fn qos(number: u8) -> Result<QoS, String> {
    match number {
        0 => Ok(QoS::AtMostOnce),
        1 => Ok(QoS::AtLeastOnce),
        2 => Ok(QoS::ExactlyOnce),
        other => Err(format!("the service's answer: max_qos {other}: there are 0, 1 and 2")),
    }
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| format!("the service's answer: {error}"))
}
