//! What is on record of every track of the contract: its files, which never change, and components that were built for it.
//!
//! `wit/README.md`, "Versions", has the rules that these tests keep. `cargo xtask track` puts a track on record that is not released yet.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(unreachable_pub, dead_code, reason = "support is shared by test programs")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use midge_host::Alone;
use midge_host::contract::{Hook, PluginSource, PluginSpec};
use serde_json::{Value, json};
use support::{Nobody, settings, within};
use wit_parser::Resolve;

fn contract() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit")
}

fn components(track: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tracks").join(track)
}

/// The tracks on record, such as `v0.1`.
fn tracks() -> Vec<String> {
    let entries = fs::read_dir(contract()).unwrap().map(|entry| entry.unwrap());
    let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    folders.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

fn is_released(track: &str) -> bool {
    contract().join(track).join("RELEASED").exists()
}

/// The files of a folder with this ending, by name.
fn files(folder: &Path, extension: &str) -> BTreeMap<String, Vec<u8>> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let paths = paths.filter(|path| path.extension().is_some_and(|found| found == extension));
    paths.map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap())).collect()
}

/// The version of the contract's package, such as `0.1.0`.
fn version(folder: &Path) -> String {
    let text = fs::read_to_string(folder.join("types.wit")).unwrap();
    let version = text.lines().find_map(|line| line.strip_prefix("package midge:plugin@")?.strip_suffix(';'));
    version.expect("types.wit names the package").to_owned()
}

#[test]
fn what_is_on_record_is_what_was_put_on_record() {
    for track in tracks() {
        for (folder, extension) in [(contract().join(&track), "wit"), (components(&track), "wasm")] {
            let digest = |bytes: &Vec<u8>| -> String {
                let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
                digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
            };
            let found: BTreeMap<String, String> =
                files(&folder, extension).iter().map(|(name, bytes)| (name.clone(), digest(bytes))).collect();
            let noted = fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
            let noted = noted.lines().map(|line| line.split_once("  ").unwrap());
            let noted: BTreeMap<String, String> = noted.map(|(sum, name)| (name.to_owned(), sum.to_owned())).collect();
            assert_eq!(
                found,
                noted,
                "{} has changed. A track that was released never does; one that was not is put on record by `cargo xtask track`",
                folder.display()
            );
        }
    }
}

#[test]
fn the_contract_is_its_track_until_that_is_released() {
    let whole = version(&contract());
    let track = format!("v{}", whole.rsplit_once('.').unwrap().0);
    assert!(
        tracks().contains(&track),
        "wit/{track} is missing: put the contract {whole} on record (`cargo xtask track`)"
    );
    if is_released(&track) {
        return;
    }
    assert_eq!(
        files(&contract(), "wit"),
        files(&contract().join(&track), "wit"),
        "wit/{track} is not what wit/ says: put it on record (`cargo xtask track`)"
    );
    let others = tracks().into_iter().filter(|other| *other != track);
    assert!(others.into_iter().all(|other| is_released(&other)), "one track at a time is under way");
}

/// The rule of evolution: within a track imports may gain functions and the contract may gain hooks, and nothing else changes.
#[test]
fn what_fits_the_frozen_files_of_a_track_fits_the_contract_that_grew_from_it() {
    let (now, track) = (contract(), version(&contract()));
    let frozen = now.join(format!("v{}", track.rsplit_once('.').unwrap().0));
    let old = version(&frozen);
    // Both are in one world of packages, and two of one version cannot be.
    let grown = format!("{}.{}", old.rsplit_once('.').unwrap().0, u32::MAX);
    let mut resolve = Resolve::default();
    for (folder, renamed) in [(&frozen, &old), (&now, &grown)] {
        let mut sources = wit_parser::SourceMap::default();
        for (name, text) in files(folder, "wit") {
            let text = String::from_utf8(text).unwrap();
            let package = format!("package midge:plugin@{}", version(folder));
            sources.push_str(&name, text.replace(&package, &format!("package midge:plugin@{renamed}")));
        }
        let group = sources.parse().map_err(|(_, error)| error).unwrap();
        resolve.push_group(group).unwrap();
    }
    let hooks: Vec<String> = files(&frozen, "wit").values().flat_map(|text| exported(text)).collect();
    assert!(hooks.len() >= Hook::ALL.len(), "{hooks:?}");
    for hook in &hooks {
        let mut world = |version: &str| {
            let text = format!(
                "package midge:check-{hook}@{version};
                 world check {{ include midge:plugin/imports@{version}; export midge:plugin/{hook}@{version}; }}"
            );
            let package = resolve.push_str("check.wit", &text).unwrap();
            resolve.select_world(&[package], None).unwrap()
        };
        let (before, after) = (world(&old), world(&grown));
        let fits = wit_component::semver_check(resolve.clone(), before, after);
        assert!(fits.is_ok(), "a plugin with {hook} that was built for {old} does not fit any more: {:?}", fits.err());
    }
}

/// The hooks that the world `everything` exports.
fn exported(text: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    let Some((_, world)) = text.split_once("world everything {") else { return Vec::new() };
    let lines = world.lines().take_while(|line| !line.starts_with('}'));
    lines.filter_map(|line| Some(line.trim().strip_prefix("export ")?.strip_suffix(';')?.to_owned())).collect()
}

/// A component on record, as a tool calls it.
async fn component(track: &str, name: &str) -> Alone {
    let file = components(track).join(format!("{name}.wasm"));
    let spec = PluginSpec::new(name, PluginSource::File(file));
    within(Alone::load(settings(), spec, Arc::new(Nobody))).await.unwrap()
}

/// A component, a function, what it is given, and where in its answer is what.
type Call = (&'static str, &'static str, Value, &'static str, Value);

/// What was built for 0.1 answers as it did then.
fn calls_0_1() -> Vec<Call> {
    let message = || json!({ "topic": "a", "payload": "x", "who": "alice" });
    let start = json!({ "method": "CHALLENGER", "username": "u", "data": "remember alice" });
    let proceed = json!({ "method": "CHALLENGER", "username": "u", "state": "alice", "data": "finish" });
    let event = json!({ "kind": "client.connected", "client-id": "c" });
    vec![
        ("hostile", "lifecycle.init", json!({ "name": "hostile" }), "/topics", json!([])),
        ("hostile", "lifecycle.health", json!({}), "", Value::Null),
        ("hostile", "authn.authenticate", json!({ "username": "u" }), "/verdict/allow/principal", json!("client-1")),
        ("hostile", "authz.permissions", json!({ "who": { "principal": "alice" } }), "", Value::Null),
        ("hostile", "authz.authorize-publish", json!({ "topic": "a" }), "/verdict", json!("allow")),
        ("hostile", "authz.authorize-subscribe", json!({ "filter": "a" }), "/0/verdict", json!("allow")),
        ("hostile", "authz.identity-gone", json!({ "who": "alice" }), "", Value::Null),
        ("hostile", "messages.on-publish", message(), "/0", json!("keep")),
        ("hostile", "sink.deliver", message(), "/0", json!("done")),
        ("hostile", "sink.flush", json!({}), "", Value::Null),
        ("hostile", "events.on-events", event, "", Value::Null),
        ("hostile", "lifecycle.shutdown", json!({}), "", Value::Null),
        ("challenger", "enhanced-authn.methods", json!({}), "/0", json!("CHALLENGER")),
        ("challenger", "enhanced-authn.start", start, "/challenge/state", json!("alice")),
        ("challenger", "enhanced-authn.proceed", proceed, "/allow/grant/principal", json!("alice")),
        ("caretaker", "authz-unsubscribe", json!({ "filters": ["keep/a", "a"] }), "/0/deny/code", json!(0x87)),
        (
            "caretaker",
            "authz-will",
            json!({ "will": { "topic": "a", "payload": "forbidden" } }),
            "/deny/code",
            json!(0x8A),
        ),
        ("caretaker", "admission", json!({ "listener": "tcp", "address": "::1" }), "/admit", json!(true)),
        ("caretaker", "admin", json!({ "method": "GET", "path": "/status", "query": "418" }), "/status", json!(418)),
        ("courier", "authz-deliver", json!({ "deliveries": [{ "topic": "deny/a" }] }), "/0/verdict", json!("deny")),
        (
            "importer",
            "authn",
            json!({ "username": "sha256", "password": "" }),
            "/verdict/allow/principal",
            json!(EMPTY),
        ),
    ]
}

/// The SHA-256 of nothing.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[tokio::test]
async fn components_that_were_built_for_a_track_answer_as_they_did_then() {
    for track in tracks() {
        let calls = match track.as_str() {
            "v0.1" => calls_0_1(),
            other => panic!("nothing is called that was built for {other}"),
        };
        let mut loaded: BTreeMap<&str, Alone> = BTreeMap::new();
        for (name, function, input, at, expected) in calls {
            if !loaded.contains_key(name) {
                loaded.insert(name, component(&track, name).await);
            }
            let report = within(loaded.get_mut(name).unwrap().call(function, &input)).await.unwrap();
            let answer = report.answer.unwrap_or_else(|failure| panic!("{track} {name} {function}: {failure}"));
            assert_eq!(answer.pointer(at), Some(&expected), "{track} {name} {function}: {answer}");
        }
    }
}

#[tokio::test]
async fn every_hook_and_every_import_of_a_track_has_a_component_on_record() {
    for track in tracks() {
        let (mut hooks, mut imports) = (BTreeSet::new(), BTreeSet::new());
        for name in files(&components(&track), "wasm").keys() {
            let plugin = component(&track, name.trim_end_matches(".wasm")).await;
            let found = plugin.inspection();
            assert_eq!(format!("v{}", found.track), track, "{name}");
            hooks.extend(found.functions.iter().map(|function| function.hook.name().to_owned()));
            imports.extend(found.imports.iter().map(|import| import.interface.clone()));
        }
        let frozen = files(&contract().join(&track), "wit");
        let all: BTreeSet<String> = frozen.values().flat_map(|text| exported(text)).collect();
        assert_eq!(hooks, all, "{track}");
        for import in [
            "broker",
            "clock",
            "config",
            "crypto",
            "files",
            "http",
            "identities",
            "kv",
            "log",
            "metrics",
            "passwords",
            "secrets",
            "tcp",
        ] {
            assert!(imports.contains(import), "{track}: no component imports {import}, but {imports:?}");
        }
    }
}
