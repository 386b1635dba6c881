//! The language of the rules file: what mosquitto's `acl_file` understands, read with the same meaning.
//!
//! ```text
//! # before any user: for everybody
//! topic read news/#
//! # what follows is for alice only
//! user alice
//! topic readwrite alice/#
//! topic deny alice/secret
//! # for everybody, wherever it stands; %c, %u and %t are filled in
//! pattern write devices/%c/up
//! ```

use std::collections::BTreeMap;

use midge_plugin_sdk::files::lines;
use midge_plugin_sdk::{Actions, Effect, Permission};

/// The rules of a file, by whom they are for.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    everybody: Vec<Permission>,
    patterns: Vec<Permission>,
    users: BTreeMap<String, Vec<Permission>>,
}

impl Rules {
    /// Reads a whole file.
    ///
    /// # Errors
    /// Every line that is not understood, each with its number and what would be.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut rules = Self::default();
        let mut user = None;
        lines(text, |line| {
            match Line::parse(line)? {
                Line::User(name) => {
                    rules.users.entry(name.to_owned()).or_default();
                    user = Some(name);
                }
                Line::Topic(rule) => match user {
                    Some(name) => rules.users.entry(name.to_owned()).or_default().push(rule),
                    None => rules.everybody.push(rule),
                },
                Line::Pattern(rule) => rules.patterns.push(rule),
            }
            Ok(())
        })?;
        Ok(rules)
    }

    /// The rules for one principal. Prohibitions stand first, so no order of lines can undo them.
    pub(crate) fn of(&self, principal: &str) -> Vec<Permission> {
        let own = self.users.get(principal).map_or(&[][..], Vec::as_slice);
        let all = || own.iter().chain(&self.everybody).chain(&self.patterns);
        all().filter(|rule| is_denial(rule)).chain(all().filter(|rule| !is_denial(rule))).cloned().collect()
    }
}

fn is_denial(rule: &Permission) -> bool {
    rule.effect == Effect::Deny
}

/// What one line says.
enum Line<'a> {
    User(&'a str),
    Topic(Permission),
    Pattern(Permission),
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Result<Self, String> {
        let (keyword, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim_start();
        match keyword {
            _ if rest.is_empty() && ["user", "topic", "pattern"].contains(&keyword) => {
                Err(format!("`{keyword}` says nothing more"))
            }
            "user" => Ok(Self::User(rest)),
            "topic" => rule(rest, Placeholders::Literal).map(Self::Topic),
            "pattern" => rule(rest, Placeholders::Filled).map(Self::Pattern),
            other => Err(format!("`{other}` is not known; a line starts with user, topic or pattern")),
        }
    }
}

/// Whether `%c`, `%u` and `%t` mean something in a rule.
#[derive(Clone, Copy, PartialEq)]
enum Placeholders {
    Literal,
    Filled,
}

/// `[read|write|readwrite|deny] FILTER`; without a word it is `readwrite`. A filter may have spaces in it.
fn rule(text: &str, placeholders: Placeholders) -> Result<Permission, String> {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim_start();
    let make = |filter: &str, rule: fn(Actions, String) -> Permission, actions: Actions| {
        check(filter, placeholders).map(|()| rule(actions, filter.to_owned()))
    };
    match word {
        "read" if !rest.is_empty() => make(rest, Permission::allow, Actions::SUBSCRIBE),
        "write" if !rest.is_empty() => make(rest, Permission::allow, Actions::PUBLISH),
        "readwrite" if !rest.is_empty() => make(rest, Permission::allow, Actions::both()),
        "deny" if !rest.is_empty() => make(rest, Permission::deny, Actions::both()),
        _ if rest.is_empty() || text.contains('/') => make(text, Permission::allow, Actions::both()),
        other => Err(format!("`{other}` is not known; before the filter stands read, write, readwrite or deny")),
    }
}

/// Refuses what is no topic filter, and a placeholder that would be taken for one although it is none.
fn check(filter: &str, placeholders: Placeholders) -> Result<(), String> {
    let levels: Vec<&str> = filter.split('/').collect();
    let last = levels.len() - 1;
    for (place, level) in levels.iter().enumerate() {
        if level.contains('#') && (*level != "#" || place != last) {
            return Err(format!("`{filter}`: # stands alone and as the last level"));
        }
        if level.contains('+') && *level != "+" {
            return Err(format!("`{filter}`: + stands alone in its level"));
        }
    }
    if filter.contains('\0') || filter.len() > usize::from(u16::MAX) {
        return Err("a topic filter has no U+0000 and at most 65535 bytes".to_owned());
    }
    let has_placeholder = ["%c", "%u", "%t"].iter().any(|placeholder| filter.contains(placeholder));
    if has_placeholder && placeholders == Placeholders::Literal {
        return Err(format!("`{filter}`: %c, %u and %t are filled in by `pattern`, not by `topic`"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;

    fn of(text: &str, principal: &str) -> Vec<(Effect, Actions, String)> {
        let rules = Rules::parse(text).unwrap().of(principal);
        rules.into_iter().map(|rule| (rule.effect, rule.actions, rule.topic_filter)).collect()
    }

    fn refused(text: &str) -> String {
        Rules::parse(text).unwrap_err()
    }

    #[test]
    fn topics_before_any_user_are_for_everybody_and_others_for_their_user() {
        let text = "topic read news/#\nuser alice\ntopic alice/#\nuser bob\ntopic write bob/up";
        let news = (Effect::Allow, Actions::SUBSCRIBE, "news/#".to_owned());
        assert_eq!(of(text, "carol"), std::slice::from_ref(&news));
        assert_eq!(of(text, "alice"), [(Effect::Allow, Actions::both(), "alice/#".to_owned()), news.clone()]);
        assert_eq!(of(text, "bob"), [(Effect::Allow, Actions::PUBLISH, "bob/up".to_owned()), news]);
    }

    #[test]
    fn a_user_may_appear_twice() {
        assert_eq!(of("user a\ntopic x\nuser b\nuser a\ntopic y", "a").len(), 2);
    }

    #[test]
    fn a_pattern_is_for_everybody_even_under_a_user() {
        let text = "user alice\npattern readwrite %u/%c/#";
        assert_eq!(of(text, "bob"), [(Effect::Allow, Actions::both(), "%u/%c/#".to_owned())]);
    }

    #[test]
    fn prohibitions_come_first_wherever_they_stand() {
        let rules = of("topic readwrite #\ntopic deny secret/#\nuser a\ntopic read a\ntopic deny a/b", "a");
        let effects: Vec<Effect> = rules.iter().map(|rule| rule.0).collect();
        assert_eq!(effects, [Effect::Deny, Effect::Deny, Effect::Allow, Effect::Allow]);
    }

    #[test]
    fn filters_may_have_spaces_and_comments_are_skipped() {
        let text = "  # a comment\r\n\r\ntopic read the living room/#\r\ntopic living room/lamp";
        let filters: Vec<String> = of(text, "a").into_iter().map(|rule| rule.2).collect();
        assert_eq!(filters, ["the living room/#", "living room/lamp"]);
    }

    #[test]
    fn every_line_that_is_wrong_is_named_with_its_number() {
        let said = refused("topic read a/#/b\nuser\nallow x\ntopic reed x\ntopic a+\ntopic write %u/x");
        for part in [
            "line 1: `a/#/b`: #",
            "line 2: `user` says nothing more",
            "line 3: `allow` is not known",
            "line 4: `reed` is not known",
            "line 5: `a+`: +",
            "line 6: `%u/x`: %c",
        ] {
            assert!(said.contains(part), "{part:?} is not in {said:?}");
        }
    }
}
