//! A plugin as people are shown it: what `midge plugin` prints.

use std::fmt::Write;

use super::Done;
use super::shown::{Shown, ShownHook, ShownQueue, ShownShadow, ShownTrial};

/// One line for each plugin.
pub(super) fn list(plugins: &[Shown]) -> String {
    if plugins.is_empty() {
        return "no plugin is loaded\n".to_owned();
    }
    let mut out = String::new();
    for plugin in plugins {
        let hooks: Vec<&str> = plugin.hooks.iter().map(|hook| hook.hook).collect();
        let _ = writeln!(
            out,
            "{:<20} generation {:<4} {:<32} {:<8} {}",
            plugin.name,
            plugin.generation,
            hooks.join(", "),
            plugin.lane,
            state(plugin)
        );
    }
    out
}

/// Everything about one plugin.
pub(super) fn status(plugin: &Shown) -> String {
    let mut out = String::new();
    generation(&mut out, plugin);
    if let Some(fault) = &plugin.rolled_back {
        let _ = writeln!(out, "rolled back   the last new generation: {fault}");
    }
    if let Some(trial) = &plugin.trial {
        of_trial(&mut out, trial);
    }
    out
}

/// What a change has come to.
pub(super) fn done(done: &Done<'_>) -> String {
    let Done { plugin, outcome, generation, candidate } = done;
    match candidate {
        Some(candidate) => {
            format!("{plugin}: generation {candidate} is on trial, {generation} stands by ({outcome})\n")
        }
        None => format!("{plugin}: generation {generation} is in force ({outcome})\n"),
    }
}

/// How many clients a revocation concerns.
pub(super) fn revoked(principal: &str, clients: usize) -> String {
    format!("{principal}: {clients} connected clients are looked at again\n")
}

fn state(plugin: &Shown) -> String {
    let open: Vec<&str> = plugin.hooks.iter().filter(|hook| hook.breaker != "closed").map(|hook| hook.hook).collect();
    let mut state = if open.is_empty() { "well".to_owned() } else { format!("failing: {}", open.join(", ")) };
    if let Some(trial) = &plugin.trial {
        let _ = write!(state, "; generation {} {}", trial.candidate.generation, course(trial));
    }
    if plugin.rolled_back.is_some() {
        state.push_str("; the last new generation was rolled back");
    }
    state
}

fn course(trial: &ShownTrial) -> String {
    match trial.percent {
        Some(percent) => format!("serves {percent} % of the clients"),
        None if trial.shadow.is_some() => "is a shadow".to_owned(),
        None => "is on probation".to_owned(),
    }
}

fn generation(out: &mut String, plugin: &Shown) {
    let digest = plugin.digest.get(..12).unwrap_or(&plugin.digest);
    let _ = writeln!(out, "plugin        {}, generation {}", plugin.name, plugin.generation);
    let _ = writeln!(out, "component     {} (SHA-256 {digest}…, contract {})", plugin.origin, plugin.track);
    let _ = writeln!(
        out,
        "lane          {}, {} instances, largest memory {} bytes",
        plugin.lane, plugin.instances, plugin.memory_bytes_max
    );
    for grant in &plugin.grants {
        let _ = writeln!(out, "granted       {grant}");
    }
    plugin.hooks.iter().for_each(|hook| of_hook(out, hook));
    plugin.queues.iter().for_each(|queue| of_queue(out, queue));
}

fn of_hook(out: &mut String, hook: &ShownHook) {
    let us = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |us| format!("{us} us"));
    let _ = write!(out, "hook          {}: {} answered, {} of them refusals", hook.hook, hook.answered, hook.refused);
    let failures = [
        ("errors", hook.errors),
        ("traps", hook.traps),
        ("deadlines missed", hook.deadlines),
        ("waits too long", hook.wait_timeouts),
        ("overloaded", hook.overloaded),
        ("not called", hook.not_called),
        ("bad answers", hook.bad_answers),
    ];
    for (what, count) in failures.iter().filter(|(_, count)| *count > 0) {
        let _ = write!(out, ", {count} {what}");
    }
    let _ = writeln!(out, "; p50 {}, p99 {}; breaker {}", us(hook.p50_us), us(hook.p99_us), hook.breaker);
}

fn of_queue(out: &mut String, queue: &ShownQueue) {
    let _ = writeln!(
        out,
        "queue         {}: {} of {} wait; {} done, {} retried, {} rejected, {} dropped",
        queue.hook, queue.depth, queue.capacity, queue.done, queue.retried, queue.rejected, queue.dropped
    );
}

fn of_trial(out: &mut String, trial: &ShownTrial) {
    let _ = writeln!(
        out,
        "\non trial      generation {} {}, for {:.0} s; it failed {} calls that generation in force answered",
        trial.candidate.generation,
        course(trial),
        trial.age_s,
        trial.rescued
    );
    generation(out, &trial.candidate);
    if let Some(shadow) = &trial.shadow {
        of_shadow(out, shadow);
    }
}

fn of_shadow(out: &mut String, shadow: &ShownShadow) {
    let ShownShadow { agreed, disagreed, skipped, disagreements } = shadow;
    let _ =
        writeln!(out, "shadow        {agreed} answers the same, {disagreed} not, {skipped} questions not put to it");
    for one in disagreements {
        let _ = writeln!(
            out,
            "disagreement  client {:?}, {} {:?}: {} | shadow: {}",
            one.client_id, one.hook, one.about, one.current, one.candidate
        );
    }
}
