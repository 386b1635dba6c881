//! From JSON to what a function takes, led by the types of the component.
//!
//! A parameter, or a field of a record, may be left out and its own fields written in its place: `{"username": "alice"}` is
//! `{"credentials": {"username": "alice"}}`. A list of one may be written as that one.

mod words;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};
use wasmtime::component::Val;
use wasmtime::component::types::{ComponentFunc, Type};

use self::words::{shown, words};
use super::people::{self, People};
use super::{connect, people::named};
use crate::plugin::Argument;

/// What is wrong with an input: where, what would be right, and what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputError {
    /// The field, `batch[0].message.qos`; empty for the whole.
    pub at: String,
    /// What would be right, in words.
    pub expected: String,
    /// What is there; none if nothing is.
    pub found: Option<String>,
}

impl InputError {
    pub(super) fn new(at: &str, expected: impl Into<String>, found: &Value) -> Self {
        Self { at: at.to_owned(), expected: expected.into(), found: Some(shown(found)) }
    }

    pub(super) fn unknown<'a>(at: &str, key: &str, known: impl Iterator<Item = &'a str>) -> Self {
        let known = known.collect::<Vec<_>>().join(", ");
        let expected = if known.is_empty() { "nothing".to_owned() } else { format!("one of the fields {known}") };
        Self { at: at.to_owned(), expected, found: Some(format!("{key:?}")) }
    }

    fn missing(at: &str, ty: &Type) -> Self {
        Self { at: at.to_owned(), expected: words(ty), found: None }
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, expected, found } = self;
        match found {
            None => write!(f, "{at} is missing: {expected}"),
            Some(found) if at.is_empty() => write!(f, "expected {expected}, found {found}"),
            Some(found) => write!(f, "{at}: expected {expected}, found {found}"),
        }
    }
}

impl std::error::Error for InputError {}

/// Reads one input.
pub(super) struct Reader<'a> {
    pub(super) people: &'a mut People,
    pub(super) now_ms: u64,
    pub(super) shows_password: bool,
    pub(super) shows_payload: bool,
    /// The client id of the identity that was read last.
    pub(super) client_id: Option<String>,
    /// The place in the list that is being read.
    pub(super) index: u64,
}

impl Reader<'_> {
    /// The arguments in the function's order, and the length of the list of questions among them, if there is one.
    pub(super) fn arguments(
        &mut self,
        ty: &ComponentFunc,
        input: &Value,
    ) -> Result<(Vec<Argument>, Option<usize>), InputError> {
        let parameters: Vec<(&str, Type)> = ty.params().collect();
        let mut given = self.distribute("", &parameters, &spread(&parameters, input)?)?;
        if let (Some(("id", Type::U64)), true) = (parameters.first().cloned(), parameters.iter().any(is_record_of_who))
        {
            // The number and the facts of one identity.
            let facts = given.remove("who").unwrap_or_else(|| json!({}));
            let facts = facts.as_object().ok_or_else(|| InputError::new("who", "an object", &facts))?;
            let identity = self.people.who("who", facts)?;
            given.insert("id".to_owned(), json!(identity.id()));
            given.insert("who".to_owned(), people::record(&identity));
        }
        let mut batch = None;
        let mut arguments = Vec::with_capacity(parameters.len());
        for (name, ty) in &parameters {
            let value = given.get(*name);
            if matches!(ty, Type::Borrow(_) | Type::Own(_)) {
                arguments.push(Argument::Connect(Arc::new(connect::facts(name, value)?)));
                continue;
            }
            let value = match value {
                Some(value) => self.value(name, name, ty, value)?,
                None => self.default(name, name, ty)?,
            };
            if let (Type::List(list), Val::List(items)) = (ty, &value)
                && matches!(list.ty(), Type::Record(_) | Type::String)
            {
                batch = Some(items.len());
            }
            arguments.push(Argument::Value(value));
        }
        Ok((arguments, batch))
    }

    /// Gives each key to the field of its name, or to the one whose own fields have it.
    fn distribute(
        &self,
        at: &str,
        fields: &[(&str, Type)],
        object: &Map<String, Value>,
    ) -> Result<BTreeMap<String, Value>, InputError> {
        let mut given = BTreeMap::new();
        let mut lent: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
        for (key, value) in object {
            let key = key.replace('_', "-");
            if fields.iter().any(|(name, _)| *name == key) {
                given.insert(key, value.clone());
                continue;
            }
            let mut takers = fields.iter().filter(|(name, ty)| takes(name, ty, &key));
            let Some((taker, _)) = takers.find(|(name, _)| !object.contains_key(*name)) else {
                return Err(InputError::unknown(at, &key, words::fields(fields).iter().map(String::as_str)));
            };
            lent.entry((*taker).to_owned()).or_default().insert(key, value.clone());
        }
        // Whoever published is the client that is named beside it.
        if let (true, Some(id)) = (fields.iter().any(is_number_of_who), given.get("client-id")) {
            lent.entry("who".to_owned()).or_default().entry("client-id").or_insert_with(|| id.clone());
        }
        for (name, object) in lent {
            given.entry(name).or_insert(Value::Object(object));
        }
        Ok(given)
    }

    fn value(&mut self, at: &str, name: &str, ty: &Type, value: &Value) -> Result<Val, InputError> {
        let wrong = || InputError::new(at, words::words_of(name, ty), value);
        let whole = || value.as_i64().ok_or_else(wrong);
        Ok(match ty {
            Type::U64 if name == "who" => return self.who(at, value),
            Type::Bool => Val::Bool(value.as_bool().ok_or_else(wrong)?),
            Type::S8 => Val::S8(whole()?.try_into().map_err(|_| wrong())?),
            Type::U8 => Val::U8(whole()?.try_into().map_err(|_| wrong())?),
            Type::S16 => Val::S16(whole()?.try_into().map_err(|_| wrong())?),
            Type::U16 => Val::U16(whole()?.try_into().map_err(|_| wrong())?),
            Type::S32 => Val::S32(whole()?.try_into().map_err(|_| wrong())?),
            Type::U32 => Val::U32(whole()?.try_into().map_err(|_| wrong())?),
            Type::S64 => Val::S64(whole()?),
            Type::U64 => Val::U64(value.as_u64().ok_or_else(wrong)?),
            Type::Float32 => Val::Float32(value.as_f64().ok_or_else(wrong)? as f32),
            Type::Float64 => Val::Float64(value.as_f64().ok_or_else(wrong)?),
            Type::Char => Val::Char(value.as_str().and_then(one_char).ok_or_else(wrong)?),
            Type::String => Val::String(value.as_str().ok_or_else(wrong)?.to_owned()),
            Type::Option(_) if value.is_null() || (name == "password" && !self.shows_password) => Val::Option(None),
            Type::Option(option) => Val::Option(Some(Box::new(self.value(at, name, &option.ty(), value)?))),
            Type::List(list) => self.list(at, name, &list.ty(), value)?,
            Type::Record(record) => {
                let fields: Vec<(&str, Type)> = record.fields().map(|field| (field.name, field.ty)).collect();
                return self.record(at, &fields, value.as_object().ok_or_else(wrong)?);
            }
            Type::Tuple(tuple) => {
                let (types, items) = (tuple.types(), value.as_array().ok_or_else(wrong)?);
                if types.len() != items.len() {
                    return Err(wrong());
                }
                let items = types.zip(items).map(|(ty, item)| self.value(at, name, &ty, item));
                Val::Tuple(items.collect::<Result<_, _>>()?)
            }
            Type::Enum(cases) => {
                let case = match (value.as_str(), value.as_u64()) {
                    (Some(text), _) => cases.names().find(|case| *case == text),
                    (_, Some(number)) if name.ends_with("qos") => {
                        cases.names().nth(usize::try_from(number).unwrap_or(99))
                    }
                    _ => None,
                };
                Val::Enum(case.ok_or_else(wrong)?.to_owned())
            }
            Type::Variant(variant) => {
                let (case, payload) = one_case(value).ok_or_else(wrong)?;
                let known = variant.cases().find(|known| known.name == case).ok_or_else(wrong)?;
                let payload = match (known.ty, payload) {
                    (Some(ty), Some(payload)) => {
                        Some(Box::new(self.value(&format!("{at}.{case}"), case, &ty, payload)?))
                    }
                    (None, None | Some(Value::Null)) => None,
                    _ => return Err(wrong()),
                };
                Val::Variant(case.to_owned(), payload)
            }
            Type::Flags(flags) => {
                let names = value.as_array().ok_or_else(wrong)?.iter();
                let known = |value: &Value| {
                    value.as_str().filter(|name| flags.names().any(|flag| flag == *name)).map(str::to_owned)
                };
                Val::Flags(names.map(known).collect::<Option<_>>().ok_or_else(wrong)?)
            }
            _ => return Err(wrong()),
        })
    }

    /// The number of an identity: of one that is described, of one that is named by its principal, or as it is.
    fn who(&mut self, at: &str, value: &Value) -> Result<Val, InputError> {
        let identity = match value {
            Value::Number(number) if number.is_u64() => return Ok(Val::U64(number.as_u64().unwrap_or_default())),
            Value::String(principal) => self.people.who(at, &named(principal))?,
            Value::Object(facts) => self.people.who(at, &normal(facts))?,
            other => return Err(InputError::new(at, words::WHO, other)),
        };
        self.client_id = Some(identity.client_id.to_string());
        Ok(Val::U64(identity.id()))
    }

    fn list(&mut self, at: &str, name: &str, item: &Type, value: &Value) -> Result<Val, InputError> {
        let wrong = || InputError::new(at, words::list(name, item), value);
        if *item == Type::U8 {
            if name == "payload" && !self.shows_payload {
                return Ok(Val::List(Vec::new()));
            }
            let bytes = bytes(value).ok_or_else(wrong)?;
            return Ok(Val::List(bytes.into_iter().map(Val::U8).collect()));
        }
        let is_pair = |tuple: &wasmtime::component::types::Tuple| tuple.types().all(|ty| ty == Type::String);
        let items: Vec<Value> = match (value, item) {
            (Value::Array(items), _) => items.clone(),
            (Value::Object(table), Type::Tuple(tuple)) if is_pair(tuple) => {
                table.iter().map(|(name, value)| json!([name, value])).collect()
            }
            (Value::Object(_), Type::Record(_)) | (Value::String(_), Type::String) => vec![value.clone()],
            _ => return Err(wrong()),
        };
        let mut values = Vec::with_capacity(items.len());
        for (index, value) in items.iter().enumerate() {
            self.index = index as u64;
            values.push(self.value(&format!("{at}[{index}]"), name, item, value)?);
        }
        Ok(Val::List(values))
    }

    fn record(&mut self, at: &str, fields: &[(&str, Type)], object: &Map<String, Value>) -> Result<Val, InputError> {
        let given = self.distribute(at, fields, object)?;
        let mut record = Vec::with_capacity(fields.len());
        for (name, ty) in fields {
            let at = if at.is_empty() { (*name).to_owned() } else { format!("{at}.{name}") };
            let value = match given.get(*name) {
                Some(value) => self.value(&at, name, ty, value)?,
                None => self.default(&at, name, ty)?,
            };
            record.push(((*name).to_owned(), value));
        }
        Ok(Val::Record(record))
    }

    /// What stands for a field that is left out.
    fn default(&mut self, at: &str, name: &str, ty: &Type) -> Result<Val, InputError> {
        let text = match name {
            "client-id" => Some(self.client_id.clone().unwrap_or_else(|| people::CLIENT_ID.to_owned())),
            "listener" => Some(people::LISTENER.to_owned()),
            "peer" => Some(people::PEER.to_owned()),
            "node" => Some("midge".to_owned()),
            _ => None,
        };
        let number = match name {
            "received-at" | "at-ms" => self.now_ms,
            "sequence" => self.index + 1,
            "count" => 1,
            _ => 0,
        };
        Ok(match ty {
            Type::Option(_) => Val::Option(None),
            Type::List(list) if matches!(list.ty(), Type::Record(_)) => return Err(InputError::missing(at, ty)),
            Type::List(_) => Val::List(Vec::new()),
            Type::Flags(_) => Val::Flags(Vec::new()),
            Type::Bool => Val::Bool(false),
            Type::U64 if name == "who" => return self.who(at, &json!({})),
            Type::S8 | Type::U8 | Type::S16 | Type::U16 | Type::S32 | Type::U32 | Type::S64 | Type::U64 => {
                return self.value(at, name, ty, &json!(number));
            }
            Type::Enum(cases) if name == "protocol" => Val::Enum(cases.names().last().unwrap_or_default().to_owned()),
            Type::Enum(cases) => Val::Enum(cases.names().next().unwrap_or_default().to_owned()),
            Type::Record(record) => {
                let fields: Vec<(&str, Type)> = record.fields().map(|field| (field.name, field.ty)).collect();
                return self.record(at, &fields, &Map::new());
            }
            Type::String if matches!(name, "detail" | "query") => Val::String(String::new()),
            Type::String => Val::String(text.ok_or_else(|| InputError::missing(at, ty))?),
            _ => return Err(InputError::missing(at, ty)),
        })
    }
}

/// The input as an object of parameters; what is none is the one parameter there is.
fn spread(parameters: &[(&str, Type)], input: &Value) -> Result<Map<String, Value>, InputError> {
    let mut values = parameters.iter().filter(|(_, ty)| !matches!(ty, Type::Borrow(_) | Type::Own(_)));
    match (input, values.next(), values.next()) {
        (Value::Object(object), ..) => Ok(normal(object)),
        (Value::Null, ..) => Ok(Map::new()),
        (value, Some((name, _)), None) => Ok(Map::from_iter([((*name).to_owned(), value.clone())])),
        (value, ..) => {
            let fields = words::fields(parameters).join(", ");
            Err(InputError::new("", format!("an object with the fields {fields}"), value))
        }
    }
}

/// `client_id` is written `client-id` in the contract.
fn normal(object: &Map<String, Value>) -> Map<String, Value> {
    object.iter().map(|(key, value)| (key.replace('_', "-"), value.clone())).collect()
}

fn is_number_of_who((name, ty): &(&str, Type)) -> bool {
    *name == "who" && *ty == Type::U64
}

fn is_record_of_who((name, ty): &(&str, Type)) -> bool {
    *name == "who" && matches!(ty, Type::Record(_))
}

/// Whether a field that is left out could be written as its own fields, of which this is one.
fn takes(name: &str, ty: &Type, key: &str) -> bool {
    match ty {
        Type::U64 if name == "who" => people::KEYS.contains(&key),
        Type::Borrow(_) | Type::Own(_) => connect::KEYS.contains(&key),
        Type::Record(record) => record.fields().any(|field| field.name == key || takes(field.name, &field.ty, key)),
        Type::List(list) => matches!(list.ty(), Type::Record(_)) && takes(name, &list.ty(), key),
        _ => false,
    }
}

fn one_char(text: &str) -> Option<char> {
    let mut chars = text.chars();
    chars.next().filter(|_| chars.next().is_none())
}

/// `"next"`, or `{"deny": {…}}`.
fn one_case(value: &Value) -> Option<(&str, Option<&Value>)> {
    match value {
        Value::String(case) => Some((case, None)),
        Value::Object(object) if object.len() == 1 => {
            object.iter().next().map(|(case, payload)| (case.as_str(), Some(payload)))
        }
        _ => None,
    }
}

/// Bytes: a text for its UTF-8, `{"base64": "…"}`, or a list of numbers.
pub(super) fn bytes(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.clone().into_bytes()),
        Value::Array(items) => items.iter().map(|item| item.as_u64().and_then(|byte| byte.try_into().ok())).collect(),
        Value::Object(object) if object.len() == 1 => BASE64_STANDARD.decode(object.get("base64")?.as_str()?).ok(),
        _ => None,
    }
}
