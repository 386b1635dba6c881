//! JSON Schema, draft 2020-12: the part of it that README.md lists, and nothing that would be ignored in silence.
//!
//! Why it is written here: the validators there are for Rust need randomness from the operating system, which a component
//! does not have, and bring along tables for internationalized host names and Unicode classes.

mod check;
mod compile;
mod number;

use std::fmt;

use regex_lite::Regex;
use serde_json::Value;

use number::Number;

/// A schema that was understood. Its nodes refer to each other by their places.
#[derive(Debug)]
pub(crate) struct JsonSchema {
    nodes: Vec<Node>,
}

/// The place of a schema in [`JsonSchema::nodes`].
type Place = usize;

/// One schema: what must be so, all of it.
#[derive(Debug, Default)]
struct Node {
    rules: Vec<Rule>,
}

/// One keyword with what it says.
#[derive(Debug)]
enum Rule {
    /// The schema `false`.
    Never,
    Type(Vec<Type>),
    Enum(Vec<Value>),
    Const(Value),
    Number(Bound, Number),
    MultipleOf(Number),
    Length {
        min: u64,
        max: u64,
    },
    Pattern(Box<Regex>),
    Items {
        prefix: Vec<Place>,
        rest: Option<Place>,
    },
    ItemCount {
        min: u64,
        max: u64,
    },
    Unique,
    Contains {
        place: Place,
        min: u64,
        max: u64,
    },
    Properties(Box<Properties>),
    PropertyCount {
        min: u64,
        max: u64,
    },
    PropertyNames(Place),
    Required(Vec<String>),
    DependentRequired(Vec<(String, Vec<String>)>),
    DependentSchemas(Vec<(String, Place)>),
    AllOf(Vec<Place>),
    AnyOf(Vec<Place>),
    OneOf(Vec<Place>),
    Not(Place),
    If {
        condition: Place,
        then: Option<Place>,
        otherwise: Option<Place>,
    },
    Ref(Place),
}

#[derive(Debug)]
struct Properties {
    named: Vec<(String, Place)>,
    patterns: Vec<(Regex, Place)>,
    additional: Option<Place>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Null,
    Boolean,
    Object,
    Array,
    Number,
    Integer,
    String,
}

/// How a number may lie to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    Minimum,
    Maximum,
    ExclusiveMinimum,
    ExclusiveMaximum,
}

impl JsonSchema {
    /// Reads a schema from a file's text.
    ///
    /// # Errors
    /// Where in it something is wrong, and what.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let schema: Value = serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))?;
        Self::of(&schema)
    }

    /// Understands a schema.
    ///
    /// # Errors
    /// Where in it something is wrong, as a JSON pointer, and what.
    pub(crate) fn of(schema: &Value) -> Result<Self, String> {
        compile::compile(schema).map(|nodes| Self { nodes })
    }

    /// Checks a payload.
    ///
    /// # Errors
    /// The JSON pointer to what is wrong in it, and the keyword that says so.
    pub(crate) fn check(&self, payload: &[u8]) -> Result<(), String> {
        let value: Value =
            serde_json::from_slice(payload).map_err(|error| format!("the payload is no JSON: {error}"))?;
        check::check(&self.nodes, &value).map_err(|failure| failure.to_string())
    }
}

/// What a value breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Failure {
    /// JSON pointer (RFC 6901) to the value.
    pointer: String,
    keyword: &'static str,
    /// What it asks for; "" where the keyword says it all.
    what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pointer, keyword, what } = self;
        match pointer.as_str() {
            "" => write!(f, "the payload breaks {keyword}")?,
            pointer => write!(f, "{pointer} breaks {keyword}")?,
        }
        if what.is_empty() { Ok(()) } else { write!(f, ": {what}") }
    }
}

/// The pointer one step further.
fn deeper(pointer: &str, step: &str) -> String {
    format!("{pointer}/{}", step.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests;
