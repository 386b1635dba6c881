//! The effective value of every key, where it came from, and what it means.

use toml::{Table, Value};

use super::Config;
use super::accepts::Accepts;
use super::error::Origin;
use super::keys::{self, KEYS};

/// One line of `midge config explain`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The table it stands in, such as `[[listener]]` or `[limits]`; a list has one for each entry.
    pub table: String,
    /// The key within it.
    pub key: &'static str,
    /// Whether the table, or this entry of a list of tables, begins with it.
    pub begins: bool,
    /// The value as it would be written; `-`: there is none.
    pub value: String,
    /// Where it was written; `None`: it is the default.
    pub origin: Option<Origin>,
    /// What it means.
    pub meaning: &'static str,
}

impl Config {
    /// Every key, in the order of the documentation. Secrets are left out.
    #[must_use]
    pub fn explain(&self) -> Vec<Explained> {
        let effective = Table::try_from(self).expect("every type of the configuration has a TOML form");
        let mut lines = Vec::new();
        for table in keys::names_in("") {
            match effective.get(table) {
                Some(Value::Array(entries)) => {
                    for (index, entry) in entries.iter().enumerate() {
                        self.explain_table(
                            &format!("[[{table}]]"),
                            table,
                            &format!("{table}[{index}]"),
                            entry,
                            &mut lines,
                        );
                    }
                }
                Some(entry) => self.explain_table(&format!("[{table}]"), table, table, entry, &mut lines),
                None => {}
            }
        }
        lines
    }

    fn explain_table(&self, header: &str, schema: &str, path: &str, entry: &Value, lines: &mut Vec<Explained>) {
        let before = lines.len();
        let lists: Vec<&str> = keys::LISTS.into_iter().filter(|list| below(list, schema).is_some()).collect();
        for key in KEYS {
            let Some(name) = below(key.path, schema) else { continue };
            if lists.iter().any(|list| below(key.path, list).is_some()) {
                continue;
            }
            let value = name.split('.').try_fold(entry, |value, name| value.get(name));
            let value = match (value, key.accepts) {
                (None, _) => "-".into(),
                (Some(value), Accepts::Table) => without_secrets(value, "").to_string(),
                (Some(value), _) => value.to_string(),
            };
            let origin = self.origins().get(&format!("{path}.{name}")).cloned();
            let begins = lines.len() == before;
            lines.push(Explained { table: header.into(), key: name, begins, value, origin, meaning: key.meaning });
        }
        for list in lists {
            let Some(name) = below(list, schema) else { continue };
            let entries = entry.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            for (index, entry) in entries.iter().enumerate() {
                self.explain_table(&format!("[[{list}]]"), list, &format!("{path}.{name}[{index}]"), entry, lines);
            }
        }
    }
}

/// The rest of a path below a table's.
fn below<'a>(path: &'a str, table: &str) -> Option<&'a str> {
    path.strip_prefix(table)?.strip_prefix('.')
}

/// A plugin's table with everything blotted out that may be a secret: what a plugin calls so, and secrets given
/// literally in its grants (`value = "…"`).
fn without_secrets(value: &Value, name: &str) -> Value {
    match value {
        Value::Table(table) => {
            Value::Table(table.iter().map(|(name, value)| (name.clone(), without_secrets(value, name))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| without_secrets(item, name)).collect()),
        _ if SECRET_NAMES.iter().any(|secret| name.to_lowercase().contains(secret)) => Value::String("…".into()),
        other => other.clone(),
    }
}

const SECRET_NAMES: [&str; 6] = ["password", "secret", "token", "key", "authorization", "value"];
