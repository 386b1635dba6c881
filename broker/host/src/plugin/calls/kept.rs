//! Questions with nothing borrowed: what a shadow is asked after the client has its answer.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Instant;

use super::{Authenticate, AuthorizePublish, AuthorizeSubscribe, HookCall, Permissions};
use crate::contract::{ConnectFacts, Credentials, Message, QoS, SubscriptionQuestion};
use crate::error::HookError;
use crate::identities::Identities;
use crate::plugin::{Asked, Generation};

/// A question that was asked. Of identities it has the numbers, so that it keeps none alive.
pub(crate) enum KeptQuestion {
    Authenticate { credentials: Arc<Credentials>, facts: Arc<ConnectFacts> },
    Permissions { who: u64 },
    Publish { who: u64, topic: String, qos: QoS, retain: bool },
    Subscribe { who: u64, questions: Vec<SubscriptionQuestion> },
    Messages(Vec<KeptMessage>),
}

/// A message that was asked about.
pub(crate) struct KeptMessage {
    /// Its publisher; 0 for the broker's own.
    who: u64,
    received_at: u64,
    message: Message,
}

impl KeptMessage {
    pub(super) fn new(asked: &Asked<'_>) -> Self {
        let who = asked.who.map_or(0, |who| who.id());
        Self { who, received_at: asked.received_at, message: asked.message.clone() }
    }
}

impl KeptQuestion {
    /// Asks a generation, and returns its answer in words. None: whom it is about is gone.
    pub(crate) async fn ask(&self, of: &Generation, identities: &Identities) -> Option<Result<String, HookError>> {
        Some(match self {
            Self::Authenticate { credentials, facts } => {
                let (credentials, facts) = (Arc::clone(credentials), Arc::clone(facts));
                words(of, &Authenticate::new(credentials, facts, of.shows_password())).await
            }
            Self::Permissions { who } => {
                let who = identities.find(*who)?;
                words(of, &Permissions { who: &who }).await
            }
            Self::Publish { who, topic, qos, retain } => {
                let who = identities.find(*who)?;
                words(of, &AuthorizePublish { who: &who, topic, qos: *qos, retain: *retain }).await
            }
            Self::Subscribe { who, questions } => {
                let who = identities.find(*who)?;
                let subscriptions: Vec<_> = questions.iter().collect();
                words(of, &AuthorizeSubscribe { who: &who, subscriptions: &subscriptions }).await
            }
            Self::Messages(batch) => {
                let publishers: Vec<_> = batch.iter().map(|kept| identities.find(kept.who)).collect();
                let asked: Vec<Asked<'_>> = publishers
                    .iter()
                    .zip(batch)
                    .map(|(who, kept)| Asked {
                        who: who.as_deref(),
                        received_at: kept.received_at,
                        message: &kept.message,
                    })
                    .collect();
                let answer = of.on_publish(&asked, &mut Instant::now()).await;
                answer.map(|actions| super::OnPublish::words(&actions))
            }
        })
    }

    /// What it is about, as far as that may be told: a user name, a topic, a filter.
    pub(crate) fn about(&self) -> String {
        match self {
            Self::Authenticate { credentials, .. } => credentials.username.clone().unwrap_or_default(),
            Self::Permissions { .. } => String::new(),
            Self::Publish { topic, .. } => topic.clone(),
            Self::Subscribe { questions, .. } => {
                questions.iter().map(|question| question.filter.as_str()).collect::<Vec<_>>().join(", ")
            }
            Self::Messages(batch) => batch.iter().map(|kept| &*kept.message.topic).collect::<Vec<_>>().join(", "),
        }
    }
}

async fn words<C: HookCall>(of: &Generation, call: &C) -> Result<String, HookError> {
    of.call(call).await.map(|answer| C::words(&answer))
}

/// A refusal in words.
pub(super) fn refusal(code: u8, reason: Option<&str>) -> String {
    match reason {
        Some(reason) => format!("deny 0x{code:02X}: {reason}"),
        None => format!("deny 0x{code:02X}"),
    }
}

/// Messages that a plugin made, in words: their payloads are nobody's business, but whether they are the same is.
pub(super) fn made(messages: &[Message]) -> String {
    let words = |message: &Message| {
        let mut hasher = DefaultHasher::new();
        format!("{message:?}").hash(&mut hasher);
        format!("{} ({} bytes, {:08x})", message.topic, message.payload.len(), hasher.finish() as u32)
    };
    format!("replace with {}", messages.iter().map(words).collect::<Vec<_>>().join(", "))
}
