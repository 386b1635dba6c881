//! `config`: the plugin's own table, fixed for the life of the generation.

use serde_json::Value;

use super::PluginState;
use crate::bindings::midge::plugin::config::Host;

impl Host for PluginState {
    fn get(&mut self, path: String) -> wasmtime::Result<Option<String>> {
        Ok(scalar(self.shared.config(), &path))
    }

    fn json(&mut self) -> wasmtime::Result<String> {
        Ok(self.shared.config_json().to_owned())
    }
}

/// The scalar at a dotted path, as text. A number between dots is an index where the value there is an array.
fn scalar(config: &Value, path: &str) -> Option<String> {
    let value = path.split('.').try_fold(config, |value, key| match value {
        Value::Object(table) => table.get(key),
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        _ => None,
    })?;
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_dotted_path_leads_to_a_scalar_and_to_nothing_else() {
        let config = json!({"issuer": "https://a", "claims": {"name": "sub", "leeway": 30, "strict": true}, "audiences": ["x", "y"]});
        let cases = [
            ("issuer", Some("https://a")),
            ("claims.name", Some("sub")),
            ("claims.leeway", Some("30")),
            ("claims.strict", Some("true")),
            ("audiences.1", Some("y")),
            ("audiences.2", None),
            ("audiences.first", None),
            ("audiences", None),
            ("claims", None),
            ("issuer.x", None),
            ("absent", None),
            ("", None),
        ];
        for (path, expected) in cases {
            assert_eq!(scalar(&config, path).as_deref(), expected, "{path}");
        }
    }
}
