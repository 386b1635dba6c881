//! The whole configuration is reloaded (SIGHUP): its plugins are on probation, each by itself.

use std::process::Command;
use std::time::Instant;

use midge_protocol::ProtocolVersion;
use rustix::process::Signal;

use super::{component, configure, done, install, is_let_in, start};
use crate::hostile::{ask, guest};
use crate::support::{PATIENCE, Server};

const AUTHN: &str = "hooks = [\"authn\"]";

fn reload(server: &Server) {
    server.signal(Signal::HUP);
    server.logged(&["reloaded: plugins and certificates are the new ones"]);
}

/// Has `hostile` trap over each of these, which its predecessor does not.
fn break_over_some(server: &Server) {
    for number in 0..4 {
        let (_, reason) = ask(server, ProtocolVersion::V5, &format!("victim-{number}"), "trap");
        assert!(!reason.is_error(), "victim {number}: {reason}");
    }
}

fn generation(server: &Server, plugin: &str) -> f64 {
    server.metric("midge_plugin_generation", &[("plugin", plugin)])
}

#[test]
fn a_plugin_that_traps_after_a_reload_of_everything_is_rolled_back_and_the_others_stay() {
    let more =
        format!("{AUTHN}\n[[plugin]]\nname = \"other\"\npath = {:?}\nhooks = [\"events\"]", guest("event-counter"));
    let server = start("allow-all", &more, "probation_s = 600");
    install(&server, "hostile");
    reload(&server);
    break_over_some(&server);
    let line = server.logged(&["was rolled back", "plugin=\"decides\"", "broke down over"]);
    assert!(line.contains("ERROR"), "{line}");
    assert!(!ask(&server, ProtocolVersion::V5, "later", "trap").1.is_error());
    let list = done(&server, &["list"]);
    assert!(list.contains("the last new generation was rolled back"), "{list}");
    assert!(
        list.lines().any(|line| line.starts_with("other") && line.contains("generation 2 is on probation")),
        "{list}"
    );
    done(&server, &["promote", "other"]);
    assert_eq!((generation(&server, "decides"), generation(&server, "other")), (1.0, 2.0));
}

#[test]
fn plugins_that_have_done_well_after_a_reload_of_everything_stay_and_without_probation_at_once() {
    let server = start("allow-all", AUTHN, "probation_s = 1");
    install(&server, "deny-all");
    reload(&server);
    assert!(!is_let_in(&server, "after"));
    server.logged(&["a generation that was replaced is shut down", "plugin=\"decides\"", "generation=1"]);
    assert!(!is_let_in(&server, "later"));
    assert_eq!(generation(&server, "decides"), 2.0);

    configure(&server, "probation_s = 1", "probation_s = 0");
    install(&server, "allow-all");
    server.signal(Signal::HUP);
    server.logged(&["a generation that was replaced is shut down", "plugin=\"decides\"", "generation=2"]);
    assert!(is_let_in(&server, "again"));
}

#[test]
fn a_second_reload_of_everything_is_content_with_what_is_on_probation() {
    let server = start("allow-all", AUTHN, "probation_s = 600");
    install(&server, "deny-all");
    reload(&server);
    install(&server, "hostile");
    server.signal(Signal::HUP);
    server.logged(&["a generation that was replaced is shut down", "generation=1"]);
    // Deny-all stands by, and nobody whom hostile traps over is let in.
    assert!(is_let_in(&server, "anybody"));
    assert!(ask(&server, ProtocolVersion::V5, "victim", "trap").1.is_error());
}

#[test]
fn a_plugin_with_other_hooks_and_a_new_one_are_in_force_at_once() {
    let server = start("allow-all", AUTHN, "probation_s = 600");
    configure(&server, AUTHN, "hooks = [\"authn\", \"authz\"]");
    reload(&server);
    server.logged(&["a generation that was replaced is shut down", "generation=1"]);
    let list = done(&server, &["list"]);
    assert!(list.contains("generation 2") && !list.contains("on probation"), "{list}");
}

#[test]
fn a_generation_that_breaks_is_rolled_back_while_another_plugin_is_still_being_loaded() {
    let more = format!("{AUTHN}\n[[plugin]]\nname = \"slow\"\npath = \"SLOW\"\nhooks = [\"events\"]");
    let server = {
        let directory = tempfile::TempDir::new().unwrap();
        let [file, slow] = ["decides.wasm", "slow.wasm"].map(|name| directory.path().join(name));
        std::fs::copy(guest("allow-all"), &file).unwrap();
        std::fs::copy(guest("event-counter"), &slow).unwrap();
        let more = more.replace("SLOW", slow.to_str().unwrap());
        let config = format!("[[plugin]]\nname = \"decides\"\npath = {file:?}\n{more}\n[swap]\nprobation_s = 600\n");
        Server::beside(directory, &config)
    };
    install(&server, "hostile");
    done(&server, &["reload", "decides"]);
    // Who reads a pipe waits for whoever writes it.
    let slow = server.directory().join("slow.wasm");
    std::fs::remove_file(&slow).unwrap();
    assert!(Command::new("mkfifo").arg(&slow).status().unwrap().success());
    std::thread::scope(|scope| {
        let loading = scope.spawn(|| server.midge_plugin(&["reload", "slow"]));
        break_over_some(&server);
        let deadline = Instant::now() + PATIENCE;
        let rolled_back = loop {
            if server.log().contains("was rolled back") {
                break true;
            }
            if Instant::now() > deadline {
                break false;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        };
        // Whatever came of it, the pipe must be written, or nobody ends.
        assert!(!loading.is_finished());
        std::fs::write(&slow, std::fs::read(guest("event-counter")).unwrap()).unwrap();
        let (is_done, printed) = loading.join().unwrap();
        assert!(rolled_back && is_done, "{printed}\n{}", server.log());
    });
    assert_eq!(generation(&server, "decides"), 1.0);
    assert!(component(&server).exists());
}
