//! `midge plugin run`.

use serde_json::{Value, json};

use super::{Run, bundled, guest, plugin, plugin_with_input, text};
use crate::support::sink::Sink;

/// The answer of a run that went well: JSON and nothing else.
#[track_caller]
fn answer(run: Run) -> Value {
    let out = run.well();
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
}

fn importer(user: &str, password: &str, more: &[&str]) -> Run {
    let (file, input) = (guest("importer"), json!({ "username": user, "password": password }).to_string());
    let mut arguments = vec!["run", text(&file), "authenticate", &input];
    arguments.extend(more);
    plugin(&arguments)
}

#[test]
fn an_authenticator_says_who_may_come_in() {
    let file = guest("fifteen-lines");
    let ask = |input: &str| answer(plugin(&["run", text(&file), "authenticate", input]))["verdict"].clone();
    let alice = ask(r#"{"username":"alice","password":"secret"}"#);
    assert_eq!(alice["allow"]["principal"], "alice");
    assert_eq!(ask(r#"{"username":"alice","password":"guess"}"#)["deny"]["reason"], "wrong password");
    assert_eq!(ask("{}"), "next");
}

#[test]
fn hooks_that_few_plugins_have_are_asked_like_all_others() {
    let file = guest("caretaker");
    let ask =
        |function: &str, input: &str| answer(plugin(&["run", text(&file), function, input, "--allow", "kv=default"]));
    assert_eq!(ask("admit", r#"{"address":"10.0.0.1"}"#)["admit"], true);
    assert_eq!(ask("ticker", "{}"), Value::Null);
    assert_eq!(ask("authorize-unsubscribe", r#"{"who":"alice","filters":["a","next/b"]}"#), json!(["allow", "next"]));
    assert_eq!(ask("authorize-will", r#"{"principal":"alice","will":{"topic":"a","payload":"next"}}"#), "next");
    let page = ask("handle", r#"{"method":"GET","path":"/status","query":"418"}"#);
    assert_eq!(page["status"], 418);
}

#[test]
fn the_input_may_come_from_standard_input() {
    let run = plugin_with_input(
        &["run", text(&guest("fifteen-lines")), "authn", "-"],
        r#"{"username":"alice","password":"secret"}"#,
    );
    assert_eq!(answer(run)["verdict"]["allow"]["principal"], "alice");
}

#[test]
fn config_and_grants_are_those_of_the_command_line() {
    assert_eq!(answer(importer("config", "a.b", &["--config", "a.b=7"]))["verdict"]["allow"]["principal"], "7");
    let kept = answer(importer("kv", "seen", &["--allow", "kv=seen"]));
    assert_eq!(kept["verdict"]["allow"]["principal"], "1");
    let run = importer("publish", "alerts/1", &["--allow", "publish=alerts/#"]);
    assert!(run.err.contains("published") && run.err.contains("\"topic\":\"alerts/1\""), "{}", run.err);
    let run = importer("disconnect", "c1", &["--allow", "disconnect"]);
    assert!(run.err.contains("disconnected c1 with 0x98"), "{}", run.err);
    let run = importer("revoke", "bob", &["--allow", "revoke"]);
    assert!(run.err.contains("revoked      bob"), "{}", run.err);
}

#[test]
fn http_is_really_asked_where_it_is_granted() {
    let sink = Sink::start();
    let (url, grant) = (format!("url=http://{}/in", sink.address()), format!("http={}", sink.address()));
    let (file, input) = (bundled("http-forward"), r#"[{"topic":"t","payload":"21.5","who":"alice"}]"#);
    let arguments = ["run", text(&file), "deliver", input, "--config", &url];
    let run = plugin(&[&arguments[..], &["--allow", &grant]].concat());
    assert!(run.err.contains("http ") && run.err.contains("POST http://"), "{}", run.err);
    assert_eq!(answer(run), json!(["done"]));
    assert!(sink.next().body.contains("\"principal\":\"alice\""));

    let run = plugin(&arguments);
    let remedy = format!("here: --allow 'http=[\"http://{}\"]'", sink.address());
    assert!(run.err.contains("is not granted") && run.err.contains(&remedy), "{}", run.err);
    assert!(answer(run)[0]["retry"].is_u64(), "not delivered");
}

#[test]
fn what_a_plugin_logs_is_on_standard_error_and_cannot_command_the_terminal() {
    let run = plugin(&["run", text(&guest("hostile")), "authenticate", r#"{"username":"long-log"}"#]);
    assert!(run.err.starts_with("log          error xxx") && run.err.len() < 20_000, "{}", run.err.len());
    answer(run);
    let run = plugin(&["run", text(&guest("hostile")), "authenticate", r#"{"username":"log-flood"}"#]);
    assert!(run.err.contains("error flood 0\n"), "{}", &run.err[..200]);
}

#[test]
fn a_plugin_that_fails_is_told_apart_from_one_that_refuses() {
    let file = guest("hostile");
    for (crime, expected) in [
        ("err", "backend failed: the guest's backend failed"),
        ("spin", "used up its processor time"),
        ("trap", "trapped: "),
        ("panic", "trapped: "),
        ("recursion", "trapped: "),
    ] {
        let run = plugin(&["run", text(&file), "authenticate", &json!({ "username": crime }).to_string()]);
        let told: Value = serde_json::from_str(&run.out).unwrap();
        assert!(told["err"].as_str().unwrap().contains(expected), "{crime}: {told}");
        assert!(run.ill().contains("midge: the plugin failed"), "{crime}");
    }
    let panic = plugin(&["run", text(&file), "authenticate", r#"{"username":"panic"}"#]);
    assert!(panic.err.contains("the guest panics, as it was asked to"), "{}", panic.err);
}

#[test]
fn what_cannot_be_asked_is_named_with_what_can() {
    let file = guest("fifteen-lines");
    let cases = [
        (["authenicate", "{}"], "there is no function \"authenicate\"; this plugin has authn.authenticate"),
        (
            ["deliver", "[]"],
            "this plugin has authn.authenticate; deliver is of the hook sink, which it does not export",
        ),
        (["authenticate", "{"], "the input: EOF while parsing"),
        (
            ["authenticate", "{\"user\": 1}"],
            "the input of authenticate: expected one of the fields credentials, client-id, username",
        ),
        (
            ["authenticate", "{\"username\": 1}"],
            "the input of authenticate: credentials.username: expected text, found 1",
        ),
        (["authenticate", "[]"], "expected an object with client-id"),
    ];
    for ([function, input], expected) in cases {
        let said = plugin(&["run", text(&file), function, input]).ill();
        assert!(said.contains(expected), "{function} {input}: {said}");
    }
}

#[test]
fn what_a_plugin_says_before_it_refuses_to_start_is_shown() {
    let file = bundled("password-file");
    let run = plugin(&["run", text(&file), "authenticate", "{}", "--config", "file=users"]);
    let said = run.ill();
    assert!(said.contains("here: --allow 'files=[\"users\"]'") && said.contains("refused to start"), "{said}");
}
