//! Plugins that cannot be used, at each door by which one comes: the start, a reload of everything, a reload of one plugin. Each says
//! what is wrong and where, and a broker that runs goes on as it was.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use midge_protocol::{ProtocolVersion, ReasonCode};
use rustix::process::Signal;
use tempfile::TempDir;

use super::refused::{expect, refused};
use super::{ask, guest};
use crate::support::{Client, PATIENCE, Server};

/// A plugin that cannot be used.
struct Bad {
    /// The component.
    bytes: Vec<u8>,
    /// More keys of its `[[plugin]]`.
    more: &'static str,
    /// What is said of it.
    says: &'static [&'static str],
}

fn all() -> Vec<Bad> {
    let good = fs::read(guest("allow-all")).unwrap();
    let hostile = || fs::read(guest("hostile")).unwrap();
    let bad = |bytes: Vec<u8>, says| Bad { bytes, more: "", says };
    let with = |bytes: Vec<u8>, more, says| Bad { bytes, more, says };
    let mut corrupted = good.clone();
    let middle = corrupted.len() / 2;
    corrupted[middle..middle + 64].fill(0xff);
    vec![
        bad(Vec::new(), &["is not WebAssembly", "the file is empty"]),
        bad(good[..good.len() / 3].to_vec(), &["is no valid component"]),
        bad(corrupted, &["is no valid component"]),
        bad(
            of_another_track(&good),
            &["was built for midge:plugin/authn@0.2.0", "this broker speaks midge:plugin@0.1"],
        ),
        bad(fs::read(guest("unknown-import")).unwrap(), &["imports elsewhere:thing/gate", "this broker offers"]),
        bad(fs::read(guest("no-hooks")).unwrap(), &["at least one of midge:plugin/{"]),
        with(good.clone(), "hooks = [\"sink\"]", &["midge:plugin/sink@0.1, which the configuration names in `hooks`"]),
        with(good.clone(), "hooks = [\"autz\"]", &["plugin[0].hooks", "autz"]),
        with(
            good.clone(),
            "allow = { htp = [] }",
            &["in [[plugin]] \"suspect\": allow.htp = []: expected one of http,"],
        ),
        with(
            good.clone(),
            "allow = { http = [\"ftp://x\"] }",
            &["allow.http[0] = \"ftp://x\": expected scheme://host"],
        ),
        with(good.clone(), "allow = { kv = { a = \"16 MB\" } }", &["allow.kv.a = \"…\": expected { NAME = SIZE }"]),
        with(good.clone(), "allow = { fields = [\"username\"] }", &["allow.fields[0] = \"username\": expected"]),
        with(good, "limits = { memory_bytes_max = \"lots\" }", &["memory_bytes_max", "lots"]),
        with(hostile(), "config = { init = \"err\" }", &["refused to start", "the guest's backend failed"]),
        with(hostile(), "config = { init = \"trap\" }", &["failed to start", "trapped"]),
        with(
            hostile(),
            "config = { init = \"spin\" }\nlimits = { init_cpu_ms = 100 }",
            &["used up its processor time"],
        ),
    ]
}

/// The component, with the version of an interface that it exports changed.
fn of_another_track(component: &[u8]) -> Vec<u8> {
    let (from, to) = (b"midge:plugin/authn@0.1.0", b"midge:plugin/authn@0.2.0");
    let mut bytes = component.to_vec();
    while let Some(at) = bytes.windows(from.len()).position(|window| window == from) {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    assert_ne!(bytes, component);
    bytes
}

#[test]
fn no_broker_starts_with_it() {
    let directory = TempDir::new().unwrap();
    for Bad { bytes, more, says } in all() {
        let file = directory.path().join("suspect.wasm");
        fs::write(&file, bytes).unwrap();
        expect(&refused(&directory, &file, more), says);
    }
}

/// A broker whose plugin lets everybody in.
fn start() -> Server {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("suspect.wasm");
    fs::copy(guest("allow-all"), &file).unwrap();
    Server::beside(directory, &format!("[[plugin]]\nname = \"suspect\"\npath = {file:?}\n# more\n"))
}

/// Puts it where the plugin is loaded from, for as long as `attempt` takes.
fn install(directory: &Path, bad: &Bad, attempt: impl FnOnce()) {
    let config = directory.join("midge.toml");
    let before = fs::read_to_string(&config).unwrap();
    fs::write(&config, before.replace("# more", bad.more)).unwrap();
    fs::write(directory.join("suspect.wasm"), &bad.bytes).unwrap();
    attempt();
    fs::write(&config, before).unwrap();
}

/// That the broker is as it was.
fn goes_on(server: &Server, client: &mut Client) {
    client.ping();
    assert_eq!(ask(server, ProtocolVersion::V5, "new", "anybody").1, ReasonCode::Success);
    assert_eq!(server.metric("midge_plugin_generation", &[("plugin", "suspect")]), 1.0);
}

#[test]
fn no_reload_of_everything_takes_it() {
    let server = start();
    let mut client = Client::connect(&server, ProtocolVersion::V5, "before");
    for bad in all() {
        let before = failures(&server).len();
        install(server.directory(), &bad, || {
            server.signal(Signal::HUP);
            let deadline = Instant::now() + PATIENCE;
            // What is said may have several lines, which come one after the other.
            let is_said = |failure: &String| bad.says.iter().all(|part| failure.contains(part));
            while !failures(&server).get(before).is_some_and(is_said) {
                assert!(Instant::now() < deadline, "no failure with {:?}:\n{}", bad.says, server.log());
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        goes_on(&server, &mut client);
    }
}

/// What was said of each reload that failed.
fn failures(server: &Server) -> Vec<String> {
    let log = server.log();
    log.split("reload failed, everything stays as it was").skip(1).map(str::to_owned).collect()
}

#[test]
fn no_reload_of_one_plugin_takes_it() {
    let server = start();
    let mut client = Client::connect(&server, ProtocolVersion::V5, "before");
    for bad in all() {
        install(server.directory(), &bad, || {
            let (is_done, printed) = server.midge_plugin(&["reload", "suspect"]);
            assert!(!is_done, "{printed}");
            expect(&printed, bad.says);
        });
        goes_on(&server, &mut client);
    }
    let failed = [("plugin", "suspect"), ("outcome", "failed")];
    assert_eq!(server.metric("midge_plugin_swaps_total", &failed), all().len() as f64);
}
