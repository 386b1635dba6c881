//! What an input should be, in words.

use serde_json::Value;
use wasmtime::component::types::Type;

use crate::alone::{connect, people};

/// What a value of this type is written as.
pub(super) fn words(ty: &Type) -> String {
    match ty {
        Type::Bool => "true or false".to_owned(),
        Type::U8 => "a number from 0 to 255".to_owned(),
        Type::U16 => "a number from 0 to 65535".to_owned(),
        Type::U32 => "a number from 0 to 4294967295".to_owned(),
        Type::U64 => "a number from 0 on".to_owned(),
        Type::S8 | Type::S16 | Type::S32 | Type::S64 => "a whole number".to_owned(),
        Type::Float32 | Type::Float64 => "a number".to_owned(),
        Type::Char => "one character".to_owned(),
        Type::String => "text".to_owned(),
        Type::List(of) => list("", &of.ty()),
        Type::Record(record) => {
            let names: Vec<&str> = record.fields().map(|field| field.name).collect();
            format!("an object with {}", names.join(", "))
        }
        Type::Tuple(tuple) => {
            let parts: Vec<String> = tuple.types().map(|ty| words(&ty)).collect();
            format!("a list of {}", parts.join(" and "))
        }
        Type::Enum(cases) => format!("one of {}", cases.names().collect::<Vec<_>>().join(", ")),
        Type::Variant(variant) => {
            let case = |name: &str, has: bool| if has { format!("{{{name:?}: …}}") } else { format!("{name:?}") };
            let cases: Vec<String> = variant.cases().map(|known| case(known.name, known.ty.is_some())).collect();
            format!("one of {}", cases.join(", "))
        }
        Type::Option(option) => format!("{}, or nothing", words(&option.ty())),
        Type::Flags(flags) => format!("a list of {}", flags.names().collect::<Vec<_>>().join(", ")),
        _ => "something that cannot be written in JSON".to_owned(),
    }
}

/// The same, for a field of this name.
pub(super) fn words_of(name: &str, ty: &Type) -> String {
    match ty {
        Type::U64 if name == "who" => WHO.to_owned(),
        Type::Enum(_) if name.ends_with("qos") => format!("{}, or 0, 1, 2", words(ty)),
        _ => words(ty),
    }
}

/// What a list is written as.
pub(super) fn list(_name: &str, item: &Type) -> String {
    match item {
        Type::U8 => "text, {\"base64\": \"…\"}, or a list of numbers from 0 to 255".to_owned(),
        Type::Tuple(_) => "an object of texts, or a list of pairs of texts".to_owned(),
        Type::Record(_) => format!("a list of objects, each {}", words(item)),
        other => format!("a list, each item {}", words(other)),
    }
}

/// The names that may be written in an object with these fields: theirs, and those of what may be left out.
pub(super) fn fields(fields: &[(&str, Type)]) -> Vec<String> {
    let mut names = Vec::new();
    for (name, ty) in fields {
        names.push((*name).to_owned());
        below(name, ty, &mut names);
    }
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

fn below(name: &str, ty: &Type, names: &mut Vec<String>) {
    let mut add = |keys: &[&str]| names.extend(keys.iter().map(|key| (*key).to_owned()));
    match ty {
        Type::U64 if name == "who" => add(&people::KEYS),
        Type::Borrow(_) | Type::Own(_) => add(&connect::KEYS),
        Type::Record(record) => {
            for field in record.fields() {
                names.push(field.name.to_owned());
                below(field.name, &field.ty, names);
            }
        }
        Type::List(of) if matches!(of.ty(), Type::Record(_)) => below(name, &of.ty(), names),
        _ => {}
    }
}

/// What was found, cut to a length that a terminal bears.
pub(super) fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

pub(super) const WHO: &str = "an identity: an object, the principal's name, or a number";
const SHOWN_MAX: usize = 80;
