//! Topic filters whose wildcards are groups.

use crate::Captures;

/// A topic filter (MQTT 5, section 4.7). Each of its wildcards is a group: a `+` is the level it matches, a `#` all levels
/// that it matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    text: String,
    levels: Vec<Level>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Level {
    Text(String),
    One,
    Rest,
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.contains('\0') || text.len() > usize::from(u16::MAX) {
            return Err("a topic filter has 1 to 65535 bytes and no U+0000".to_owned());
        }
        if text.starts_with("$share/") {
            return Err("messages have topics and no share names; leave $share/NAME/ out".to_owned());
        }
        let count = text.split('/').count();
        let level = |(at, level): (usize, &str)| match level {
            "+" => Ok(Level::One),
            "#" if at + 1 == count => Ok(Level::Rest),
            _ if level.contains('#') => Err("# stands alone and as the last level".to_owned()),
            _ if level.contains('+') => Err("+ stands alone in its level".to_owned()),
            _ => Ok(Level::Text(level.to_owned())),
        };
        let levels = text.split('/').enumerate().map(level).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), levels })
    }

    /// The filter as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How many groups it has.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.levels.iter().filter(|level| !matches!(level, Level::Text(_))).count()
    }

    /// What its groups match in this topic; `None` where the filter does not match.
    #[must_use]
    pub fn captures<'t>(&self, topic: &'t str) -> Option<Captures<'t>> {
        // Topics that begin with `$` are for filters that do [MQTT-4.7.2-1].
        if topic.starts_with('$') && !matches!(self.levels.first(), Some(Level::Text(_))) {
            return None;
        }
        let mut captures = Vec::with_capacity(self.groups());
        let mut rest = Some(topic);
        for level in &self.levels {
            if *level == Level::Rest {
                captures.push(rest);
                return Some(captures);
            }
            let (name, after) = match rest?.split_once('/') {
                Some((name, after)) => (name, Some(after)),
                None => (rest?, None),
            };
            match level {
                Level::Text(text) if text != name => return None,
                Level::One => captures.push(Some(name)),
                Level::Text(_) | Level::Rest => {}
            }
            rest = after;
        }
        rest.is_none().then_some(captures)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;

    fn captures<'t>(filter: &str, topic: &'t str) -> Option<Captures<'t>> {
        Filter::parse(filter).unwrap().captures(topic)
    }

    #[test]
    fn wildcards_remember_what_they_matched() {
        assert_eq!(captures("a/+/c/#", "a/b/c/d/e"), Some(vec![Some("b"), Some("d/e")]));
        assert_eq!(captures("+/+", "/b"), Some(vec![Some(""), Some("b")]));
        assert_eq!(captures("#", "a/b"), Some(vec![Some("a/b")]));
        assert_eq!(captures("a/b", "a/b"), Some(vec![]));
    }

    #[test]
    fn a_hash_matches_its_parent_and_then_has_nothing() {
        assert_eq!(captures("a/#", "a"), Some(vec![None]));
        assert_eq!(captures("a/#", "a/"), Some(vec![Some("")]));
    }

    #[test]
    fn other_topics_do_not_match() {
        for (filter, topic) in
            [("a/+", "a"), ("a/+", "a/b/c"), ("a/b", "a"), ("a", "a/"), ("a", "b"), ("#", "$SYS/x"), ("+/x", "$SYS/x")]
        {
            assert_eq!(captures(filter, topic), None, "{filter} {topic}");
        }
        assert!(captures("$SYS/#", "$SYS/x").is_some());
    }

    #[test]
    fn what_is_no_filter_is_refused_with_what_is_wrong() {
        let cases = [
            ("", "1 to 65535 bytes"),
            ("a\0", "no U+0000"),
            ("a/#/b", "# stands alone"),
            ("a#", "# stands alone"),
            ("a+/b", "+ stands alone"),
            ("$share/g/a", "leave $share/NAME/ out"),
        ];
        for (text, expected) in cases {
            let why = Filter::parse(text).unwrap_err();
            assert!(why.contains(expected), "{text}: {why}");
        }
    }
}
