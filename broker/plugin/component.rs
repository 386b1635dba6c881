//! Which component a subcommand is about, how it is configured, and what it is granted.

mod cache;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use midge_plugin_test::Plugin;
use midge_server::config::Bundled;
use serde_json::{Map, Value, json};

use super::PluginError;

type Table = Map<String, Value>;

/// A component, with the configuration that it would have in a broker.
#[derive(Debug, Args)]
pub(super) struct Component {
    /// The component: a .wasm file, or bundled:NAME
    #[arg(value_name = "COMPONENT")]
    component: String,
    /// A key of its config table: a TOML value, or text; dots lead into tables
    #[arg(long = "config", value_name = "KEY=VALUE")]
    config: Vec<String>,
    /// Its config table (TOML or JSON), or a broker's configuration that names it under `plugin`; relative paths begin there
    #[arg(long, value_name = "FILE")]
    config_file: Option<PathBuf>,
    /// What it may do, a key of its allow table: http=HOST:PORT, files=PATH, publish=FILTER, kv=STORE, secrets=NAME (from the environment),
    /// disconnect, revoke, or KEY=TOML
    #[arg(long = "allow", value_name = "GRANT")]
    allow: Vec<String>,
}

impl Component {
    /// The plugin, not yet loaded.
    pub(super) fn plugin(&self, bundled: Bundled) -> Result<Plugin, PluginError> {
        self.set_up(bare(&self.component, bundled, None)?)
    }

    /// The same, to be compiled whatever was kept of it.
    pub(super) fn compiled(&self, bundled: Bundled) -> Result<Plugin, PluginError> {
        self.set_up(found(&self.component, bundled)?)
    }

    fn set_up(&self, plugin: Plugin) -> Result<Plugin, PluginError> {
        let (mut config, mut allow, base) = match &self.config_file {
            Some(file) => self.said_in(file)?,
            None => (Map::new(), Map::new(), PathBuf::new()),
        };
        for pair in &self.config {
            let (key, value) = pair.split_once('=').ok_or_else(|| wrong("--config", pair, "expected KEY=VALUE"))?;
            put(&mut config, key, toml_or_text(value)).map_err(|reason| wrong("--config", pair, &reason))?;
        }
        for grant in &self.allow {
            add_grant(&mut allow, grant).map_err(|reason| wrong("--allow", grant, &reason))?;
        }
        Ok(plugin.config(Value::Object(config)).allow(Value::Object(allow)).base(base).online())
    }

    /// What it is called.
    pub(super) fn name(&self) -> &str {
        &self.component
    }

    /// Its `config` and `allow` tables in a file, and where relative paths in them begin.
    fn said_in(&self, file: &Path) -> Result<(Table, Table, PathBuf), PluginError> {
        let text = fs::read_to_string(file).map_err(|error| PluginError::File { file: file.into(), error })?;
        let refused = |reason: String| PluginError::Argument { argument: file.display().to_string(), reason };
        let table = if file.extension().is_some_and(|it| it == "json") {
            serde_json::from_str(&text).map_err(|error| refused(error.to_string()))?
        } else {
            let table: toml::Table = toml::from_str(&text).map_err(|error| refused(error.to_string()))?;
            json!(table)
        };
        let Value::Object(table) = table else { return Err(refused("expected a table".to_owned())) };
        let base = file.parent().map(Path::to_owned).unwrap_or_default();
        let Some(Value::Array(plugins)) = table.get("plugin") else { return Ok((table, Map::new(), base)) };
        let own = plugins.iter().find(|plugin| self.is_named_by(plugin)).ok_or_else(|| {
            let name =
                |plugin: &Value| plugin.get("name").or(plugin.get("path")).and_then(Value::as_str).map(str::to_owned);
            let names: Vec<String> = plugins.iter().filter_map(name).collect();
            refused(format!("no [[plugin]] has {} as its path or name; it has {}", self.component, names.join(", ")))
        })?;
        let part = |key: &str| own.get(key).and_then(Value::as_object).cloned().unwrap_or_default();
        Ok((part("config"), part("allow"), base))
    }

    /// Whether a `[[plugin]]` is for this component: by its path, by the path's last part, or by its name.
    fn is_named_by(&self, plugin: &Value) -> bool {
        let text = |key: &str| plugin.get(key).and_then(Value::as_str);
        let file = |path: &str| Path::new(path).file_name().map(ToOwned::to_owned);
        let stem = Path::new(&self.component).file_stem().map(|stem| stem.to_string_lossy().into_owned());
        text("path").is_some_and(|path| path == self.component || file(path) == file(&self.component))
            || text("name").is_some_and(|name| stem.is_some_and(|stem| stem == name))
    }
}

/// A component by what the command line calls it. Compiled, it is kept where large ones are, and else in `spare`.
pub(super) fn bare(component: &str, bundled: Bundled, spare: Option<&Path>) -> Result<Plugin, PluginError> {
    let plugin = found(component, bundled)?;
    let bytes = fs::metadata(component).map_or(0, |metadata| metadata.len());
    Ok(match cache::directory(bytes).or_else(|| spare.map(Path::to_owned)) {
        Some(directory) => plugin.cache(directory),
        None => plugin,
    })
}

fn found(component: &str, bundled: Bundled) -> Result<Plugin, PluginError> {
    let Some(name) = component.strip_prefix("bundled:") else { return Ok(Plugin::load(component)) };
    match bundled.iter().find(|(known, _)| *known == name) {
        Some((_, bytes)) => Ok(Plugin::of_bytes(name, component, *bytes)),
        None if bundled.is_empty() => Err(PluginError::Bundled(
            "this midge was built without bundled plugins; `cargo xtask build` builds one with them, or give the path \
             of a .wasm file"
                .into(),
        )),
        None => {
            let known: Vec<&str> = bundled.iter().map(|(known, _)| *known).collect();
            Err(PluginError::Bundled(format!("there is no bundled plugin {name}; this midge has {}", known.join(", "))))
        }
    }
}

fn wrong(option: &str, value: &str, reason: &str) -> PluginError {
    PluginError::Argument { argument: format!("{option} {value}"), reason: reason.to_owned() }
}

/// A TOML value, or else text as it stands.
fn toml_or_text(text: &str) -> Value {
    let parsed = toml::from_str::<toml::Table>(&format!("value = {text}")).ok();
    let only = parsed.filter(|table| table.len() == 1).and_then(|mut table| table.remove("value"));
    only.map_or_else(|| json!(text), |value| json!(value))
}

/// Sets the value at a dotted path.
fn put(table: &mut Map<String, Value>, path: &str, value: Value) -> Result<(), String> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    if first.is_empty() {
        return Err("a key is empty".to_owned());
    }
    let Some(rest) = rest else {
        table.insert(first.to_owned(), value);
        return Ok(());
    };
    match table.entry(first).or_insert_with(|| json!({})) {
        Value::Object(inner) => put(inner, rest, value),
        _ => Err(format!("{first} is no table")),
    }
}

/// Adds what one `--allow` says to the `allow` table.
fn add_grant(allow: &mut Map<String, Value>, grant: &str) -> Result<(), String> {
    let Some((key, text)) = grant.split_once('=') else {
        if grant.is_empty() || grant.contains(char::is_whitespace) {
            return Err("expected KEY=VALUE, or disconnect, or revoke".to_owned());
        }
        allow.insert(grant.to_owned(), Value::Bool(true));
        return Ok(());
    };
    match toml_or_text(text) {
        Value::Array(items) => items.into_iter().for_each(|item| push(allow, key, item)),
        Value::Object(entries) => entries.into_iter().for_each(|(name, entry)| enter(allow, key, &name, entry)),
        value @ Value::Bool(_) => {
            allow.insert(key.to_owned(), value);
        }
        _ => match (key, text.trim_matches('"')) {
            ("http", origin) if !origin.contains("://") => {
                ["http", "https"]
                    .into_iter()
                    .for_each(|scheme| push(allow, key, json!(format!("{scheme}://{origin}"))));
            }
            ("kv", store) => {
                let (name, size) = store.split_once(':').unwrap_or((store, "16MiB"));
                enter(allow, key, name, json!(size));
            }
            ("secrets", name) => enter(allow, key, name, json!({ "env": name })),
            (_, text) => push(allow, key, json!(text)),
        },
    }
    Ok(())
}

fn push(allow: &mut Map<String, Value>, key: &str, item: Value) {
    if let Value::Array(items) = allow.entry(key).or_insert_with(|| json!([])) {
        items.push(item);
    }
}

fn enter(allow: &mut Map<String, Value>, key: &str, name: &str, entry: Value) {
    if let Value::Object(entries) = allow.entry(key).or_insert_with(|| json!({})) {
        entries.insert(name.to_owned(), entry);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use super::*;

    #[test]
    fn a_config_key_is_toml_where_it_is_and_text_otherwise() {
        let mut config = Map::new();
        for (path, text) in [
            ("file", "users.passwd"),
            ("retry.max_ms", "250"),
            ("retry.on", "[500, 503]"),
            ("quoted", "\"7\""),
            ("strict", "true"),
            ("url", "http://127.0.0.1:80/a=b"),
        ] {
            put(&mut config, path, toml_or_text(text)).unwrap();
        }
        let expected = json!({
            "file": "users.passwd", "retry": { "max_ms": 250, "on": [500, 503] }, "quoted": "7", "strict": true,
            "url": "http://127.0.0.1:80/a=b",
        });
        assert_eq!(Value::Object(config.clone()), expected);
        assert_eq!(put(&mut config, "file.name", json!(1)).unwrap_err(), "file is no table");
    }

    #[test]
    fn a_grant_is_written_short_or_as_in_the_configuration() {
        let mut allow = Map::new();
        for grant in [
            "http=127.0.0.1:80",
            "http=https://idp.example.com",
            "files=a",
            "files=[\"b\"]",
            "kv=bans:1MiB",
            "kv=default",
            "secrets=TOKEN",
            "secrets={ key = { file = \"k\" } }",
            "publish=alerts/#",
            "disconnect",
            "revoke=false",
        ] {
            add_grant(&mut allow, grant).unwrap();
        }
        let expected = json!({
            "http": ["http://127.0.0.1:80", "https://127.0.0.1:80", "https://idp.example.com"],
            "files": ["a", "b"],
            "kv": { "bans": "1MiB", "default": "16MiB" },
            "secrets": { "TOKEN": { "env": "TOKEN" }, "key": { "file": "k" } },
            "publish": ["alerts/#"], "disconnect": true, "revoke": false,
        });
        assert_eq!(Value::Object(allow), expected);
    }
}
