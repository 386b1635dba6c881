//! A plugin's own turn: again and again, one at a time.

use rustix::process::Signal;

use crate::hostile::plugin;
use crate::support::Server;
use crate::support::peer::{Manner, Peer};

const TICKS: &str = "midge_custom_ticks_total";

fn caretaker(config: &str) -> Server {
    let more = format!(
        "hooks = [\"ticker\"]\ntick_interval_ms = 10\nconfig = {{ {config} }}\nallow = {{ kv = {{ default = \"1MiB\" }} }}"
    );
    Server::with(&plugin("caretaker", &more))
}

#[test]
fn ticks_come_again_and_again_and_never_two_at_once_not_even_over_reloads() {
    let server = caretaker("tick_busy_ms = 5");
    server.metric_reaches(TICKS, &[("plugin", "caretaker")], 5.0);
    for _ in 0..3 {
        let before = server.metric(TICKS, &[]);
        server.signal(Signal::HUP);
        server.metric_reaches(TICKS, &[], before + 5.0);
    }
    assert_eq!(server.metric("midge_custom_overlaps_total", &[]), 0.0);
    let answered = [("plugin", "caretaker"), ("hook", "ticker"), ("outcome", "answered")];
    assert!(server.metric("midge_plugin_calls_total", &answered) >= 1.0);
}

#[test]
fn a_tick_that_fails_is_counted_and_logged_and_the_next_one_comes() {
    let server = caretaker("tick_fails = \"true\"");
    server.metric_reaches(TICKS, &[], 3.0);
    server.logged(&["tick failed", "caretaker", "as it was asked to"]);
    let failed = [("hook", "ticker"), ("outcome", "error")];
    assert!(server.metric("midge_plugin_calls_total", &failed) >= 3.0);
}

#[test]
fn a_tick_may_wait_for_the_outside() {
    let peer = Peer::start(Manner::Echo);
    let to = peer.address().to_string();
    let more = format!(
        "tick_interval_ms = 10\nconfig = {{ tick_to = {to:?} }}\nallow = {{ tcp = [{to:?}] }}\nlimits = {{ instances_max = 1 }}"
    );
    let server = Server::with(&plugin("dialer", &more));
    server.metric_reaches("midge_custom_told_total", &[], 3.0);
    assert_eq!(peer.accepted(), 1, "over a connection that stays open");
}
