//! New generations on trial: probation, canary, shadow, and the end of each.

use std::time::Instant;

use midge_protocol::ProtocolVersion;

use super::{component, done, install, is_let_in, refused, start};
use crate::support::{Client, PATIENCE, Server};

/// Deny-all has the hooks of allow-all, and nobody gets in.
const AUTHN: &str = "hooks = [\"authn\"]";

/// Waits until the status of the plugin says so.
fn status_says(server: &Server, what: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = done(server, &["status", "decides"]);
        if status.contains(what) {
            return status;
        }
        assert!(Instant::now() < deadline, "{what:?} is not in\n{status}\n{}", server.log());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn a_reloaded_plugin_answers_from_then_on_and_nobody_is_disconnected() {
    let server = start("allow-all", AUTHN, "probation_s = 0");
    let mut client = Client::connect_with(&server, ProtocolVersion::V5, "old", |hello| hello.username = Some("old")).0;
    install(&server, "deny-all");
    assert!(is_let_in(&server, "before"), "a file that was replaced is not loaded by itself");
    let printed = done(&server, &["reload", "decides"]);
    assert!(printed.contains("generation 2 is in force (promoted)"), "{printed}");
    assert!(!is_let_in(&server, "after"));
    client.ping();
    server.logged(&["a generation that was replaced is shut down", "plugin=\"decides\"", "generation=1"]);
    install(&server, "allow-all");
    done(&server, &["reload", "decides"]);
    assert!(is_let_in(&server, "again"));
    client.ping();
    let list = done(&server, &["list"]);
    assert!(list.contains("decides") && list.contains("generation 3") && list.contains("well"), "{list}");
    assert_eq!(server.metric("midge_plugin_generation", &[("plugin", "decides")]), 3.0);
}

#[test]
fn a_generation_on_probation_is_asked_and_can_be_taken_back_or_made_good() {
    let server = start("allow-all", AUTHN, "probation_s = 600");
    install(&server, "deny-all");
    let printed = done(&server, &["reload", "decides"]);
    assert!(printed.contains("generation 2 is on trial, 1 stands by (begun)"), "{printed}");
    assert!(!is_let_in(&server, "during"));
    assert!(done(&server, &["list"]).contains("generation 2 is on probation"));
    done(&server, &["abort", "decides"]);
    assert!(is_let_in(&server, "after"));
    assert!(refused(&server, &["abort", "decides"]).contains("no generation on trial"));

    done(&server, &["reload", "decides"]);
    done(&server, &["promote", "decides"]);
    assert!(!is_let_in(&server, "promoted"));
    for (outcome, times) in [("begun", 2.0), ("aborted", 1.0), ("promoted", 1.0)] {
        let labels = [("plugin", "decides"), ("outcome", outcome)];
        assert_eq!(server.metric("midge_plugin_swaps_total", &labels), times, "{outcome}");
    }
}

#[test]
fn a_generation_that_has_done_well_for_its_probation_stays() {
    let server = start("allow-all", AUTHN, "probation_s = 1");
    done(&server, &["reload", "decides"]);
    server.logged(&["a generation that was replaced is shut down", "generation=1"]);
    assert!(is_let_in(&server, "after"));
    assert!(done(&server, &["status", "decides"]).starts_with("plugin        decides, generation 2\n"));
}

#[test]
fn a_canary_is_asked_about_a_tenth_of_the_clients_and_always_the_same() {
    let server = start("allow-all", AUTHN, "");
    install(&server, "deny-all");
    done(&server, &["reload", "decides", "--canary", "10"]);
    let names: Vec<String> = (0..500).map(|number| format!("client-{number}")).collect();
    let shut_out: Vec<&String> = names.iter().filter(|name| !is_let_in(&server, name)).collect();
    assert!((40..=60).contains(&shut_out.len()), "{} of 500", shut_out.len());
    assert!(shut_out.iter().all(|name| !is_let_in(&server, name)), "a client is always on the same side");
    assert!(done(&server, &["list"]).contains("generation 2 serves 10 % of the clients"));
    done(&server, &["abort", "decides"]);
    assert!(shut_out.iter().all(|name| is_let_in(&server, name)));

    done(&server, &["reload", "decides", "--canary", "10"]);
    done(&server, &["promote", "decides"]);
    assert!(names.iter().take(20).all(|name| !is_let_in(&server, name)));
}

#[test]
fn a_generation_that_traps_is_rolled_back_by_itself_and_no_client_notices() {
    let server = start("allow-all", AUTHN, "probation_s = 600");
    install(&server, "hostile");
    done(&server, &["reload", "decides"]);
    // What hostile does is named by the user name: it traps over each of these, and allow-all does not.
    for number in 0..4 {
        let (_, reason) = crate::hostile::ask(&server, ProtocolVersion::V5, &format!("victim-{number}"), "trap");
        assert!(!reason.is_error(), "victim {number}: {reason}");
    }
    let line = server.logged(&["was rolled back", "plugin=\"decides\"", "broke down over"]);
    assert!(line.contains("ERROR"), "{line}");
    status_says(&server, "rolled back");
    let (_, reason) = crate::hostile::ask(&server, ProtocolVersion::V5, "later", "trap");
    assert!(!reason.is_error());
    assert_eq!(server.metric("midge_plugin_generation", &[("plugin", "decides")]), 1.0);
    assert_eq!(server.metric("midge_plugin_swaps_total", &[("plugin", "decides"), ("outcome", "rolled_back")]), 1.0);
    assert!(done(&server, &["list"]).contains("the last new generation was rolled back"));
}

#[test]
fn a_generation_whose_backend_fails_is_rolled_back_when_its_breaker_opens() {
    let server = start("allow-all", AUTHN, "probation_s = 600");
    install(&server, "hostile");
    done(&server, &["reload", "decides"]);
    for number in 0..6 {
        let (_, reason) = crate::hostile::ask(&server, ProtocolVersion::V5, &format!("victim-{number}"), "err");
        assert!(!reason.is_error(), "victim {number}: {reason}");
    }
    server.logged(&["was rolled back", "circuit breaker for authn opened"]);
}

#[test]
fn a_shadow_is_not_obeyed_and_its_disagreements_are_listed() {
    let server = start("allow-all", AUTHN, "disagreements_max = 3");
    install(&server, "deny-all");
    done(&server, &["reload", "decides", "--shadow"]);
    for name in ["ann", "ben", "cat", "dan"] {
        assert!(is_let_in(&server, name), "{name}: the old generation is obeyed");
    }
    let status = status_says(&server, "client \"dan\"");
    assert!(status.contains("0 answers the same, 4 not"), "{status}");
    let line = status.lines().find(|line| line.contains("client \"dan\"")).unwrap();
    assert!(
        ["authn \"dan\"", "allow Grant", "deny 0x", "nobody may come in"].iter().all(|it| line.contains(it)),
        "{line}"
    );
    assert!(!status.contains("client \"ann\""), "the oldest made room:\n{status}");
    let labels = [("plugin", "decides"), ("outcome", "disagreed")];
    assert_eq!(server.metric("midge_plugin_shadow_answers_total", &labels), 4.0);
    let json = done(&server, &["status", "decides", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["trial"]["shadow"]["disagreements"][2]["client_id"], "dan");

    done(&server, &["promote", "decides"]);
    assert!(!is_let_in(&server, "eve"));
}

#[test]
fn what_cannot_be_loaded_is_refused_with_its_reason_and_changes_nothing() {
    let server = start("allow-all", AUTHN, "");
    let mut client = Client::connect(&server, ProtocolVersion::V5, "old");
    std::fs::write(component(&server), "garbage").unwrap();
    let printed = refused(&server, &["reload", "decides"]);
    assert!(printed.contains("is not WebAssembly") && printed.contains("decides.wasm"), "{printed}");
    assert!(refused(&server, &["reload", "nobody"]).contains("there is no plugin \"nobody\"; there is \"decides\""));
    assert!(refused(&server, &["reload", "no/name"]).contains("is no name of a plugin"));
    assert!(refused(&server, &["promote", "decides"]).contains("no generation on trial"));
    install(&server, "count-sink");
    assert!(refused(&server, &["reload", "decides"]).contains("authn"), "it has no such hook");

    let file = server.directory().join("midge.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, config.replace("hooks = [\"authn\"]", "config = { health = \"err\" }\nhooks = [\"authn\"]"))
        .unwrap();
    install(&server, "hostile");
    let printed = refused(&server, &["reload", "decides"]);
    assert!(printed.contains("the guest's backend failed") && printed.contains("not well"), "{printed}");
    assert!(is_let_in(&server, "after"));
    client.ping();
    assert_eq!(server.metric("midge_plugin_generation", &[("plugin", "decides")]), 1.0);
    let failed = [("plugin", "decides"), ("outcome", "failed")];
    assert_eq!(server.metric("midge_plugin_swaps_total", &failed), 3.0);
}

#[test]
fn a_reload_takes_the_plugins_configuration_as_it_is_now() {
    let server = start("permission-grantor", "", "probation_s = 0");
    let welcome = |name: &str| {
        let mut client = Client::open(server.address(), ProtocolVersion::V5);
        let mut hello = crate::support::client::connect(ProtocolVersion::V5, name);
        hello.username = Some(name);
        client.send(&midge_protocol::Packet::Connect(Box::new(hello)));
        client.connack(|connack| connack.properties.assigned_client_id.map(str::to_owned))
    };
    assert_eq!(welcome("ann"), None);
    let file = server.directory().join("midge.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, config.replace("[swap]", "config = { client_id = \"given\" }\n[swap]")).unwrap();
    done(&server, &["reload", "decides"]);
    assert_eq!(welcome("ann").as_deref(), Some("given"));
}
