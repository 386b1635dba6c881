//! Names with `+`, `#` and `/` in them, and rules with `%c` and `%u`: a name is a name and never a filter.

use midge_protocol::{ProtocolVersion, QoS, ReasonCode};
use tempfile::TempDir;

use super::{ask, bundled, guest, plugin};
use crate::support::{Client, Server};

const RULES: &str = "pattern readwrite users/%u/#\npattern readwrite devices/%c\ntopic read public/#\n";

/// Names that would reach further than one level, were they filled in as they are.
const SMUGGLERS: &[&str] = &["#", "+", "+/#", "alice/secret", "alice/#", "/", "alice/", "a+", "a#", "$share/g/#"];

/// Where the rules are evaluated: by the core, or by the plugin host behind a plugin that wants to be asked.
fn houses() -> [Server; 2] {
    ["", "authorizer"].map(|before| {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("rules");
        std::fs::write(&file, RULES).unwrap();
        let first = if before.is_empty() { String::new() } else { plugin(before, "") };
        let config = format!(
            "{}{first}[[plugin]]\npath = {:?}\nconfig = {{ file = {file:?} }}\nallow = {{ files = [{file:?}] }}\n",
            format_args!("[[plugin]]\npath = {:?}\nhooks = [\"authn\"]\n", guest("allow-all")),
            bundled("acl-file"),
        );
        Server::beside(directory, &config)
    })
}

fn client(server: &Server, client_id: &str, username: &str) -> Client {
    let (client, reason) = ask(server, ProtocolVersion::V5, client_id, username);
    assert_eq!(reason, ReasonCode::Success, "{client_id} {username}");
    client
}

fn may_nothing(client: &mut Client, who: &str) {
    let filters = [
        "#",
        "+",
        "+/#",
        "users/#",
        "users/+",
        "users/+/#",
        "users/alice/#",
        "users/alice/secret",
        "users/alice/secret/#",
        "devices/#",
        "devices/+",
        "devices/alice",
        "devices/alice/secret",
        "$share/g/users/alice/#",
        "$share/g/#",
    ];
    for filter in filters {
        assert_eq!(
            client.subscribe(filter, QoS::AtMostOnce),
            ReasonCode::NotAuthorized,
            "{who} subscribes to {filter}"
        );
    }
    for topic in [
        "users/alice/diary",
        "users/alice/secret",
        "users/alice/secret/more",
        "users/",
        "devices/alice",
        "devices/alice/secret",
    ] {
        assert_eq!(
            client.publish(topic, "x", QoS::AtLeastOnce),
            ReasonCode::NotAuthorized,
            "{who} publishes to {topic}"
        );
    }
    assert_eq!(client.subscribe("public/#", QoS::AtMostOnce), ReasonCode::Success, "{who}: other rules still hold");
}

#[test]
fn a_user_name_never_becomes_levels_or_wildcards_of_a_rule() {
    for server in houses() {
        let mut alice = client(&server, "witness", "alice");
        assert_eq!(alice.subscribe("users/alice/#", QoS::AtMostOnce), ReasonCode::Success);
        for name in SMUGGLERS {
            may_nothing(&mut client(&server, "smuggler", name), name);
        }
        alice.expect_nothing();
    }
}

#[test]
fn a_client_id_never_becomes_levels_or_wildcards_of_a_rule() {
    for server in houses() {
        for name in SMUGGLERS {
            may_nothing(&mut client(&server, name, "nobody"), name);
        }
        let mut alice = client(&server, "alice", "nobody");
        assert_eq!(alice.subscribe("devices/alice", QoS::AtMostOnce), ReasonCode::Success);
        assert!(!alice.publish("devices/alice", "x", QoS::AtLeastOnce).is_error());
    }
}

#[test]
fn a_principal_that_no_topic_could_hold_has_no_rights_by_its_name() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("rules");
    std::fs::write(&file, RULES).unwrap();
    let config = format!(
        "{}[[plugin]]\npath = {:?}\nconfig = {{ file = {file:?} }}\nallow = {{ files = [{file:?}] }}\n",
        plugin("hostile", "hooks = [\"authn\"]"),
        bundled("acl-file"),
    );
    let server = Server::beside(directory, &config);
    may_nothing(&mut client(&server, "odd", "odd-answer"), "an odd principal");
}
