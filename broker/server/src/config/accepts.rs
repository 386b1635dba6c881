//! What a key accepts: judged on the parsed file, so that every message can name file, line, value and range.

use std::net::SocketAddr;

use toml::de::DeValue;

use super::units::{parse_size, size_text};

/// The values of one key.
#[derive(Debug, Clone, Copy)]
pub(super) enum Accepts {
    /// `true` or `false`.
    Flag,
    /// An integer from, to.
    Integer(u64, u64),
    /// A size from, to; an integer is bytes.
    Size(u64, u64),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of at least one of these words.
    Words(&'static [&'static str]),
    /// A table from names of a form (whether they have it, and the form in words) to these words.
    WordByName(fn(&str) -> bool, &'static str, &'static [&'static str]),
    /// A text of a form: whether it has it, and the form in words.
    Text(fn(&str) -> bool, &'static str),
    /// A list of texts of a form.
    Texts(fn(&str) -> bool, &'static str),
    /// An IP address and a port.
    Address,
    /// A table that its reader checks.
    Table,
}

impl Accepts {
    /// Whether this is such a value.
    pub(super) fn admits(self, value: &DeValue<'_>) -> bool {
        match self {
            Self::Flag => value.is_bool(),
            Self::Integer(from, to) => integer(value).is_some_and(|number| (from..=to).contains(&number)),
            Self::Size(from, to) => {
                let bytes = integer(value).or_else(|| value.as_str().and_then(parse_size));
                bytes.is_some_and(|bytes| (from..=to).contains(&bytes))
            }
            Self::Word(words) => value.as_str().is_some_and(|word| words.contains(&word)),
            Self::Words(words) => {
                texts(value).is_some_and(|list| !list.is_empty() && list.iter().all(|word| words.contains(word)))
            }
            Self::WordByName(is, _, words) => value.as_table().is_some_and(|table| {
                let word = |value: &DeValue<'_>| value.as_str().is_some_and(|word| words.contains(&word));
                table.iter().all(|(name, value)| is(name.get_ref()) && word(value.get_ref()))
            }),
            Self::Text(is, _) => value.as_str().is_some_and(is),
            Self::Texts(is, _) => texts(value).is_some_and(|list| list.iter().all(|text| is(text))),
            Self::Address => value.as_str().is_some_and(|text| text.parse::<SocketAddr>().is_ok()),
            Self::Table => value.is_table(),
        }
    }

    /// What is accepted, in words that follow "expected".
    pub(super) fn words(self) -> String {
        match self {
            Self::Flag => "true or false".into(),
            Self::Integer(from, to) => format!("an integer from {from} to {to}"),
            Self::Size(from, to) => {
                format!("a size from \"{}\" to \"{}\", such as \"64KiB\" or \"1MiB\"", size_text(from), size_text(to))
            }
            Self::Word(words) => one_of(words),
            Self::Words(words) => format!("a list of {}", one_of(words)),
            Self::WordByName(_, form, words) => format!("a table from {form} to {}", one_of(words)),
            Self::Text(_, form) => form.into(),
            Self::Texts(_, form) => format!("a list, each {form}"),
            Self::Address => "an IP address and a port, such as \"127.0.0.1:1883\" or \"[::]:1883\"".into(),
            Self::Table => "a table".into(),
        }
    }
}

fn integer(value: &DeValue<'_>) -> Option<u64> {
    let integer = value.as_integer()?;
    u64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn texts<'a>(value: &'a DeValue<'_>) -> Option<Vec<&'a str>> {
    value.as_array()?.iter().map(|item| item.get_ref().as_str()).collect()
}

fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.join(""),
    }
}
