//! Reading a plugin's `allow` table.

use std::fmt;
use std::path::Path;

use serde_json::Value;

use super::{AppendGrant, Destination, Fields, Grants, Origin, SecretSource, StoreGrant};
use crate::topics;

/// An entry of the `allow` table that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantError {
    plugin: String,
    key: String,
    value: String,
    expected: &'static str,
}

impl fmt::Display for GrantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plugin, key, value, expected } = self;
        write!(f, "in [[plugin]] {plugin:?}: allow{key} = {value}: expected {expected}")
    }
}

impl std::error::Error for GrantError {}

pub(super) fn grants(plugin: &str, allow: &Value, base: &Path) -> Result<Grants, GrantError> {
    let mut grants = Grants::none(plugin);
    let table = match allow {
        Value::Null => return Ok(grants),
        Value::Object(table) => table,
        other => return Err(wrong(plugin, "", other, "a table")),
    };
    for (key, value) in table {
        read(&mut grants, key, value, base).map_err(|Wrong { at, value, expected }| {
            let key = format!(".{key}{at}");
            GrantError { plugin: plugin.to_owned(), key, value, expected }
        })?;
    }
    Ok(grants)
}

/// What is wrong below a key: where (`[1]`, `.token`), what stands there, what should.
struct Wrong {
    at: String,
    value: String,
    expected: &'static str,
}

fn wrong(plugin: &str, key: &str, value: &Value, expected: &'static str) -> GrantError {
    GrantError { plugin: plugin.to_owned(), key: key.to_owned(), value: value.to_string(), expected }
}

fn here(value: &Value, expected: &'static str) -> Wrong {
    Wrong { at: String::new(), value: value.to_string(), expected }
}

fn read(grants: &mut Grants, key: &str, value: &Value, base: &Path) -> Result<(), Wrong> {
    match key {
        "http" => {
            grants.http = list(value, "a list of origins", Origin::parse)?;
        }
        "http_private" => grants.http_private = boolean(value)?,
        "tcp" => grants.tcp = list(value, "a list of hosts and ports", Destination::parse)?,
        "tcp_private" => grants.tcp_private = boolean(value)?,
        "tcp_ca_file" => {
            let path = value.as_str().filter(|path| !path.is_empty()).ok_or_else(|| here(value, "a file's path"))?;
            grants.tcp_ca_file = Some(base.join(path));
        }
        "files" => {
            let named = |text: &str| {
                if text.is_empty() { Err("a file's path") } else { Ok((text.to_owned(), base.join(text))) }
            };
            grants.files = list(value, "a list of files", named)?.into_iter().collect();
        }
        "append" => {
            grants.append = entries(value, APPEND, |name, grant| Ok((name.to_owned(), append(name, grant, base)?)))?
        }
        "secrets" => {
            grants.secrets = entries(value, SECRET, |name, source| Ok((name.to_owned(), secret(source, base)?)))?
        }
        "kv" => grants.kv = entries(value, STORE, |name, grant| Ok((name.to_owned(), store(name, grant)?)))?,
        "publish" => {
            let checked = |text: &str| {
                if topics::is_filter(text) {
                    Ok(text.to_owned())
                } else {
                    Err("an MQTT topic filter, such as \"alerts/#\"")
                }
            };
            grants.publish = list(value, "a list of topic filters", checked)?;
        }
        "disconnect" => grants.disconnect = boolean(value)?,
        "redirect" => grants.redirect = boolean(value)?,
        "revoke" => grants.revoke = boolean(value)?,
        "admin" => grants.admin = boolean(value)?,
        "fields" => {
            let mut fields = Fields::default();
            list(value, FIELDS, |text| match text {
                "password" => {
                    fields.password = true;
                    Ok(())
                }
                "payload" => {
                    fields.payload = true;
                    Ok(())
                }
                _ => Err(FIELDS),
            })?;
            grants.fields = Some(fields);
        }
        _ => return Err(here(value, KEYS)),
    }
    Ok(())
}

fn boolean(value: &Value) -> Result<bool, Wrong> {
    value.as_bool().ok_or_else(|| here(value, "true or false"))
}

fn list<T>(
    value: &Value,
    expected: &'static str,
    mut each: impl FnMut(&str) -> Result<T, &'static str>,
) -> Result<Vec<T>, Wrong> {
    let items = value.as_array().ok_or_else(|| here(value, expected))?;
    items
        .iter()
        .enumerate()
        .map(|(index, item)| {
            item.as_str().ok_or("a string").and_then(&mut each).map_err(|expected| Wrong {
                at: format!("[{index}]"),
                value: item.to_string(),
                expected,
            })
        })
        .collect()
}

fn entries<T, C: FromIterator<T>>(
    value: &Value,
    expected: &'static str,
    each: impl Fn(&str, &Value) -> Result<T, &'static str>,
) -> Result<C, Wrong> {
    let table = value.as_object().ok_or_else(|| here(value, expected))?;
    table
        .iter()
        .map(|(name, entry)| {
            // A secret's value must not be echoed.
            each(name, entry).map_err(|expected| Wrong { at: format!(".{name}"), value: shape(entry), expected })
        })
        .collect()
}

/// A value with its texts left out.
fn shape(value: &Value) -> String {
    match value {
        Value::String(_) => "\"…\"".to_owned(),
        Value::Object(table) => {
            format!("{{ {} }}", table.keys().map(|key| format!("{key} = …")).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn secret(source: &Value, base: &Path) -> Result<SecretSource, &'static str> {
    let table = source.as_object().filter(|table| table.len() == 1).ok_or(SECRET)?;
    let (kind, text) = table.iter().next().ok_or(SECRET)?;
    let text = text.as_str().ok_or(SECRET)?;
    match kind.as_str() {
        "file" if !text.is_empty() => Ok(SecretSource::File(base.join(text))),
        "env" if !text.is_empty() => Ok(SecretSource::Environment(text.to_owned())),
        "value" => Ok(SecretSource::Value(text.to_owned())),
        _ => Err(SECRET),
    }
}

fn append(name: &str, grant: &Value, base: &Path) -> Result<AppendGrant, &'static str> {
    let (size, keep) = match grant {
        Value::String(size) => (size.as_str(), 0),
        Value::Object(table) if table.keys().all(|key| matches!(key.as_str(), "size" | "keep")) => {
            let size = table.get("size").and_then(Value::as_str).ok_or(APPEND)?;
            let keep = table.get("keep").map_or(Some(0), Value::as_u64).ok_or(APPEND)?;
            (size, u32::try_from(keep).ok().filter(|keep| *keep <= MAX_KEPT).ok_or(APPEND)?)
        }
        _ => return Err(APPEND),
    };
    let bytes_max = size_in_bytes(size).filter(|bytes| (MIN_STORE..=MAX_APPENDED).contains(bytes)).ok_or(APPEND)?;
    if name.is_empty() { Err(APPEND) } else { Ok(AppendGrant { path: base.join(name), bytes_max, keep }) }
}

fn store(name: &str, grant: &Value) -> Result<StoreGrant, &'static str> {
    match (name.split_once('/'), grant) {
        (Some((plugin, store)), Value::Bool(true)) if !plugin.is_empty() && !store.is_empty() => {
            Ok(StoreGrant::Foreign)
        }
        (Some(_), _) => Err("true: \"other-plugin/store\" is as large as that plugin's config says"),
        (None, Value::String(size)) if !name.is_empty() => own_store(size, false),
        (None, Value::Object(table)) if !name.is_empty() => {
            let is_known = |key: &String| matches!(key.as_str(), "size" | "persistent");
            let is_persistent = table.get("persistent").map_or(Some(false), Value::as_bool).ok_or(STORE)?;
            match table.get("size") {
                Some(Value::String(size)) if table.keys().all(is_known) => own_store(size, is_persistent),
                _ => Err(STORE),
            }
        }
        (None, _) => Err(STORE),
    }
}

fn own_store(size: &str, is_persistent: bool) -> Result<StoreGrant, &'static str> {
    let bytes_max = size_in_bytes(size).filter(|bytes| (MIN_STORE..=MAX_STORE).contains(bytes)).ok_or(STORE)?;
    Ok(StoreGrant::Own { bytes_max, is_persistent })
}

/// `"16MiB"` in bytes; the units are B, KiB, MiB and GiB.
fn size_in_bytes(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().ok()?;
    let (_, shift) = UNITS.into_iter().find(|(unit, _)| *unit == text[digits..].trim())?;
    number.checked_mul(1 << shift)
}

/// A size in the largest unit that divides it.
pub(super) fn size_in_words(bytes: u64) -> String {
    let fits = |shift: u32| bytes != 0 && bytes.is_multiple_of(1 << shift);
    let (unit, shift) = UNITS.into_iter().rev().find(|(_, shift)| fits(*shift)).unwrap_or(("B", 0));
    format!("{} {unit}", bytes >> shift)
}

const UNITS: [(&str, u32); 4] = [("B", 0), ("KiB", 10), ("MiB", 20), ("GiB", 30)];
const MIN_STORE: u64 = 1 << 10;
const MAX_STORE: u64 = 64 << 30;
const MAX_APPENDED: u64 = 1 << 40;
const MAX_KEPT: u32 = 1000;
const KEYS: &str = "one of http, http_private, tcp, tcp_private, tcp_ca_file, files, append, secrets, kv, publish, disconnect, redirect, revoke, admin, fields";
const FIELDS: &str = "a list of \"password\" and \"payload\"";
const SECRET: &str = "{ NAME = { file = \"…\" } }, { env = \"…\" } or { value = \"…\" }";
const APPEND: &str = "{ PATH = SIZE } or { PATH = { size = SIZE, keep = NUMBER } }, with a size from \"1KiB\" to \"1024GiB\", \
                      such as \"64MiB\", and up to 1000 full files kept";
const STORE: &str = "{ NAME = SIZE } or { NAME = { size = SIZE, persistent = true } }, with a size from \"1KiB\" to \"64GiB\", such \
                     as \"16MiB\"";
