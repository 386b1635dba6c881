//! What a client or a plugin can do wrong in an exchange, and whom it costs.

use midge_protocol::ReasonCode::{self, ContinueAuthentication, ReAuthenticate};

use super::{METHOD, challenger, connected, open};
use crate::support::auth::Said;

#[test]
fn a_client_that_does_not_reply_is_closed_when_its_time_is_up() {
    let listener = "[[listener]]\nname = \"tcp\"\naddress = \"127.0.0.1:0\"\nconnect_timeout_ms = 500";
    let server = challenger(listener);
    let mut client = open(&server);
    client.begin("silent", METHOD, "what now?");
    assert_eq!(client.hear(), Said::challenge(METHOD, "what now?"));
    client.expect_close();
    server.metric_reaches("midge_connects_refused_total", &[("reason", "connect_timeout")], 1.0);
}

#[test]
fn an_exchange_has_so_many_steps_and_no_more() {
    let server = challenger("[limits]\nauthentication_steps_max = 3");
    let mut client = open(&server);
    client.begin("c", METHOD, "1");
    for next in ["2", "3", "4"] {
        assert!(!client.hear().is_connack);
        client.auth(ContinueAuthentication, METHOD, next);
    }
    client.expect_connack_refusal(ReasonCode::QuotaExceeded);

    let mut client = connected(&server, "c", "allow alice");
    for _ in 0..2 {
        client.auth(ReAuthenticate, METHOD, "1");
        for next in ["2", "3", "allow alice"] {
            assert_eq!(client.hear().reason, ContinueAuthentication);
            client.auth(ContinueAuthentication, METHOD, next);
        }
        assert_eq!(client.hear().reason, ReasonCode::Success, "each exchange is counted for itself");
    }
    client.auth(ReAuthenticate, METHOD, "1");
    for next in ["2", "3", "4"] {
        assert_eq!(client.hear().reason, ContinueAuthentication);
        client.auth(ContinueAuthentication, METHOD, next);
    }
    client.expect_disconnect(ReasonCode::QuotaExceeded);
}

/// Whatever keeps the plugin from answering refuses the client that asked, and nobody else.
#[test]
fn a_plugin_that_fails_lets_nobody_in_and_disturbs_nobody() {
    // So little memory that it is used up well before the deadline, however slow the machine.
    let server = challenger("[plugin.limits]\nmemory_bytes_max = \"8MiB\"");
    let mut innocent = connected(&server, "innocent", "allow alice");
    for (crime, outcome) in [
        ("trap", "trap"),
        ("spin", "deadline"),
        ("memory-bomb", "trap"),
        ("huge-answer", "trap"),
        ("err", "error"),
        ("state 20000", "bad_answer"),
        ("data 70000", "bad_answer"),
    ] {
        let labels = [("plugin", "challenger"), ("hook", "enhanced-authn"), ("outcome", outcome)];
        let before = server.metric("midge_plugin_calls_total", &labels);
        let mut client = open(&server);
        client.begin(crime, METHOD, crime);
        client.expect_connack_refusal(ReasonCode::ServerUnavailable);
        let after = server.metric("midge_plugin_calls_total", &labels);
        assert!(after > before, "{crime} counts as {outcome}:\n{}", server.page("/metrics"));
        // The breaker counts failures in a row.
        innocent.auth(ReAuthenticate, METHOD, "allow alice");
        assert_eq!(innocent.hear(), Said::auth(ReasonCode::Success, METHOD, "welcome alice"), "after {crime}");
        innocent.ping();
    }
    let mut client = open(&server);
    client.begin("late", METHOD, "what now?");
    assert_eq!(client.hear(), Said::challenge(METHOD, "what now?"));
    client.auth(ContinueAuthentication, METHOD, "trap");
    client.expect_connack_refusal(ReasonCode::ServerUnavailable);
    server.logged(&["connection denied", "enhanced-authn", "trapped"]);
    innocent.ping();
}
