//! What is read from a file, what is refused and with which words, and who may be anonymous.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

mod errors;
mod example;
mod manual;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;

fn read(text: &str) -> Result<Config, ConfigError> {
    Config::read("midge.toml", text, Path::new("/etc/midge"), &[])
}

/// A plugin that authenticates, or may.
const AUTHN: &str = "[[plugin]]\npath = \"auth.wasm\"\n";

#[test]
fn without_a_file_both_loopback_addresses_admit_anonymous_clients() {
    let config = Config::load(None, &[]).unwrap();
    let listeners: Vec<_> =
        config.listeners.iter().map(|it| (it.address.to_string(), it.anonymous, it.optional)).collect();
    assert_eq!(listeners, [("127.0.0.1:1883".into(), true, false), ("[::1]:1883".into(), true, true)]);
    assert_eq!(config.admin.address.to_string(), "127.0.0.1:9883");
}

#[test]
fn a_plugin_that_may_authenticate_ends_the_default_of_anonymity() {
    let text = format!("{AUTHN}[[listener]]\naddress = \"0.0.0.0:1883\"\n[[listener]]\naddress = \"127.0.0.1:1884\"\n");
    let mut config = read(&text).unwrap();
    assert_eq!(config.listeners.iter().map(|it| it.anonymous).collect::<Vec<_>>(), [false, false]);
    let error = config.settle(|_| false).unwrap_err().to_string();
    assert!(error.starts_with("midge.toml:4:1: listener[0].address = \"0.0.0.0:1883\": it is open"), "{error}");
    assert!(config.listeners[1].anonymous, "nothing authenticates and it is loopback");
}

#[test]
fn a_plugin_that_only_forwards_leaves_loopback_open() {
    let config = read(&format!("{AUTHN}hooks = [\"sink\"]\n")).unwrap();
    assert!(config.listeners.iter().all(|listener| listener.anonymous));
}

#[test]
fn what_is_said_about_anonymity_stands() {
    let mut config = read(&format!("{AUTHN}[[listener]]\naddress = \"0.0.0.0:1\"\nanonymous = true\n")).unwrap();
    config.settle(|_| true).unwrap();
    assert!(config.listeners[0].anonymous);
}

#[test]
fn relative_paths_start_from_the_directory_of_the_file() {
    let text = "[[plugin]]\npath = \"auth.wasm\"\nallow.files = [\"users\"]\n[[listener]]\naddress = \"127.0.0.1:8883\"\n\
                tls = { certificate = \"a.pem\", key = \"/keys/a.key\" }\n[runtime]\ndata_dir = \"cache\"\n";
    let config = read(text).unwrap();
    let tls = config.listeners[0].tls.as_ref().unwrap();
    assert_eq!(
        (tls.certificate.as_path(), tls.key.as_path()),
        (Path::new("/etc/midge/a.pem"), Path::new("/keys/a.key"))
    );
    assert_eq!(config.plugins[0].source, PluginSource::File(PathBuf::from("/etc/midge/auth.wasm")));
    assert_eq!(config.plugins[0].grants.files().next(), Some(("users", Path::new("/etc/midge/users"))));
    assert_eq!(config.runtime.data_dir, Path::new("/etc/midge/cache"));
}

#[test]
fn every_form_of_a_value_is_understood() {
    let text = "limits = { packet_bytes_max = \"2MiB\", queued_bytes_max = 4096, keep_alive_max_s = 60 }\n\
                shutdown.drain_ms = 0\n[[listener]]\naddress = \"[::1]:0\"\nprotocol = \"ws\"\npath = \"/m\"\nversions = [\"5\"]\n";
    let config = read(text).unwrap();
    assert_eq!((config.limits.packet_bytes_max, config.limits.queued_bytes_max), (2 << 20, 4096));
    assert_eq!((config.limits.keep_alive_max, config.shutdown.drain), (Duration::from_secs(60), Duration::ZERO));
    let listener = &config.listeners[0];
    assert_eq!((listener.name.as_str(), listener.versions.as_slice()), ("listener1", [ProtocolName::V5].as_slice()));
    assert_eq!(listener.url("127.0.0.1:9".parse().unwrap()), "ws://127.0.0.1:9/m");
}

#[test]
fn a_plugin_reaches_the_host_as_it_was_configured() {
    let digest = "0f".repeat(32);
    let text = format!(
        "[[plugin]]\npath = \"bundled:acl-file\"\nsha256 = \"{digest}\"\nhooks = [\"authz\"]\ntopics = [\"a/#\"]\n\
         on_error = \"next\"\nconfig = {{ file = \"x\", depth = 3 }}\nlimits = {{ memory_bytes_max = \"1MiB\", wait_ms = 7 }}\n"
    );
    let specs = read(&text).unwrap().plugin_specs(&[("acl-file", b"component")]).unwrap();
    let spec = &specs[0];
    assert_eq!((spec.name.as_str(), spec.source.to_string().as_str()), ("acl-file", "bundled:acl-file"));
    assert_eq!((spec.sha256, spec.topics.as_deref()), (Some([0x0f; 32]), Some(["a/#".to_owned()].as_slice())));
    assert_eq!(spec.config, serde_json::json!({ "file": "x", "depth": 3 }));
    assert_eq!((spec.limits.memory_bytes_max, spec.limits.wait), (1 << 20, Some(Duration::from_millis(7))));
    assert_eq!(spec.limits.queue_max, midge_host::contract::PluginLimits::default().queue_max);
}

#[test]
fn the_command_line_goes_before_the_file_and_is_named() {
    let given = |value: &str| Override { key: "log.filter", value: value.into(), origin: "--log".into() };
    let config = Config::read("midge.toml", "log = { filter = \"warn\" }", Path::new(""), &[given("debug")]).unwrap();
    assert_eq!(config.log.filter.0, "debug");
    let line = config.explain().into_iter().find(|line| line.key == "filter").unwrap();
    assert_eq!((line.value.as_str(), line.origin.unwrap().to_string()), ("\"debug\"", "--log".into()));

    let error = Config::read("midge.toml", "", Path::new(""), &[given("a=b=c")]).unwrap_err().to_string();
    assert!(error.starts_with("--log: log.filter = \"a=b=c\": expected a level"), "{error}");
}

#[test]
fn every_key_is_explained_with_its_value_and_where_it_was_written() {
    let text = "[limits]\npacket_bytes_max = \"2MiB\"\n[[plugin]]\npath = \"a.wasm\"\nhooks = [\"sink\"]\n";
    let lines = read(text).unwrap().explain();
    let find = |table: &str, key: &str| lines.iter().find(|line| line.table == table && line.key == key).unwrap();
    let packet = find("[limits]", "packet_bytes_max");
    assert_eq!(
        (packet.value.as_str(), packet.origin.as_ref().unwrap().to_string()),
        ("\"2MiB\"", "midge.toml:2".into())
    );
    assert_eq!(find("[limits]", "keep_alive_max_s").origin, None);
    assert_eq!(find("[[listener]]", "tls.key").value, "-");
    assert_eq!(find("[[plugin]]", "limits.batch_max").value, "64");
    assert_eq!(lines.iter().filter(|line| line.table == "[[listener]]" && line.key == "address").count(), 2);
}

#[test]
fn each_topic_of_the_store_is_explained_below_it() {
    let text = "[store]\ndurability = \"os\"\n[[store.topics]]\nfilter = \"a/#\"\ndurability = \"memory\"\n\
                [[store.topics]]\nfilter = \"b\"\ndurability = \"fsync\"\n";
    let lines = read(text).unwrap().explain();
    let topics: Vec<_> = lines.iter().filter(|line| line.table == "[[store.topics]]").collect();
    let told: Vec<_> = topics.iter().map(|line| (line.key, line.value.as_str(), line.begins)).collect();
    let meant = [
        ("filter", "\"a/#\"", true),
        ("durability", "\"memory\"", false),
        ("filter", "\"b\"", true),
        ("durability", "\"fsync\"", false),
    ];
    assert_eq!(told, meant);
    assert_eq!(topics[3].origin.as_ref().unwrap().to_string(), "midge.toml:8");
    assert!(!lines.iter().any(|line| line.table == "[store]" && line.key.starts_with("topics")));
}

#[test]
fn the_store_is_in_the_data_directory_unless_said() {
    let directory = |text: &str| read(text).unwrap().store.directory;
    assert_eq!(directory("[runtime]\ndata_dir = \"d\""), Path::new("/etc/midge/d/store"));
    assert_eq!(directory("store.directory = \"s\"\n[runtime]\ndata_dir = \"d\""), Path::new("/etc/midge/s"));
}

#[test]
fn secrets_are_not_explained() {
    let text = "[[plugin]]\npath = \"a.wasm\"\nconfig = { url = \"http://x\", api_token = \"hush1\" }\n\
                allow.secrets = { a = { value = \"hush2\" }, b = { file = \"f\" } }\n";
    let lines = read(text).unwrap().explain();
    let shown: String = lines.iter().map(|line| line.value.as_str()).collect();
    assert!(!shown.contains("hush") && shown.contains("http://x"), "{shown}");
}

#[test]
fn threads_are_spread_over_shards() {
    let layout = |shards, threads, processors| Runtime { shards, threads, ..Runtime::default() }.layout(processors);
    assert_eq!(layout(0, 0, 2), (1, 2));
    assert_eq!(layout(0, 0, 16), (2, 8));
    assert_eq!(layout(4, 4, 1), (4, 1));
    assert_eq!(layout(0, 12, 1), (2, 6));
}
