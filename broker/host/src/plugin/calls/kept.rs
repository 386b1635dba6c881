//! Questions with nothing borrowed: what a shadow is asked after the client has its answer.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Instant;

use super::{
    Admit, Authenticate, AuthorizePublish, AuthorizeSubscribe, AuthorizeUnsubscribe, AuthorizeWill, HookCall,
    Permissions, Round, Start,
};
use crate::contract::{Candidate, ConnectFacts, Credentials, Message, QoS, SubscriptionQuestion};
use crate::error::HookError;
use crate::identities::Identities;
use crate::plugin::{Asked, Generation};

/// A question that was asked. Of identities it has the numbers, so that it keeps none alive.
pub(crate) enum KeptQuestion {
    Authenticate {
        credentials: Arc<Credentials>,
        facts: Arc<ConnectFacts>,
    },
    Permissions {
        who: u64,
    },
    Publish {
        who: u64,
        topic: String,
        qos: QoS,
        retain: bool,
    },
    Subscribe {
        who: u64,
        questions: Vec<SubscriptionQuestion>,
    },
    Messages(Vec<KeptMessage>),
    Unsubscribe {
        who: u64,
        filters: Vec<String>,
    },
    Will {
        who: u64,
        will: Message,
        delay: u32,
    },
    Admit {
        listener: String,
        address: String,
    },
    /// The first step of an exchange. Later ones go by what the plugin has put into the earlier.
    Start {
        candidate: Candidate,
        data: Option<Vec<u8>>,
    },
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
            Self::Unsubscribe { who, filters } => {
                let who = identities.find(*who)?;
                let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
                words(of, &AuthorizeUnsubscribe { who: &who, filters: &filters }).await
            }
            Self::Will { who, will, delay } => {
                let who = identities.find(*who)?;
                let with_payload = of.shows_payload();
                words(of, &AuthorizeWill { who: &who, will, delay: *delay, with_payload }).await
            }
            Self::Admit { listener, address } => words(of, &Admit { listener, address }).await,
            Self::Start { candidate, data } => words(of, &Start(Round::new(of, candidate, data.clone()))).await,
        })
    }

    /// What it is about, as far as that may be told: a user name, a topic, a filter, a listener.
    pub(crate) fn about(&self) -> String {
        match self {
            Self::Authenticate { credentials, .. } => credentials.username.clone().unwrap_or_default(),
            Self::Start { candidate, .. } => candidate.method.to_string(),
            Self::Permissions { .. } => String::new(),
            Self::Publish { topic, .. } => topic.clone(),
            Self::Will { will, .. } => will.topic.to_string(),
            Self::Unsubscribe { filters, .. } => filters.join(", "),
            Self::Admit { listener, .. } => listener.clone(),
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
