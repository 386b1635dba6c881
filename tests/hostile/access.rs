//! Hostile authenticators and authorizers: their caller is refused, promptly, and nobody else notices.

use midge_protocol::{ProtocolVersion, QoS, ReasonCode};

use super::{Conversation, ask, calls, named, plugin};
use crate::support::{Server, VERSIONS};

/// What a plugin can do instead of answering, and how the broker may count it: some crimes take so long that the
/// processor time is used up before the limit is met.
pub(super) const CRIMES: &[(&str, &[&str])] = &[
    ("spin", &["deadline"]),
    ("trap", &["trap"]),
    ("panic", &["trap"]),
    ("memory-bomb", &["trap", "deadline"]),
    ("recursion", &["trap", "deadline"]),
    ("slow", &["deadline"]),
    ("log-flood", &["deadline"]),
    ("huge-answer", &["trap", "deadline", "bad_answer"]),
    ("huge-error", &["trap", "deadline", "bad_answer"]),
    ("err", &["error"]),
];

/// How many calls ended in one of these ways.
fn counted(server: &Server, hook: &str, outcomes: &[&str]) -> f64 {
    outcomes.iter().map(|outcome| calls(server, "hostile", hook, outcome)).sum()
}

#[test]
fn whatever_an_authenticator_does_its_caller_is_refused_and_others_talk_on() {
    let server = Server::with(&plugin("hostile", "hooks = [\"authn\"]"));
    let mut others = Conversation::start(&server);
    for (crime, outcomes) in CRIMES {
        let before = counted(&server, "authn", outcomes);
        others.during(|| {
            let (mut offender, reason) = ask(&server, ProtocolVersion::V5, &format!("offender-{crime}"), crime);
            assert_eq!(reason, ReasonCode::ServerUnavailable, "{crime}");
            offender.expect_close();
        });
        assert_eq!(counted(&server, "authn", outcomes), before + 1.0, "{crime} counts as {outcomes:?}");
        named(&server, "innocent").ping();
    }
    let line = server.logged(&["connection denied", "offender-spin"]);
    assert!(
        ["plugin=\"hostile\"", "hook=authn", "took=", "processor time"].iter().all(|it| line.contains(it)),
        "{line}"
    );
}

#[test]
fn every_version_is_told_that_the_server_is_unavailable_when_an_authenticator_traps() {
    let server = Server::with(&plugin("hostile", "hooks = [\"authn\"]"));
    for version in VERSIONS {
        for crime in ["trap", "spin"] {
            let (mut offender, reason) = ask(&server, version, &format!("offender-{version}-{crime}"), crime);
            // Return code 3 below version 5.
            assert_eq!(reason, ReasonCode::ServerUnavailable, "{version}");
            offender.expect_close();
            assert_eq!(ask(&server, version, "innocent", "innocent").1, ReasonCode::Success);
        }
    }
}

#[test]
fn a_client_that_breaks_the_authenticator_again_and_again_is_barred_and_nobody_else() {
    let server = Server::with(&plugin("hostile", "hooks = [\"authn\"]"));
    for _ in 0..20 {
        assert_eq!(ask(&server, ProtocolVersion::V5, "offender", "trap").1, ReasonCode::ServerUnavailable);
    }
    assert_eq!(calls(&server, "hostile", "authn", "trap"), 2.0, "it is asked twice and no more");
    assert_eq!(calls(&server, "hostile", "authn", "breaker_open"), 18.0);
    named(&server, "innocent").ping();
}

#[test]
fn who_does_not_need_the_broken_authenticator_comes_in() {
    let more = "hooks = [\"authn\"]\non_error = \"next\"";
    let server = Server::with(&(plugin("hostile", more) + &plugin("allow-all", "hooks = [\"authn\"]")));
    for crime in ["trap", "spin", "err"] {
        named(&server, crime).ping();
    }
    assert_eq!(calls(&server, "hostile", "authn", "trap"), 1.0);
}

#[test]
fn a_late_answer_is_still_an_answer() {
    let server = Server::with(&plugin("hostile", "hooks = [\"authn\"]\nlimits = { cpu_ms = 2000 }"));
    Conversation::start(&server).during(|| named(&server, "late").ping());
}

#[test]
fn whatever_an_authorizer_does_its_caller_is_refused_and_others_talk_on() {
    let server = Server::with(&plugin("hostile", "hooks = [\"authz\"]"));
    let mut others = Conversation::start(&server);
    for (crime, outcomes) in CRIMES {
        let before = counted(&server, "authz", outcomes);
        others.during(|| {
            let mut offender = named(&server, &format!("offender-{crime}"));
            let refused = offender.publish(&format!("hostile/{crime}/now"), "x", QoS::AtLeastOnce);
            assert_eq!(refused, ReasonCode::ImplementationSpecificError, "{crime}");
            offender.ping();
        });
        assert_eq!(counted(&server, "authz", outcomes), before + 1.0, "{crime} counts as {outcomes:?}");
        let mut innocent = named(&server, "innocent");
        assert!(!innocent.publish("chat-not", "x", QoS::ExactlyOnce).is_error(), "after {crime}");
    }
}

#[test]
fn a_subscription_that_breaks_the_authorizer_is_refused_and_the_client_goes_on() {
    let server = Server::with(&plugin("hostile", "hooks = [\"authz\"]"));
    for version in VERSIONS {
        let mut client = crate::support::Client::connect(&server, version, &format!("{version}"));
        for crime in ["trap", "spin"] {
            let reason = client.subscribe(&format!("hostile/{crime}/#"), QoS::AtMostOnce);
            let expected =
                if version.is_v5() { ReasonCode::ImplementationSpecificError } else { ReasonCode::UnspecifiedError };
            assert_eq!(reason, expected, "{version} {crime}");
            let mut innocent = named(&server, "innocent");
            assert_eq!(innocent.subscribe("chat/#", QoS::AtMostOnce), ReasonCode::Success);
        }
        client.ping();
    }
}
