//! `midge.example.toml`, the table of keys and the types say the same.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::super::check::{Document, Source};
use super::super::file::File;
use super::super::keys::KEYS;
use super::*;

const EXAMPLE: &str = include_str!("../../../../midge.example.toml");

/// The example with every key that is commented out taken in.
fn uncommented() -> String {
    let is_key = |line: &str| {
        let name = line.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "_.".contains(c));
        name.len() < line.len() && name.starts_with(" = ")
    };
    let take_in = |line: &str| match line.strip_prefix("# ") {
        Some(rest) if is_key(rest) || rest.starts_with('[') => rest.to_owned(),
        _ => line.to_owned(),
    };
    EXAMPLE.lines().map(take_in).collect::<Vec<_>>().join("\n")
}

fn without_indexes(path: &str) -> String {
    path.replace("[0]", "").replace("[1]", "")
}

#[test]
fn the_example_as_it_stands_is_the_default() {
    let effective = |config: &Config| {
        config.explain().into_iter().map(|line| (line.table, line.key, line.value)).collect::<Vec<_>>()
    };
    assert_eq!(
        effective(&Config::read("example", EXAMPLE, Path::new(""), &[]).unwrap()),
        effective(&Config::default())
    );
}

#[test]
fn every_key_stands_in_the_example_with_a_value_it_accepts() {
    let text = uncommented();
    let origins = Document { source: Source::File("example"), text: &text }.check().unwrap();
    let written: BTreeSet<String> = origins.keys().map(|path| without_indexes(path)).collect();
    let missing: Vec<_> = KEYS.iter().filter(|key| !written.contains(key.path)).map(|key| key.path).collect();
    assert!(missing.is_empty(), "not in midge.example.toml: {missing:?}");
}

#[test]
fn what_the_example_says_of_plugins_is_the_default() {
    let file: File = toml::from_str(&uncommented()).unwrap();
    let said = file.plugin[0].limits.as_ref().unwrap();
    assert_eq!(*said, PluginLimits { cpu_ms: Some(50), wait_ms: Some(5000), ..PluginLimits::default() });
    assert_eq!(file.plugin[0].on_error, Some(OnError::default()));
    assert_eq!(file.plugin[0].tick_interval_ms, Some(60_000));
    assert!(
        read(&format!("[[plugin]]\npath = \"a\"\nallow = {}", Value::from(file.plugin[0].allow.clone().unwrap())))
            .is_ok()
    );
}

/// Both directions: no type has a key that the table does not know, and no row of the table is without its type.
#[test]
fn the_table_of_keys_and_the_types_are_equal() {
    let digest = "00".repeat(32);
    let plugins = read(&format!(
        "[[plugin]]\npath = \"a\"\nsha256 = \"{digest}\"\nhooks = [\"sink\"]\ntopics = []\nlisteners = [\"loopback\"]\n\
         tenants = [\"acme\"]\nlimits = {{ cpu_ms = 1, wait_ms = 1 }}"
    ))
    .unwrap()
    .plugins;
    let mut config = Config { plugins, ..Config::default() };
    config.store.topics.push(StoreTopic { filter: "a".into(), durability: Durability::Memory });
    config.admin.token_file = Some("token".into());
    let pem = PathBuf::from("x.pem");
    config.listeners[0].tls = Some(Tls {
        certificate: pem.clone(),
        key: pem.clone(),
        client_ca: Some(pem),
        client_certificate: ClientCertificate::Required,
    });
    let mut paths = BTreeSet::new();
    leaves(&Value::Table(Table::try_from(&config).unwrap()), "", &mut paths);
    assert_eq!(paths, KEYS.iter().map(|key| key.path.to_owned()).collect());
}

fn leaves(value: &Value, path: &str, paths: &mut BTreeSet<String>) {
    match value {
        _ if KEYS.iter().any(|key| key.path == path) => {
            paths.insert(path.into());
        }
        Value::Table(table) => {
            for (name, value) in table {
                leaves(value, &if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, paths);
            }
        }
        Value::Array(items) if items.iter().all(Value::is_table) => {
            for item in items {
                leaves(item, path, paths);
            }
        }
        _ => {
            paths.insert(path.into());
        }
    }
}
