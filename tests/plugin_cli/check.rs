//! `midge plugin check`.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use super::{bundled, guest, plugin, text, well};

#[test]
fn a_component_is_described_as_an_operator_would_ask() {
    let file = bundled("password-file");
    let said = well(&["check", text(&file)]);
    for part in [
        "  contract  midge:plugin@0.1\n",
        "  lane      waiting",
        "  hooks     authn              authenticate\n",
        "lifecycle          init, health, shutdown\n",
        "  imports   ",
        "files              not granted  allow.files = [\"…\"]\n",
        " MiB at first, 64.0 MiB at most\n",
        "with this config it refuses: ",
    ] {
        assert!(said.contains(part), "no {part:?} in\n{said}");
    }
}

#[test]
fn with_the_brokers_configuration_it_says_what_is_granted_and_starts() {
    let directory = TempDir::new().unwrap();
    let (component, users) = (bundled("password-file"), directory.path().join("users"));
    fs::write(
        &users,
        "alice:$6$c2FsdA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\n",
    )
    .unwrap();
    let config = directory.path().join("midge.toml");
    let plugins = "[[plugin]]\nname = \"other\"\npath = \"other.wasm\"\n[[plugin]]\npath = \"lib/password-file.wasm\"\n\
                   config = { file = \"users\" }\nallow = { files = [\"users\"] }\n";
    fs::write(&config, plugins).unwrap();
    let said = well(&["check", text(&component), "--config-file", text(&config)]);
    for part in ["files              granted\n", "  granted   reads users\n", "  start     ok\n", " once started, "] {
        assert!(said.contains(part), "no {part:?} in\n{said}");
    }
    let other = plugin(&["check", text(&guest("allow-all")), "--config-file", text(&config)]).ill();
    assert!(other.contains("no [[plugin]] has") && other.contains("it has other, lib/password-file.wasm"), "{other}");
}

#[test]
fn the_same_comes_as_json_for_programs() {
    let found: Value = serde_json::from_str(&well(&["check", text(&guest("hostile")), "--json"])).unwrap();
    assert_eq!((&found["contract"], &found["lane"]), (&"midge:plugin@0.1".into(), &"inline".into()));
    assert_eq!(found["hooks"]["authn"], serde_json::json!(["authenticate"]));
    assert_eq!(found["start"]["ok"], true);
    assert!(found["start"]["memory_bytes"].as_u64().unwrap() >= 65_536);
}

#[test]
fn what_a_broker_could_not_load_is_refused_with_what_it_needs() {
    let directory = TempDir::new().unwrap();
    let good = fs::read(guest("allow-all")).unwrap();
    let mut corrupted = good.clone();
    let middle = corrupted.len() / 2;
    corrupted[middle..middle + 64].fill(0xff);
    let other_track = replaced(&good, b"midge:plugin/authn@0.1.0", b"midge:plugin/authn@0.2.0");
    let cases: [(&str, Vec<u8>, &str); 6] = [
        ("empty", Vec::new(), "is not WebAssembly: it starts with nothing (the file is empty)"),
        ("script", b"#!/bin/sh\n".to_vec(), "is not WebAssembly"),
        ("module", b"\0asm\x01\0\0\0".to_vec(), "is a core WebAssembly module; a component is needed"),
        ("truncated", good[..good.len() / 2].to_vec(), "is no valid component"),
        ("corrupted", corrupted, "is no valid component"),
        (
            "other-track",
            other_track,
            "was built for midge:plugin/authn@0.2.0; this broker speaks midge:plugin@0.1: run it with a newer broker, or build it",
        ),
    ];
    for (name, bytes, expected) in cases {
        let file = directory.path().join(format!("{name}.wasm"));
        fs::write(&file, bytes).unwrap();
        let said = plugin(&["check", text(&file)]).ill();
        assert!(said.contains(expected) && said.contains(text(&file)), "{name}: {said}");
    }
    let missing = plugin(&["check", text(&directory.path().join("nothing.wasm"))]).ill();
    assert!(missing.contains("cannot be read"), "{missing}");
}

#[test]
fn a_component_of_another_world_is_refused_with_what_this_one_has() {
    let said = plugin(&["check", text(&guest("unknown-import"))]).ill();
    assert!(said.contains("imports elsewhere:thing/gate@1.0.0; this broker offers midge:plugin/{"), "{said}");
    let said = plugin(&["check", text(&guest("no-hooks"))]).ill();
    assert!(said.contains("exports ") && said.contains("at least one of midge:plugin/{"), "{said}");
}

#[test]
fn a_component_that_cannot_start_is_refused_and_one_that_hangs_is_stopped() {
    let file = guest("hostile");
    let said = plugin(&["check", text(&file), "--config", "init=spin"]).ill();
    assert!(said.contains("failed to start: used up its processor time"), "{said}");
    let said = plugin(&["check", text(&file), "--config", "init=panic"]).ill();
    assert!(said.contains("failed to start: trapped"), "{said}");
}

#[test]
fn an_argument_that_makes_no_sense_is_named() {
    let file = guest("allow-all");
    for (option, value, expected) in [
        ("--config", "file", "--config file: expected KEY=VALUE"),
        ("--allow", "http=ftp://x", "allow.http[0] = \"ftp://x\": expected"),
        ("--allow", "fiels=a", "expected one of http"),
        ("--config-file", "nowhere.toml", "nowhere.toml: "),
    ] {
        let said = plugin(&["check", text(&file), option, value]).ill();
        assert!(said.contains(expected), "{option} {value}: {said}");
    }
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let found: Vec<usize> = (0..=bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from)).collect();
    assert!(!found.is_empty());
    for at in found {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes
}
