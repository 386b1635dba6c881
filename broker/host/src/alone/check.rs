//! What the broker would say to an answer.

use serde_json::Value;

use crate::contract::PluginLimits;
use crate::error::HookFailure;
use crate::topics;

/// The answer, unless the contract forbids it. What the broker would change in it goes to `remarks`.
pub(super) fn check(
    answer: Value,
    batch: Option<usize>,
    limits: &PluginLimits,
    remarks: &mut Vec<String>,
) -> Result<Value, HookFailure> {
    if let (Some(asked), Some(answers)) = (batch, answer.as_array().map(Vec::len))
        && asked != answers
    {
        return Err(HookFailure::BadAnswer(format!("{answers} answers for {asked} questions")));
    }
    look(&answer, limits, remarks)?;
    Ok(answer)
}

fn look(value: &Value, limits: &PluginLimits, remarks: &mut Vec<String>) -> Result<(), HookFailure> {
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| look(item, limits, remarks)),
        Value::Object(fields) => fields.iter().try_for_each(|(name, value)| {
            field(name, value, limits, remarks)?;
            look(value, limits, remarks)
        }),
        _ => Ok(()),
    }
}

fn field(name: &str, value: &Value, limits: &PluginLimits, remarks: &mut Vec<String>) -> Result<(), HookFailure> {
    let bad = |text: String| Err(HookFailure::BadAnswer(text));
    match (name, value) {
        ("topic-filter", Value::String(filter)) if !topics::is_filter(filter) => {
            bad(format!("a permission for {filter:?}, which is no topic filter"))
        }
        ("topic" | "response-topic", Value::String(topic)) if !topics::is_name(topic) => {
            bad(format!("{name} {topic:?}, which is no topic name"))
        }
        ("client-id", Value::String(id)) if id.is_empty() || id.contains('\0') => {
            bad("a client id that is empty or has U+0000".to_owned())
        }
        ("covers", Value::String(filter)) if !topics::is_filter(filter) => {
            remarks.push(format!("reuse.covers is {filter:?}, which is no topic filter: the answer is not used again"));
            Ok(())
        }
        ("principal", Value::String(principal)) if principal.is_empty() => {
            remarks.push("the principal is empty, which the contract forbids".to_owned());
            Ok(())
        }
        ("code", Value::Number(code)) if code.as_u64().is_some_and(|code| code < 0x80) => {
            remarks.push(format!("the code {code} is no refusal: the client is told 135 (0x87, Not authorized)"));
            Ok(())
        }
        ("state", state) => {
            let length = super::input::bytes(state).map_or(0, |bytes| bytes.len());
            if length > limits.state_bytes_max {
                let most = limits.state_bytes_max;
                return bad(format!("{length} bytes of state, and its limit is {most} (`state_bytes_max`)"));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}
