//! Plugins with which no broker starts: it ends with 2, and says which plugin, which file, and what would be accepted.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{bundled, guest};
use crate::support::Server;

/// Starts with this `[[plugin]]`, which must fail; what the broker said.
pub(super) fn refused(directory: &TempDir, file: &Path, more: &str) -> String {
    let config = directory.path().join("midge.toml");
    let listener = "[[listener]]\naddress = \"127.0.0.1:0\"\n[admin]\nenabled = false\n";
    let data = format!("[runtime]\ndata_dir = {:?}\n", directory.path().join("data"));
    let plugin = format!("[[plugin]]\nname = \"suspect\"\npath = {file:?}\n{more}\n");
    fs::write(&config, format!("{listener}{data}{plugin}")).unwrap();
    let output = Server::output(&["run", "--config", config.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{more}: {said}");
    assert_eq!(output.stdout, b"", "it did not start");
    said
}

pub(super) fn expect(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "no {part:?} in: {said}");
    }
}

/// A file that stands in for a component.
fn fake(directory: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let file = directory.path().join(name);
    fs::write(&file, bytes).unwrap();
    file
}

#[test]
fn files_that_are_no_component_are_refused_by_name_and_kind() {
    let directory = TempDir::new().unwrap();
    let whole = fs::read(guest("allow-all")).unwrap();
    let cases: &[(&str, &[u8], &[&str])] = &[
        ("text.wasm", b"#!/bin/sh\n", &["is not WebAssembly", "#!/bin/sh", "a WebAssembly component is needed"]),
        ("empty.wasm", b"", &["is not WebAssembly", "a WebAssembly component is needed"]),
        ("module.wasm", b"\0asm\x01\0\0\0", &["is a core WebAssembly module", "a component is needed", "wasm-tools"]),
        ("truncated.wasm", &whole[..whole.len() / 2], &["is no valid component"]),
        ("header.wasm", &whole[..8], &["exports", "at least one of", "authn"]),
    ];
    for (name, bytes, parts) in cases {
        let said = refused(&directory, &fake(&directory, name, bytes), "");
        expect(&said, &["suspect", name]);
        expect(&said, parts);
    }
    let said = refused(&directory, &directory.path().join("missing.wasm"), "");
    expect(&said, &["suspect", "missing.wasm", "No such file", "a readable WebAssembly component is needed"]);
    let said = refused(&directory, directory.path(), "");
    expect(&said, &["suspect", "cannot be read"]);
}

#[test]
fn a_component_that_is_not_the_pinned_one_is_refused_with_both_digests() {
    let directory = TempDir::new().unwrap();
    let pinned = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let said = refused(&directory, &guest("allow-all"), &format!("sha256 = {pinned:?}"));
    expect(&said, &["suspect", "allow-all.wasm", "SHA-256", pinned, "accepts only"]);
    let said = refused(&directory, &guest("allow-all"), "sha256 = \"e3b0\"");
    expect(&said, &["midge.toml", "plugin[0].sha256", "e3b0", "64 hexadecimal digits"]);
}

#[test]
fn components_of_another_contract_are_refused_by_what_they_lack() {
    let directory = TempDir::new().unwrap();
    let said = refused(&directory, &guest("no-hooks"), "");
    expect(&said, &["suspect", "no-hooks.wasm", "at least one of", "authn", "authz", "messages", "sink", "events"]);
    let said = refused(&directory, &guest("unknown-import"), "");
    expect(&said, &["suspect", "unknown-import.wasm", "elsewhere:thing/gate", "this broker offers", "midge:plugin"]);
    let said = refused(&directory, &guest("count-sink"), "hooks = [\"authn\"]");
    expect(&said, &["suspect", "count-sink.wasm", "sink", "authn"]);
    let said = refused(&directory, Path::new("bundled:password-fiel"), "");
    expect(&said, &["bundled:password-fiel", "password-file", "acl-file", "http-forward"]);
}

#[test]
fn an_init_that_fails_traps_or_loops_ends_the_start_with_what_it_did() {
    let directory = TempDir::new().unwrap();
    let cases: &[(&str, &str)] = &[
        ("err", "the guest's backend failed"),
        ("trap", "failed to start"),
        ("panic", "failed to start"),
        ("memory-bomb", "memory"),
        ("spin", "processor time"),
        ("slow", "processor time"),
    ];
    for (crime, part) in cases {
        let more = format!("config = {{ init = {crime:?} }}\nlimits = {{ init_cpu_ms = 200 }}");
        let said = refused(&directory, &guest("hostile"), &more);
        expect(&said, &["suspect", "hostile.wasm", part]);
    }
}

#[test]
fn a_configuration_that_the_plugin_rejects_ends_the_start_with_its_words() {
    let directory = TempDir::new().unwrap();
    let said = refused(&directory, &bundled("acl-file"), "");
    expect(&said, &["suspect", "acl-file.wasm", "refused to start", "file"]);
    let said = refused(&directory, &bundled("acl-file"), "config = { file = \"rules\", fiel = \"x\" }");
    expect(&said, &["suspect", "acl-file.wasm", "fiel"]);
    let rules = fake(&directory, "rules", b"topic read a/#\ntopics read b/#\n");
    let more = format!("config = {{ file = {rules:?} }}\nallow = {{ files = [{rules:?}] }}");
    expect(&refused(&directory, &bundled("acl-file"), &more), &["suspect", "acl-file.wasm", "rules", "2", "topics"]);
    let missing = directory.path().join("nobody");
    let more = format!("config = {{ file = {missing:?} }}\nallow = {{ files = [{missing:?}] }}");
    expect(&refused(&directory, &bundled("password-file"), &more), &["suspect", "password-file.wasm", "nobody"]);
}
