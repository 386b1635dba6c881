//! Every kind of mistake and the exact words about it.

use super::*;

/// The problems of a file, a line each.
fn problems(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

#[test]
fn a_mistake_is_told_with_its_place_its_value_and_what_would_be_accepted() {
    let address = "an IP address and a port, such as \"127.0.0.1:1883\" or \"[::]:1883\"";
    for (text, message) in [
        ("[limits", "midge.toml:1:8: not TOML: unclosed table, expected `]`".to_owned()),
        ("[[listener]]\naddress = \"localhost\"", format!("midge.toml:2:11: listener[0].address = \"localhost\": expected {address}")),
        ("[[listener]]\naddress = 1883", format!("midge.toml:2:11: listener[0].address = 1883: expected {address}")),
        ("[[listener]]\nadress = \"\"", "midge.toml:2:1: listener[0].adress: there is no such key; did you mean address?".into()),
        ("[listeners]", "midge.toml:1:2: listeners: there is no such key; did you mean listener?".into()),
        (
            "[sys]\nfrequency = 1",
            "midge.toml:2:1: sys.frequency: there is no such key; known here are interval_s".into(),
        ),
        ("[listener]\n", "midge.toml:1:1: listener = { … }: expected a list of tables, each under [[listener]]".into()),
        (
            "limits = 1",
            "midge.toml:1:10: limits = 1: expected a table with connections_max, refusals_max, ".into(),
        ),
        (
            "[limits]\nreceive_maximum = 0",
            "midge.toml:2:19: limits.receive_maximum = 0: expected an integer from 1 to 65535".into(),
        ),
        (
            "[limits]\nreceive_maximum = -1",
            "midge.toml:2:19: limits.receive_maximum = -1: expected an integer from 1 to 65535".into(),
        ),
        (
            "[limits]\nqueued_bytes_max = \"1MB\"",
            "midge.toml:2:20: limits.queued_bytes_max = \"1MB\": expected a size from \"1KiB\" to \"1024GiB\", such as \"64KiB\" or \"1MiB\"".into(),
        ),
        ("[admin]\nenabled = \"yes\"", "midge.toml:2:11: admin.enabled = \"yes\": expected true or false".into()),
        ("[log]\nformat = \"xml\"", "midge.toml:2:10: log.format = \"xml\": expected \"text\" or \"json\"".into()),
        (
            "[[listener]]\naddress = \"127.0.0.1:1\"\nversions = [\"4\"]",
            "midge.toml:3:12: listener[0].versions = [\"4\"]: expected a list of \"3.1\", \"3.1.1\" or \"5\"".into(),
        ),
        (
            "[[plugin]]\npath = \"a.wasm\"\nhooks = [\"authx\"]",
            "midge.toml:3:9: plugin[0].hooks = [\"authx\"]: expected a list, each one of \"authn\", \"enhanced-authn\", \"authz\", \"authz-unsubscribe\", \"authz-will\", \"authz-deliver\", \"messages\", \"sink\", \"events\", \"ticker\", \"admission\" or \"admin\"".into(),
        ),
        (
            "[[plugin]]\npath = \"a.wasm\"\ntopics = [\"a/#/b\"]",
            "midge.toml:3:10: plugin[0].topics = [\"a/#/b\"]: expected a list, each a topic filter, such as \"sensors/#\"".into(),
        ),
        (
            "[store]\ndurability = \"disk\"",
            "midge.toml:2:14: store.durability = \"disk\": expected \"fsync\", \"os\" or \"memory\"".into(),
        ),
        (
            "[[store.topics]]\nfilter = \"$share/a/b\"",
            "midge.toml:2:10: store.topics[0].filter = \"$share/a/b\": expected a topic filter, such as \"telemetry/#\"".into(),
        ),
        (
            "[store.topics]\n\"telemetry/#\" = \"memory\"",
            "midge.toml:1:1: store.topics = { … }: expected a list of tables, each under [[store.topics]]".into(),
        ),
        (
            "[[plugin]]\npath = \"a.wasm\"\nsha256 = \"12\"",
            "midge.toml:3:10: plugin[0].sha256 = \"12\": expected 64 hexadecimal digits".into(),
        ),
    ] {
        let told = problems(text);
        assert!(told.starts_with(&message), "{text}\n told: {told}\nmeant: {message}");
    }
}

#[test]
fn keys_that_contradict_each_other_are_told() {
    for (text, message) in [
        (
            "[[listener]]\nname = \"a\"",
            "midge.toml:1:1: listener[0]: address is missing; add for example address = \"127.0.0.1:1883\"",
        ),
        (
            "[[plugin]]\nname = \"a\"",
            "midge.toml:1:1: plugin[0]: path is missing; add for example path = \"auth.wasm\" or \"bundled:password-file\"",
        ),
        (
            "[[listener]]\naddress = \"127.0.0.1:1\"\npath = \"/x\"",
            "midge.toml:3:1: listener[0].path = \"/x\": only protocol = \"ws\" has an HTTP path",
        ),
        (
            "[[listener]]\naddress = \"127.0.0.1:1\"\ntls.key = \"k\"",
            "midge.toml:3:1: listener[0].tls: certificate is missing; add for example certificate = \"server.pem\"",
        ),
        (
            "[[listener]]\naddress = \"127.0.0.1:1\"\ntls = { certificate = \"c\", key = \"k\", client_certificate = \"required\" }",
            "midge.toml:3:1: listener[0].tls: client_ca is missing; add for example client_ca = \"clients.pem\"",
        ),
        (
            "[[listener]]\naddress = \"127.0.0.1:1\"\ntls = { certificate = \"c\", key = \"k\", client_ca = \"ca\" }",
            "midge.toml:3:39: listener[0].tls.client_ca = \"ca\": without effect: say client_certificate = \"optional\" or \"required\" too",
        ),
        (
            "[[listener]]\naddress = \"127.0.0.1:1\"\n[[listener]]\naddress = \"127.0.0.1:1\"",
            "midge.toml:4:1: listener[1].address = \"127.0.0.1:1\": listener[0] has this address already",
        ),
        (
            "[[plugin]]\npath = \"x/a.wasm\"\n[[plugin]]\npath = \"bundled:a\"",
            "midge.toml:3:1: plugin[1].name = \"a\": plugin[0] has this name already",
        ),
        (
            "[[store.topics]]\nfilter = \"a/#\"",
            "midge.toml:1:1: store.topics[0]: durability is missing; add for example durability = \"memory\"",
        ),
        (
            "[[store.topics]]\nfilter = \"a\"\ndurability = \"os\"\n[[store.topics]]\nfilter = \"a\"\ndurability = \"fsync\"",
            "midge.toml:5:1: store.topics[1].filter = \"a\": store.topics[0] has this filter already",
        ),
        (
            "[admin]\naddress = \"0.0.0.0:9883\"",
            "midge.toml:2:1: admin.address = \"0.0.0.0:9883\": the admin port has no authentication and would be open to other \
             machines; use a loopback address, or say allow_remote = true in [admin]",
        ),
        (
            "[[listener]]\naddress = \"0.0.0.0:1883\"",
            "midge.toml:2:1: listener[0].address = \"0.0.0.0:1883\": it is open to other machines and no plugin authenticates \
             them; add one, such as path = \"bundled:password-file\" in a [[plugin]], or say anonymous = true in this [[listener]]",
        ),
        (
            "[[listener]]\naddress = \"127.0.0.1:1883\"\nanonymous = false",
            "midge.toml:3:1: listener[0].anonymous = false: nobody could connect, since no plugin authenticates; add one, such \
             as path = \"bundled:password-file\" in a [[plugin]]",
        ),
    ] {
        assert_eq!(problems(text), message);
    }
}

#[test]
fn every_mistake_of_a_file_is_told_at_once() {
    let told = problems("[log]\nformat = 1\nlevel = 2\n[sys]\ninterval_s = \"1s\"\n");
    assert_eq!(told.lines().count(), 3, "{told}");
}

#[test]
fn a_grant_that_is_none_is_told_with_the_plugin_and_the_key() {
    let told = problems("[[plugin]]\npath = \"a.wasm\"\n[plugin.allow]\nhttp = [\"*\"]\n");
    assert!(told.starts_with("midge.toml:3:9: plugin[0].allow: ") && told.contains("http[0]"), "{told}");
}

#[test]
fn a_persistent_store_needs_one_on_disk() {
    let text = "[store]\ndurability = \"memory\"\n[[plugin]]\npath = \"a.wasm\"\n\
                allow.kv = { bans = { size = \"1MiB\", persistent = true } }\n";
    let told = problems(text);
    assert!(
        told.starts_with("midge.toml:5:1: plugin[0].allow: kv.bans is persistent, and with store.durability"),
        "{told}"
    );
    let kept = format!("{text}[[store.topics]]\nfilter = \"a\"\ndurability = \"os\"\n");
    assert!(read(&kept).is_ok());
}

#[test]
fn a_bundled_plugin_that_is_not_there_is_told_with_those_that_are() {
    let config = read("[[plugin]]\npath = \"bundled:acl\"").unwrap();
    let told = |bundled| config.plugin_specs(bundled).unwrap_err().to_string();
    assert_eq!(
        told(&[]),
        "midge.toml:2:1: plugin[0].path = \"bundled:acl\": this midge was built without bundled plugins; `cargo xtask build` \
         (or `cargo xtask run`) builds one with them, or give the path of a .wasm file"
    );
    assert_eq!(
        told(&[("acl-file", b""), ("password-file", b"")]),
        "midge.toml:2:1: plugin[0].path = \"bundled:acl\": there is no such bundled plugin; this midge has acl-file, password-file"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let told = Config::load(Some(Path::new("/nowhere/midge.toml")), &[]).unwrap_err().to_string();
    assert!(told.starts_with("/nowhere/midge.toml: cannot be read: "), "{told}");
}
