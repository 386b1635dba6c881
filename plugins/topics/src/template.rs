//! Text with places that are filled in: `devices/%c/$1`.

/// Text in which `$1` (or `${1}`, `${name}`) stands for a group of what was matched, `$0` for the whole topic, and `%c`,
/// `%u` and `%t` for client id, principal and tenant. `$$` is a dollar sign, `%%` a percent sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Whole,
    /// Counted from 0.
    Group(usize),
    ClientId,
    Principal,
    Tenant,
}

/// The groups a template may name.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    /// How many there are.
    pub count: usize,
    /// Those that have names, and which they are, counted from 0.
    pub names: Vec<(String, usize)>,
}

/// What a template is filled in with.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The topic that was matched.
    pub topic: &'a str,
    /// What the groups matched.
    pub captures: &'a [Option<&'a str>],
    /// The publisher's client id.
    pub client_id: &'a str,
    /// The publisher's principal, where it is known.
    pub principal: Option<&'a str>,
    /// The publisher's tenant, if it has one.
    pub tenant: Option<&'a str>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// A group that is not there, or a sign that stands for nothing.
    pub fn parse(text: &str, groups: &Groups) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['$', '%']) {
            push_text(&mut pieces, &rest[..at]);
            let (piece, after) = place(&rest[at..], groups)?;
            match piece {
                Piece::Text(text) => push_text(&mut pieces, &text),
                piece => pieces.push(piece),
            }
            rest = after;
        }
        push_text(&mut pieces, rest);
        Ok(Self(pieces))
    }

    /// Whether it takes more of the publisher than its client id.
    #[must_use]
    pub fn needs_identity(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Principal | Piece::Tenant))
    }

    /// The text, filled in. What is not known is left out.
    #[must_use]
    pub fn text(&self, facts: &Facts<'_>) -> String {
        self.0.iter().map(|piece| piece.value(facts).unwrap_or_default()).collect()
    }

    /// A topic, filled in. A group that took no part takes the `/` before it with it: `new/$1` for `old/#` makes `new` of
    /// `old`. Names are single levels: one with `/`, `+` or `#` in it is not filled in.
    ///
    /// # Errors
    /// Why this makes no topic.
    pub fn topic(&self, facts: &Facts<'_>) -> Result<String, String> {
        let mut topic = String::new();
        for piece in &self.0 {
            match (piece, piece.value(facts)) {
                (Piece::Text(_) | Piece::Whole | Piece::Group(_), Some(value)) => topic.push_str(value),
                (Piece::Group(_), None) => {
                    if topic.ends_with('/') {
                        topic.pop();
                    }
                }
                (_, Some(value)) if is_level(value) => topic.push_str(value),
                (name, Some(value)) => return Err(format!("{} is {value:?}, which is no single level", name.sign())),
                (name, None) => return Err(format!("{} has no value for this client", name.sign())),
            }
        }
        check_topic(&topic).map(|()| topic)
    }
}

impl Piece {
    fn value<'a>(&'a self, facts: &Facts<'a>) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Whole => Some(facts.topic),
            Self::Group(at) => facts.captures.get(*at).copied().flatten(),
            Self::ClientId => Some(facts.client_id).filter(|name| !name.is_empty()),
            Self::Principal => facts.principal,
            Self::Tenant => facts.tenant,
        }
    }

    fn sign(&self) -> &'static str {
        match self {
            Self::ClientId => "%c",
            Self::Principal => "%u",
            Self::Tenant => "%t",
            Self::Text(_) | Self::Whole | Self::Group(_) => "$",
        }
    }
}

/// Whether this is a topic that a message may be given.
///
/// # Errors
/// What is wrong with it.
pub fn check_topic(topic: &str) -> Result<(), String> {
    if topic.is_empty() {
        return Err("a topic is not empty".to_owned());
    }
    if topic.len() > usize::from(u16::MAX) {
        return Err(format!("a topic has at most 65535 bytes, and this has {}", topic.len()));
    }
    if topic.contains(['+', '#', '\0']) {
        return Err(format!("{topic:?} is no topic: it has +, # or U+0000 in it"));
    }
    if topic == "$SYS" || topic.starts_with("$SYS/") {
        return Err(format!("{topic:?}: only the broker publishes below $SYS/"));
    }
    Ok(())
}

/// What begins with `$` or `%`, and the rest behind it.
fn place<'t>(text: &'t str, groups: &Groups) -> Result<(Piece, &'t str), String> {
    let (sign, rest) = text.split_at(1);
    let next = rest.chars().next();
    let after = next.map_or("", |next| &rest[next.len_utf8()..]);
    let literal = |sign: &str| Ok((Piece::Text(sign.to_owned()), after));
    match (sign, next) {
        ("%", Some('c')) => Ok((Piece::ClientId, after)),
        ("%", Some('u')) => Ok((Piece::Principal, after)),
        ("%", Some('t')) => Ok((Piece::Tenant, after)),
        ("%", Some('%')) => literal("%"),
        ("%", _) => Err("% is followed by c, u or t; %% is a percent sign".to_owned()),
        (_, Some('$')) => literal("$"),
        (_, Some('{')) => {
            let (name, after) = after.split_once('}').ok_or("${ without }")?;
            Ok((group(name, groups)?, after))
        }
        (_, Some(digit)) if digit.is_ascii_digit() => {
            let end = rest.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(rest.len());
            Ok((group(&rest[..end], groups)?, &rest[end..]))
        }
        _ => Err("$ is followed by the number of a group, or by its {name}; $$ is a dollar sign".to_owned()),
    }
}

fn group(name: &str, groups: &Groups) -> Result<Piece, String> {
    let numbered = name.parse::<usize>().ok().filter(|_| name.bytes().all(|digit| digit.is_ascii_digit()));
    match numbered {
        Some(0) => Ok(Piece::Whole),
        Some(number) if number <= groups.count => Ok(Piece::Group(number - 1)),
        Some(number) => Err(format!("there is no ${number}: what is matched has {} groups", groups.count)),
        None => {
            let named = groups.names.iter().find(|(known, _)| known == name);
            named.map(|(_, at)| Piece::Group(*at)).ok_or_else(|| format!("there is no group named {name:?}"))
        }
    }
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some(Piece::Text(before)) => before.push_str(text),
        _ => pieces.push(Piece::Text(text.to_owned())),
    }
}

fn is_level(value: &str) -> bool {
    !value.is_empty() && !value.contains(|sign: char| matches!(sign, '/' | '+' | '#') || sign.is_control())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;

    fn facts<'a>(captures: &'a [Option<&'a str>]) -> Facts<'a> {
        Facts { topic: "old/a", captures, client_id: "c1", principal: Some("alice"), tenant: None }
    }

    fn groups(count: usize) -> Groups {
        Groups { count, names: vec![("site".to_owned(), 0)] }
    }

    fn topic(template: &str, captures: &[Option<&str>]) -> Result<String, String> {
        Template::parse(template, &groups(captures.len())).unwrap().topic(&facts(captures))
    }

    #[test]
    fn places_are_filled_in() {
        let captures = [Some("a"), Some("b/c")];
        assert_eq!(topic("new/$2/x/$1", &captures).unwrap(), "new/b/c/x/a");
        assert_eq!(topic("${1}0/${site}", &captures).unwrap(), "a0/a");
        assert_eq!(topic("$0/by/%c/%u", &captures).unwrap(), "old/a/by/c1/alice");
        assert_eq!(topic("$$price/100%%", &captures).unwrap(), "$price/100%");
    }

    #[test]
    fn a_group_that_took_no_part_takes_its_slash_with_it() {
        assert_eq!(topic("new/$1", &[None]).unwrap(), "new");
        assert_eq!(topic("new/$1/x", &[None]).unwrap(), "new/x");
        assert_eq!(topic("new/$1", &[Some("")]).unwrap(), "new/");
    }

    #[test]
    fn what_makes_no_topic_is_refused() {
        let cases = [
            ("$1", Some(""), "not empty"),
            ("a/$1", Some("+"), "+, # or U+0000"),
            ("$1/x", Some("$SYS"), "only the broker"),
            ("a/%t", Some("x"), "%t has no value"),
        ];
        for (template, capture, expected) in cases {
            let why = topic(template, &[capture]).unwrap_err();
            assert!(why.contains(expected), "{template}: {why}");
        }
        let template = Template::parse("a/%c", &Groups::default()).unwrap();
        for client_id in ["a/b", "+", "#", "", "a\n"] {
            assert!(template.topic(&Facts { client_id, ..facts(&[]) }).is_err(), "{client_id:?}");
        }
        assert!(topic(&"x".repeat(65_536), &[]).is_err());
    }

    #[test]
    fn in_text_a_name_may_be_anything_and_what_is_unknown_is_nothing() {
        let template = Template::parse("%c %t.", &Groups::default()).unwrap();
        assert_eq!(template.text(&Facts { client_id: "a/+", ..facts(&[]) }), "a/+ .");
        assert!(template.needs_identity());
        assert!(!Template::parse("%c", &Groups::default()).unwrap().needs_identity());
    }

    #[test]
    fn a_place_for_nothing_is_refused_when_it_is_read() {
        let cases = [
            ("a/$3", "there is no $3: what is matched has 2 groups"),
            ("a/$", "$$ is a dollar sign"),
            ("a/$x", "$$ is a dollar sign"),
            ("a/${1", "${ without }"),
            ("a/${nobody}", "no group named \"nobody\""),
            ("100%", "%% is a percent sign"),
            ("%x", "%% is a percent sign"),
            ("$99999999999999999999999", "no group named"),
        ];
        for (template, expected) in cases {
            let why = Template::parse(template, &groups(2)).unwrap_err();
            assert!(why.contains(expected), "{template}: {why}");
        }
    }
}
