//! Topic Names and Topic Filters (4.7), shared subscriptions (4.8).

use crate::TopicError;

/// A checked Topic Name: at least one character, no wildcard, no U+0000, at most 65,535 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicName<'a>(&'a str);

impl<'a> TopicName<'a> {
    /// Checks `text`.
    ///
    /// # Errors
    /// [`TopicError`] says which rule it breaks.
    pub fn new(text: &'a str) -> Result<Self, TopicError> {
        check_text(text)?;
        if has_wildcard(text) {
            return Err(TopicError::Wildcard);
        }
        Ok(Self(text))
    }

    /// The text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// Its levels; there is at least one, and each may be empty.
    pub fn levels(self) -> impl Iterator<Item = &'a str> {
        self.0.split('/')
    }
}

/// A checked Topic Filter: a Topic Name that may have wildcards, each alone in its level and `#` only in the last; or
/// a shared subscription around one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicFilter<'a>(&'a str);

impl<'a> TopicFilter<'a> {
    /// Checks `text`, `$share/NAME/` in front of it included.
    ///
    /// # Errors
    /// [`TopicError`] says which rule it breaks.
    pub fn new(text: &'a str) -> Result<Self, TopicError> {
        check_text(text)?;
        if let Some(shared) = text.strip_prefix(SHARE) {
            let (name, filter) = shared.split_once('/').ok_or(TopicError::Share)?;
            let is_nested = filter.starts_with(SHARE);
            if name.is_empty() || filter.is_empty() || is_nested || has_wildcard(name) {
                return Err(TopicError::Share);
            }
            check_wildcards(filter)?;
        } else {
            check_wildcards(text)?;
        }
        Ok(Self(text))
    }

    /// The text, `$share/NAME/` included.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// ShareName and inner filter of a shared subscription; none for an ordinary filter.
    #[must_use]
    pub fn share(self) -> Option<(&'a str, Self)> {
        let (name, filter) = self.0.strip_prefix(SHARE)?.split_once('/')?;
        Some((name, Self(filter)))
    }

    /// Whether it has a wildcard, so that it can match more than one topic.
    #[must_use]
    pub fn has_wildcard(self) -> bool {
        has_wildcard(self.0)
    }

    /// Its levels, wildcards among them; those of a shared subscription begin with `$share` and its name.
    pub fn levels(self) -> impl Iterator<Item = &'a str> {
        self.0.split('/')
    }

    /// Whether messages to `topic` are for it; of a shared subscription, for its group. A wildcard in the first level
    /// does not match topics that begin with `$` [MQTT-4.7.2-1].
    #[must_use]
    pub fn matches(self, topic: TopicName<'_>) -> bool {
        covers(self.inner(), topic.as_str())
    }

    /// Whether every topic that `other` matches is matched by this filter too. It makes no difference whether either is
    /// shared.
    #[must_use]
    pub fn contains(self, other: TopicFilter<'_>) -> bool {
        covers(self.inner(), other.inner())
    }

    /// Whether there can be a topic that both match. It makes no difference whether either is shared.
    #[must_use]
    pub fn overlaps(self, other: TopicFilter<'_>) -> bool {
        let (ours, theirs) = (self.inner(), other.inner());
        if hides_dollar(ours, theirs) || hides_dollar(theirs, ours) {
            return false;
        }
        let (mut ours, mut theirs) = (ours.split('/'), theirs.split('/'));
        loop {
            match (ours.next(), theirs.next()) {
                (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
                (Some("+"), Some(_)) | (Some(_), Some("+")) => {}
                (Some(our), Some(their)) if our == their => {}
                _ => return false,
            }
        }
    }

    /// What is behind `$share/NAME/`.
    fn inner(self) -> &'a str {
        self.share().map_or(self.0, |(_, inner)| inner.0)
    }
}

/// Whether `filter` matches everything `other` does, a Topic Name or a Topic Filter: level by level a wildcard covers
/// wildcards of equal or smaller reach, and every ordinary level.
fn covers(filter: &str, other: &str) -> bool {
    if hides_dollar(filter, other) {
        return false;
    }
    // Every topic has a first level, so this is the one place where "+" before "#" asks for nothing more than "#".
    if other == "#" {
        return filter == "#" || filter == "+/#";
    }
    let (mut ours, mut theirs) = (filter.split('/'), other.split('/'));
    loop {
        match (ours.next(), theirs.next()) {
            // "#" matches the parent level too: "sport/#" covers "sport".
            (Some("#"), _) | (None, None) => return true,
            (Some(_), Some("#")) => return false,
            (Some("+"), Some(_)) => {}
            (Some(our), Some(their)) if our == their => {}
            _ => return false,
        }
    }
}

/// Whether `filter` begins with a wildcard and `topic` with `$`, which keeps them apart.
fn hides_dollar(filter: &str, topic: &str) -> bool {
    topic.starts_with('$') && filter.starts_with(WILDCARDS)
}

fn check_text(text: &str) -> Result<(), TopicError> {
    if text.is_empty() {
        Err(TopicError::Empty)
    } else if text.len() > usize::from(u16::MAX) {
        Err(TopicError::TooLong)
    } else if text.as_bytes().contains(&0) {
        Err(TopicError::Null)
    } else {
        Ok(())
    }
}

fn check_wildcards(filter: &str) -> Result<(), TopicError> {
    if are_wildcards_right(filter) { Ok(()) } else { Err(TopicError::Wildcard) }
}

/// Whether each wildcard has a level of its own, and `#` the last one [MQTT-4.7.1-1], [MQTT-4.7.1-2].
pub(crate) fn are_wildcards_right(filter: &str) -> bool {
    let mut levels = filter.split('/');
    while let Some(level) = levels.next() {
        let misplaced = match level {
            "#" => levels.next().is_some(),
            "+" => false,
            _ => has_wildcard(level),
        };
        if misplaced {
            return false;
        }
    }
    true
}

#[inline]
fn has_wildcard(text: &str) -> bool {
    text.bytes().any(|byte| byte == b'+' || byte == b'#')
}

const SHARE: &str = "$share/";
const WILDCARDS: [char; 2] = ['+', '#'];

#[cfg(test)]
mod tests;
