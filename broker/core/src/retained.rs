//! The retained messages, at most one for each topic (3.3.1.3).
//!
//! A hash table answers for one topic. Beside it stand the topics in order, in which a filter with wildcards is
//! followed by leaping from one topic that could match to the next: `a/+/c` never looks into `a/b/d/…`. The order also
//! lets a long answer be given in parts, with whatever is published meanwhile neither lost nor given twice.

mod leap;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::ops::Bound;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use midge_protocol::TopicFilter;
use parking_lot::RwLock;

use self::leap::{Leap, leap};
use crate::wheel::{Timer, Wheel};
use crate::{Message, Time};

/// All retained messages, within a bound on their number and one on their bytes.
pub(crate) struct Retained {
    shelf: RwLock<Shelf>,
    messages_max: usize,
    bytes_max: usize,
}

/// What became of a message that was to be retained.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// Its topic had no retained message.
    Added,
    /// It took the place of an earlier one.
    Replaced,
    /// There is no room. The topic keeps the message it had, if any.
    Full,
}

/// Where the search for a filter's retained messages goes on, from [`Retained::cursor`].
#[derive(Clone, Debug)]
pub(crate) struct Cursor {
    /// How many messages had been retained, ever, when the search began.
    until: u64,
    /// The topic looked at last.
    after: Option<Box<str>>,
    done: bool,
}

struct Shelf {
    messages: HashTable<Kept>,
    topics: BTreeSet<Box<str>>,
    /// The topics of the messages that expire.
    expiring: Wheel<Box<str>>,
    /// The sum of the weights of all messages.
    bytes: usize,
    /// How many of them the broker says of itself. There is always room for those, and they take none of the others' number.
    own: usize,
    /// How many messages were retained, ever.
    stored: u64,
    hasher: foldhash::quality::FixedState,
}

struct Kept {
    message: Message,
    /// Its place in the sequence of all messages that were ever retained, from 1 on.
    number: u64,
    expiry: Option<Timer>,
}

/// After looking at so many topics a search lets others have their turn.
const LOOKS_PER_LOCK: usize = 1024;

impl Cursor {
    /// Whether everything has been found.
    #[must_use]
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }
}

/// Whether the broker alone may publish to it.
fn is_own(topic: &str) -> bool {
    topic.starts_with("$SYS/")
}

impl Retained {
    /// No messages yet, and never more than `messages_max` of clients. None of theirs is added beyond `bytes_max` bytes by
    /// [`Message::weight`], in which what the broker says of itself counts. `seed` keys the hash table.
    #[must_use]
    pub(crate) fn new(seed: u64, messages_max: usize, bytes_max: usize) -> Self {
        let shelf = Shelf {
            messages: HashTable::new(),
            topics: BTreeSet::new(),
            expiring: Wheel::new(),
            bytes: 0,
            own: 0,
            stored: 0,
            hasher: foldhash::quality::FixedState::with_seed(seed),
        };
        Self { shelf: RwLock::new(shelf), messages_max, bytes_max }
    }

    /// Retains a message in place of the one its topic had. A message without payload is for the caller to
    /// [`remove`](Self::remove) instead [MQTT-3.3.1-6].
    pub(crate) fn store(&self, message: Message) -> Stored {
        self.shelf.write().store(message, self.messages_max, self.bytes_max)
    }

    /// Forgets the topic's message and returns it.
    pub(crate) fn remove(&self, topic: &str) -> Option<Message> {
        self.shelf.write().remove(topic)
    }

    /// The topic's message, unless it has expired.
    pub(crate) fn get(&self, topic: &str, now: Time) -> Option<Message> {
        self.shelf.read().find(topic).and_then(|kept| kept.given(now, u64::MAX))
    }

    /// Appends all messages that have not expired and whose topics match, in the order of their topics.
    ///
    /// Topics that begin with `$` are not matched by filters that begin with a wildcard [MQTT-4.7.2-1].
    #[cfg(test)]
    pub(crate) fn matching(&self, filter: TopicFilter<'_>, now: Time, found: &mut Vec<Message>) {
        let mut cursor = self.cursor();
        while !cursor.is_done() {
            self.matching_from(filter, now, &mut cursor, usize::MAX, found);
        }
    }

    /// The start of a search that is made in parts. It finds what is retained now and still is when its turn comes:
    /// what is published meanwhile reaches a new Subscription as it is published, and must not come twice.
    ///
    /// That holds if the Subscription is made first and then the cursor, and if a message is stored first and then
    /// routed.
    #[must_use]
    pub(crate) fn cursor(&self) -> Cursor {
        Cursor { until: self.shelf.read().stored, after: None, done: false }
    }

    /// Appends at most `count` of them, and leaves in `cursor` where to go on. However many topics there are, it looks at a
    /// bounded number, and may have found none though there are more.
    pub(crate) fn matching_from(
        &self,
        filter: TopicFilter<'_>,
        now: Time,
        cursor: &mut Cursor,
        count: usize,
        found: &mut Vec<Message>,
    ) {
        let full = found.len().saturating_add(count);
        if !filter.as_str().contains(['+', '#']) {
            let shelf = self.shelf.read();
            found.extend(shelf.find(filter.as_str()).and_then(|kept| kept.given(now, cursor.until)));
            cursor.done = true;
        } else if !cursor.done {
            self.shelf.read().search(filter.as_str(), now, cursor, full, found);
        }
    }

    /// Forgets what has expired, in at most `budget` steps, appends it to `expired`, and says whether there is more.
    pub(crate) fn expire(&self, now: Time, budget: usize, expired: &mut Vec<Message>) -> bool {
        if self.shelf.read().expiring.is_empty() {
            return false;
        }
        let mut shelf = self.shelf.write();
        let mut topics = Vec::new();
        let more = shelf.expiring.expired(now, budget, &mut topics);
        expired.extend(topics.iter().filter_map(|topic| shelf.remove(topic)));
        more
    }

    /// How many messages are retained, expired ones included until they are swept.
    pub(crate) fn len(&self) -> usize {
        self.shelf.read().messages.len()
    }

    /// Whether no message is retained.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of all retained messages, by [`Message::weight`].
    pub(crate) fn bytes(&self) -> usize {
        self.shelf.read().bytes
    }
}

impl std::fmt::Debug for Retained {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Retained").field("messages", &self.len()).field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}

impl Shelf {
    fn store(&mut self, message: Message, messages_max: usize, bytes_max: usize) -> Stored {
        let room = bytes_max.saturating_sub(self.bytes);
        let count = self.messages.len() - self.own;
        let is_own = is_own(message.topic());
        let Self { messages, topics, expiring, bytes, own, stored, hasher } = self;
        let hash = hasher.hash_one(message.topic());
        let same = |kept: &Kept| kept.message.topic() == message.topic();
        let (outcome, weight_before) = match messages.entry(hash, same, |kept| hasher.hash_one(kept.message.topic())) {
            Entry::Occupied(mut kept) => {
                let kept = kept.get_mut();
                let weight_before = kept.message.weight();
                if !is_own && message.weight() > room.saturating_add(weight_before) {
                    return Stored::Full;
                }
                kept.expiry.take().and_then(|timer| expiring.cancel(timer));
                *stored += 1;
                *kept = Kept::new(&message, *stored, expiring);
                (Stored::Replaced, weight_before)
            }
            Entry::Vacant(place) => {
                if !is_own && (count >= messages_max || message.weight() > room) {
                    return Stored::Full;
                }
                *own += usize::from(is_own);
                *stored += 1;
                place.insert(Kept::new(&message, *stored, expiring));
                topics.insert(message.topic().into());
                (Stored::Added, 0)
            }
        };
        *bytes = *bytes - weight_before + message.weight();
        outcome
    }

    fn remove(&mut self, topic: &str) -> Option<Message> {
        let Self { messages, topics, expiring, bytes, own, hasher, .. } = self;
        let kept = messages.find_entry(hasher.hash_one(topic), |kept| kept.message.topic() == topic).ok()?;
        let (Kept { message, expiry, .. }, _) = kept.remove();
        expiry.and_then(|timer| expiring.cancel(timer));
        topics.remove(topic);
        *bytes -= message.weight();
        *own -= usize::from(is_own(topic));
        if messages.len() < messages.capacity() / 4 {
            messages.shrink_to(messages.len() * 2, |kept| hasher.hash_one(kept.message.topic()));
        }
        Some(message)
    }

    fn find(&self, topic: &str) -> Option<&Kept> {
        self.messages.find(self.hasher.hash_one(topic), |kept| kept.message.topic() == topic)
    }

    /// Follows the filter through the topics after the cursor, until `found` is full, the topics end or others
    /// shall have their turn.
    fn search(&self, filter: &str, now: Time, cursor: &mut Cursor, full: usize, found: &mut Vec<Message>) {
        let mut target = String::new();
        let mut from = match &cursor.after {
            Some(after) => Bound::Excluded(&**after),
            None => Bound::Included(literal_start(filter)),
        };
        let mut last = None;
        for _ in 0..LOOKS_PER_LOCK {
            let Some(topic) = self.topics.range::<str, _>((from, Bound::Unbounded)).next() else {
                cursor.done = true;
                return;
            };
            last = Some(topic);
            from = match leap(filter, topic, &mut target) {
                Leap::Match => {
                    found.extend(self.find(topic).and_then(|kept| kept.given(now, cursor.until)));
                    if found.len() >= full {
                        break;
                    }
                    Bound::Excluded(topic)
                }
                Leap::Next => Bound::Excluded(topic),
                Leap::To => Bound::Included(&target),
                Leap::Done => {
                    cursor.done = true;
                    return;
                }
            };
        }
        cursor.after = last.cloned();
    }
}

impl Kept {
    /// Keeps a message and, if it expires, has it remembered for that moment.
    fn new(message: &Message, number: u64, expiring: &mut Wheel<Box<str>>) -> Self {
        let expiry = message.expires_at().map(|deadline| expiring.insert(deadline, message.topic().into()));
        Self { message: message.clone(), number, expiry }
    }

    /// The message, unless it has expired or came later than so many others.
    fn given(&self, now: Time, until: u64) -> Option<Message> {
        (self.number <= until && !self.message.is_expired(now)).then(|| self.message.clone())
    }
}

/// What every topic that matches the filter begins with: `a` for `a/+/b` and for `a/#`.
fn literal_start(filter: &str) -> &str {
    filter.find(['+', '#']).map_or(filter, |wildcard| &filter[..wildcard.saturating_sub(1)])
}
