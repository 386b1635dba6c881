//! Topic aliases (3.3.2.3.4), one table for each direction of a connection.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::ProtocolError;

/// The aliases the client defined.
#[derive(Debug)]
pub(crate) struct AliasesReceived {
    maximum: u16,
    /// By alias, counted from 0; as long as the highest one defined.
    topics: Vec<Option<Arc<str>>>,
}

impl AliasesReceived {
    pub(crate) fn new(maximum: u16) -> Self {
        Self { maximum, topics: Vec::new() }
    }

    /// The topic of a PUBLISH with this alias; a Topic Name (re)defines it.
    pub(crate) fn resolve(&mut self, topic: &str, alias: u16) -> Result<Arc<str>, ProtocolError> {
        if alias == 0 || alias > self.maximum {
            return Err(ProtocolError::TopicAliasTooLarge(alias, self.maximum));
        }
        let index = usize::from(alias) - 1;
        if topic.is_empty() {
            let known = self.topics.get(index).and_then(Clone::clone);
            return known.ok_or(ProtocolError::TopicAliasUnknown(alias));
        }
        if self.topics.len() <= index {
            self.topics.resize(index + 1, None);
        }
        let place = &mut self.topics[index];
        match place {
            Some(known) if **known == *topic => Ok(Arc::clone(known)),
            _ => Ok(Arc::clone(place.insert(topic.into()))),
        }
    }
}

/// The aliases we defined: the first topics that are sent, until there are as many as the client takes.
#[derive(Debug, Default)]
pub(crate) struct AliasesSent {
    topics: HashMap<Box<str>, u16, foldhash::fast::FixedState>,
}

/// How a topic is sent on a connection with aliases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AliasUse {
    /// By name only.
    Name,
    /// By name and alias, which defines the alias once it is sent.
    Define(u16),
    /// By alias only.
    Alias(u16),
}

impl AliasesSent {
    /// How to send this topic; nothing changes yet.
    pub(crate) fn choose(&self, topic: &str, maximum: u16) -> AliasUse {
        if let Some(&alias) = self.topics.get(topic) {
            return AliasUse::Alias(alias);
        }
        match u16::try_from(self.topics.len()) {
            Ok(count) if count < maximum => AliasUse::Define(count + 1),
            _ => AliasUse::Name,
        }
    }

    /// The definition was sent.
    pub(crate) fn define(&mut self, topic: &str, alias: u16) {
        self.topics.insert(topic.into(), alias);
    }
}
