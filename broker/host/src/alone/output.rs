//! From what a function returned to JSON, in the words of the contract. What is none is left out.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};
use wasmtime::component::Val;
use wasmtime::component::types::{ComponentFunc, Type};

use crate::error::HookFailure;

/// The answer: of a `result` the `ok`. Its `err` is a failure of the plugin.
pub(super) fn answer(value: Option<Val>, ty: &ComponentFunc) -> Result<Value, HookFailure> {
    let (Some(value), Some(ty)) = (value, ty.results().next()) else { return Ok(Value::Null) };
    match (value, &ty) {
        (Val::Result(Ok(Some(value))), Type::Result(result)) => {
            Ok(result.ok().map_or(Value::Null, |ty| json(&value, &ty)))
        }
        (Val::Result(Ok(None)), _) => Ok(Value::Null),
        (Val::Result(Err(text)), _) => Err(HookFailure::Backend(match text.as_deref() {
            Some(Val::String(text)) => text.clone(),
            other => format!("{other:?}"),
        })),
        (value, ty) => Ok(json(&value, ty)),
    }
}

fn json(value: &Val, ty: &Type) -> Value {
    match (value, ty) {
        (Val::Bool(flag), _) => json!(flag),
        (Val::S8(number), _) => json!(number),
        (Val::U8(number), _) => json!(number),
        (Val::S16(number), _) => json!(number),
        (Val::U16(number), _) => json!(number),
        (Val::S32(number), _) => json!(number),
        (Val::U32(number), _) => json!(number),
        (Val::S64(number), _) => json!(number),
        (Val::U64(number), _) => json!(number),
        (Val::Float32(number), _) => json!(number),
        (Val::Float64(number), _) => json!(number),
        (Val::Char(char), _) => json!(char.to_string()),
        (Val::String(text) | Val::Enum(text), _) => json!(text),
        (Val::List(items), Type::List(list)) if list.ty() == Type::U8 => bytes(items),
        (Val::List(items), Type::List(list)) => items.iter().map(|item| json(item, &list.ty())).collect(),
        (Val::Record(fields), Type::Record(record)) => {
            let fields =
                fields.iter().zip(record.fields()).filter(|((_, value), _)| !matches!(value, Val::Option(None)));
            let fields = fields.map(|((name, value), field)| (name.clone(), json(value, &field.ty)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        (Val::Tuple(items), Type::Tuple(tuple)) => {
            items.iter().zip(tuple.types()).map(|(item, ty)| json(item, &ty)).collect()
        }
        (Val::Variant(case, None), _) => json!(case),
        (Val::Variant(case, Some(payload)), Type::Variant(variant)) => {
            let ty = variant.cases().find(|known| known.name == case).and_then(|known| known.ty);
            json!({ case.as_str(): ty.map_or(Value::Null, |ty| json(payload, &ty)) })
        }
        (Val::Option(Some(value)), Type::Option(option)) => json(value, &option.ty()),
        (Val::Option(None), _) => Value::Null,
        (Val::Flags(names), _) => json!(names),
        (Val::Result(Ok(Some(value))), Type::Result(result)) => {
            json!({ "ok": result.ok().map_or(Value::Null, |ty| json(value, &ty)) })
        }
        (Val::Result(Err(Some(value))), Type::Result(result)) => {
            json!({ "err": result.err().map_or(Value::Null, |ty| json(value, &ty)) })
        }
        // Handles, streams and futures: the contract returns none.
        (other, _) => json!(format!("{other:?}")),
    }
}

/// Text where it is text that a terminal bears, else base64.
fn bytes(items: &[Val]) -> Value {
    let bytes: Vec<u8> =
        items.iter().filter_map(|item| if let Val::U8(byte) = item { Some(*byte) } else { None }).collect();
    written(&bytes)
}

/// Bytes as JSON has them: text where it is text that a terminal bears, else `{"base64": "…"}`.
#[must_use]
pub fn written(bytes: &[u8]) -> Value {
    let is_plain = |text: &&str| text.chars().all(|char| !char.is_control() || matches!(char, '\n' | '\r' | '\t'));
    match std::str::from_utf8(bytes).ok().filter(is_plain) {
        Some(text) => json!(text),
        None => json!({ "base64": BASE64_STANDARD.encode(bytes) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_text_where_a_terminal_bears_them() {
        assert_eq!(written("grün\n".as_bytes()), json!("grün\n"));
        assert_eq!(written(b"\x1b[2J"), json!({ "base64": "G1sySg==" }));
        assert_eq!(written(&[0xff]), json!({ "base64": "/w==" }));
    }
}
