#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use reqwest::Url;
use serde_json::json;

use super::*;

fn grants(allow: &serde_json::Value) -> Grants {
    Grants::from_json("jwt", allow, Path::new("/etc/midge")).unwrap()
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

#[test]
fn nothing_is_granted_by_default() {
    let grants = grants(&json!({}));
    assert!(grants.http(&url("https://a.test/")).is_err());
    assert!(grants.publish("a").is_err());
    assert!(grants.disconnect().is_err());
    assert!(grants.revoke().is_err());
    assert_eq!((grants.files().count(), grants.secrets().count(), grants.stores().count()), (0, 0, 0));
    assert!(grants.describe().is_empty());
}

#[test]
fn a_denial_names_the_line_that_would_allow_it() {
    let none = grants(&json!({}));
    let cases = [
        (none.http(&url("https://idp.test:8443/keys")).unwrap_err(), ": allow.http = [\"https://idp.test:8443\"]"),
        (none.publish("alerts/a").unwrap_err(), ": allow.publish = [\"alerts/a\"]"),
        (none.disconnect().unwrap_err(), ": allow.disconnect = true"),
        (none.revoke().unwrap_err(), ": allow.revoke = true"),
        (none.no_file("a.txt"), ": allow.files = [\"a.txt\"]"),
        (none.no_append("a.jsonl"), ": allow.append = { \"a.jsonl\" = \"64MiB\" }"),
        (none.no_store("cache"), ": allow.kv = { \"cache\" = \"16MiB\" }"),
        (none.no_store("acl/cache"), ": allow.kv = { \"acl/cache\" = true }"),
    ];
    for (denial, line) in cases {
        assert!(denial.to_string().ends_with(line), "{denial}");
    }
}

#[test]
fn the_line_a_denial_names_does_allow_it() {
    let allowed = grants(&json!({
        "http": ["https://idp.test:8443"], "publish": ["alerts/a"], "disconnect": true, "revoke": true,
        "files": ["a.txt"], "append": {"a.jsonl": "64MiB"}, "kv": {"cache": "16MiB", "acl/cache": true}
    }));
    assert!(allowed.http(&url("https://idp.test:8443/keys")).is_ok());
    assert!(allowed.publish("alerts/a").is_ok());
    assert!(allowed.disconnect().is_ok());
    assert!(allowed.revoke().is_ok());
    assert_eq!(allowed.files().collect::<Vec<_>>(), [("a.txt", Path::new("/etc/midge/a.txt"))]);
    let appended = AppendGrant { path: "/etc/midge/a.jsonl".into(), bytes_max: 64 << 20, keep: 0 };
    assert_eq!(allowed.append().collect::<Vec<_>>(), [("a.jsonl", &appended)]);
    assert_eq!(
        allowed.stores().collect::<Vec<_>>(),
        [("acl/cache", StoreGrant::Foreign), ("cache", StoreGrant::Own { bytes_max: 16 << 20, is_persistent: false })]
    );
}

#[test]
fn addresses_are_judged_again_after_the_name_was_granted() {
    let strict = json!({"http": ["http://auth.test", "http://127.0.0.1:8080"]});
    let private = json!({"http": ["http://auth.test"], "http_private": true});
    let localhost = json!({"http": ["http://localhost"]});
    let cases = [
        (&strict, "auth.test", "93.184.216.34", true),
        (&strict, "auth.test", "10.0.0.1", false),
        (&strict, "auth.test", "127.0.0.1", true),
        (&strict, "auth.test", "::ffff:127.0.0.1", true),
        (&strict, "auth.test", "127.0.0.2", false),
        (&private, "auth.test", "10.0.0.1", true),
        (&private, "auth.test", "127.0.0.1", false),
        (&private, "auth.test", "169.254.169.254", false),
        (&private, "auth.test", "::ffff:169.254.169.254", false),
        (&localhost, "localhost", "127.0.0.1", true),
        (&localhost, "localhost", "::1", true),
        (&localhost, "localhost", "10.0.0.1", false),
        (&localhost, "auth.test", "127.0.0.1", false),
    ];
    for (allow, host, address, allowed) in cases {
        assert_eq!(
            grants(allow).http_address(host, address.parse().unwrap()).is_ok(),
            allowed,
            "{allow} {host} {address}"
        );
    }
}

#[test]
fn a_literal_address_needs_to_be_listed_itself() {
    let grants = grants(&json!({"http": ["http://127.0.0.1:8080"]}));
    assert!(grants.http(&url("http://127.0.0.1:8080/x")).is_ok());
    assert!(grants.http(&url("http://[::ffff:7f00:1]:8080/x")).is_ok());
    assert!(grants.http(&url("http://127.0.0.1:8081/x")).is_err());
    assert!(grants.http(&url("http://169.254.169.254/latest")).is_err());
}

#[test]
fn a_wrong_entry_is_refused_with_key_value_and_what_is_expected() {
    let cases = [
        (json!({"htp": []}), "htp = []: expected one of http,"),
        (json!({"http": "https://a.test"}), "http = \"https://a.test\": expected a list of origins"),
        (json!({"http": ["https://a.test", "*"]}), "http[1] = \"*\": expected scheme://host"),
        (json!({"http_private": 1}), "http_private = 1: expected true or false"),
        (json!({"publish": ["a/#/b"]}), "publish[0] = \"a/#/b\": expected an MQTT topic filter"),
        (json!({"fields": ["username"]}), "fields[0] = \"username\": expected a list of \"password\""),
        (json!({"kv": {"a": "16 MB"}}), "kv.a = \"…\": expected { NAME = SIZE }"),
        (json!({"append": ["a"]}), "append = [\"a\"]: expected { PATH = SIZE }"),
        (json!({"append": {"a": "64MB"}}), "append.a = \"…\": expected { PATH = SIZE }"),
        (json!({"append": {"a": {"keep": 1}}}), "append.a = { keep = … }: expected { PATH = SIZE }"),
        (json!({"append": {"a": {"size": "1MiB", "keep": 1001}}}), "append.a = { keep = …, size = … }: expected"),
        (json!({"append": {"": "1MiB"}}), "append. = \"…\": expected { PATH = SIZE }"),
        (json!({"kv": {"a/b": "1MiB"}}), "kv.a/b = \"…\": expected true"),
        (json!({"secrets": {"a": "hunter2"}}), "secrets.a = \"…\": expected { NAME = { file"),
        (json!([]), "allow = []: expected a table"),
    ];
    for (allow, expected) in cases {
        let error = Grants::from_json("jwt", &allow, Path::new("/")).unwrap_err().to_string();
        assert!(error.starts_with("in [[plugin]] \"jwt\": allow") && error.contains(expected), "{error}");
        assert!(!error.contains("hunter2"));
    }
}

#[test]
fn hooks_see_password_and_payload_unless_fields_says_otherwise() {
    let cases = [
        (json!({}), true, true),
        (json!({"fields": []}), false, false),
        (json!({"fields": ["password"]}), true, false),
        (json!({"fields": ["payload", "password"]}), true, true),
    ];
    for (allow, password, payload) in cases {
        let grants = grants(&allow);
        assert_eq!((grants.shows_password(), grants.shows_payload()), (password, payload), "{allow}");
    }
}

#[test]
fn the_banner_says_in_words_what_is_granted_and_no_secret() {
    let grants = grants(&json!({
        "http": ["https://a.test"], "http_private": true, "files": ["p.txt"],
        "append": {"a.jsonl": {"size": "64MiB", "keep": 4}, "b.jsonl": "1MiB"}, "secrets": {"key": {"value": "hunter2"}},
        "kv": {"default": "16MiB"}, "publish": ["alerts/#"], "disconnect": true, "revoke": true, "fields": []
    }));
    let words = grants.describe().join("; ");
    assert_eq!(
        words,
        "asks https://a.test (private addresses too); reads p.txt; appends to a.jsonl, up to 64 MiB, 4 full ones kept; \
         appends to b.jsonl, up to 1 MiB; knows the secrets key; keeps up to 16 MiB in store default; \
         publishes to alerts/#; disconnects clients; revokes rulings; sees no passwords; sees no payloads"
    );
    assert!(!format!("{grants:?}").contains("hunter2"));
}

#[test]
fn an_import_of_which_nothing_is_granted_is_named() {
    let none = grants(&json!({}));
    assert!(none.unmet("midge:plugin/http@0.1.0").unwrap().contains("allow.http = "));
    assert!(none.unmet("midge:plugin/files@0.1.0").is_some());
    assert!(grants(&json!({"append": {"a": "1MiB"}})).unmet("midge:plugin/files@0.1.0").is_none());
    assert!(none.unmet("midge:plugin/log@0.1.0").is_none());
    assert!(none.unmet("wasi:io/poll@0.2.0").is_none());
    assert!(grants(&json!({"revoke": true})).unmet("midge:plugin/broker@0.1.0").is_none());
}
