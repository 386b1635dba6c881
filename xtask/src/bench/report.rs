//! Tables in Markdown, and everything as JSON.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::figures::{FIGURES, Figure, Figures, number_in_short};
use super::peers::Broker;
use super::running::Bench;
use super::scenarios::{Scenario, Target};
use super::{Failure, Options, machine};

/// Prints a table for each figure, what failed or was lost, and how many targets are met.
pub(super) fn print(scenarios: &[Scenario], brokers: &[Broker], figures: &Figures, options: &Options) {
    println!("\n{}. Medians of {} rounds of {} s.", machine::in_short(), options.rounds, options.seconds);
    println!("In parentheses: the first broker's figure relative to this one's.");
    for broker in brokers.iter().filter(|broker| !broker.is_variant()) {
        println!("- {}: {}", broker.name, broker.version);
    }
    for figure in FIGURES {
        table(figure, scenarios, brokers, figures);
    }
    let failures: Vec<_> = figures.failures().collect();
    if !failures.is_empty() {
        println!("\nFailed:");
        failures.iter().for_each(|(scenario, broker, why)| println!("- {broker}, {scenario}: {why}"));
    }
    println!("\n| scenario | what it is |\n|---|---|");
    scenarios.iter().for_each(|scenario| println!("| {} | {} |", scenario.name, scenario.meaning));
    let judged: Vec<bool> =
        judgements(scenarios, figures).into_iter().map(|(.., ratio, target)| target.is_met(ratio)).collect();
    if !judged.is_empty() {
        println!("\n{} of {} targets are met.", judged.iter().filter(|met| **met).count(), judged.len());
    }
}

fn table(figure: &Figure, scenarios: &[Scenario], brokers: &[Broker], figures: &Figures) {
    let rows: Vec<&Scenario> =
        scenarios.iter().filter(|scenario| scenario.kind == figure.kind && scenario.shows(figure)).collect();
    let value = |scenario: &Scenario, broker: &Broker| figures.median(&scenario.name, &broker.name, figure);
    let rows: Vec<&Scenario> =
        rows.into_iter().filter(|scenario| brokers.iter().any(|broker| value(scenario, broker).is_some())).collect();
    let columns: Vec<&Broker> =
        brokers.iter().filter(|broker| rows.iter().any(|scenario| value(scenario, broker).is_some())).collect();
    if columns.is_empty() {
        return;
    }
    let names: Vec<&str> = columns.iter().map(|broker| broker.name.as_str()).collect();
    println!(
        "\n**{}**\n\n| | {} | target |\n|---{}|---|",
        figure.heading,
        names.join(" | "),
        "|---".repeat(names.len())
    );
    for scenario in rows {
        let first = columns.iter().find_map(|broker| value(scenario, broker));
        let cells = columns.iter().map(|broker| {
            let lost = match figures.lost(&scenario.name, &broker.name) {
                0 => String::new(),
                lost => format!(", lost {lost}"),
            };
            match (value(scenario, broker), first) {
                (Some(value), Some(first)) if value == first || value == 0.0 => number_in_short(value) + &lost,
                (Some(value), Some(first)) => format!("{} ({}){lost}", number_in_short(value), relation(first / value)),
                _ if figures.rounds(&scenario.name, &broker.name).iter().any(Result::is_err) => "failed".to_owned(),
                _ => "–".to_owned(),
            }
        });
        let cells: Vec<String> = cells.collect();
        let targets = judgements(std::slice::from_ref(scenario), figures);
        let targets = targets.into_iter().filter(|(.., target)| target.figure == figure.name);
        let targets: Vec<String> = targets.map(|(.., ratio, target)| target.in_words(ratio)).collect();
        println!("| {} | {} | {} |", scenario.name, cells.join(" | "), targets.join("; "));
    }
}

impl Scenario {
    /// Whether the figure says anything here: a paced scenario delivers as many messages as it is told to.
    fn shows(&self, figure: &Figure) -> bool {
        !(self.is_paced() && figure.name == "rate")
    }
}

impl Target {
    fn is_met(&self, ratio: f64) -> bool {
        self.at_most.is_none_or(|most| ratio <= most) && self.at_least.is_none_or(|least| ratio >= least)
    }

    fn in_words(&self, ratio: f64) -> String {
        let (word, bound) = match (self.at_most, self.at_least) {
            (Some(most), _) => ("at most", most),
            (None, least) => ("at least", least.unwrap_or(0.0)),
        };
        let bound = if self.of.is_some() { relation(bound) } else { number_in_short(bound) };
        let of = match (&self.of, &self.scenario) {
            (Some(of), Some(scenario)) => format!(" of {of} at {scenario}"),
            (Some(of), None) => format!(" of {of}"),
            _ => String::new(),
        };
        let met = if self.is_met(ratio) { "met" } else { "**not met**" };
        let ratio = if self.of.is_some() { relation(ratio) } else { number_in_short(ratio) };
        format!("{word} {bound}{of}: {ratio}, {met}")
    }
}

/// Scenario, ratio (or figure) and target of everything that has a target and was measured.
fn judgements<'a>(scenarios: &'a [Scenario], figures: &Figures) -> Vec<(&'a str, f64, &'a Target)> {
    let mut judged = Vec::new();
    for scenario in scenarios {
        for target in &scenario.targets {
            let figure = FIGURES.iter().find(|figure| figure.kind == scenario.kind && figure.name == target.figure);
            let Some(figure) = figure else { continue };
            let own = figures.median(&scenario.name, &target.broker, figure);
            let other = match &target.of {
                Some(of) => figures.median(target.scenario.as_ref().unwrap_or(&scenario.name), of, figure),
                None => Some(1.0),
            };
            if let (Some(own), Some(other)) = (own, other) {
                judged.push((scenario.name.as_str(), own / other, target));
            }
        }
    }
    judged
}

/// 0.05 as 1/20, 3 as 3×.
fn relation(ratio: f64) -> String {
    let digits = |number: f64| if number < 10.0 { format!("{number:.2}") } else { format!("{number:.0}") };
    let short = |text: String| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    };
    if ratio < 1.0 { format!("1/{}", short(digits(1.0 / ratio))) } else { format!("{}×", short(digits(ratio))) }
}

/// Writes everything that was measured, with what must be known to compare it.
pub(super) fn write_json(
    file: &Path,
    scenarios: &[Scenario],
    brokers: &[Broker],
    figures: &Figures,
    bench: &Bench<'_>,
    load_before: &str,
) -> Result<(), Failure> {
    let brokers_json: Vec<Value> = brokers
        .iter()
        .map(|broker| {
            json!({
                "name": broker.name,
                "version": broker.version,
                "program": broker.program,
                "config": broker.peer.config,
                "config_tls": broker.peer.tls,
            })
        })
        .collect();
    let measured: Vec<Value> = scenarios
        .iter()
        .map(|scenario| {
            let rounds: serde_json::Map<String, Value> = brokers
                .iter()
                .filter(|broker| !figures.rounds(&scenario.name, &broker.name).is_empty())
                .map(|broker| (broker.name.clone(), rounds(figures.rounds(&scenario.name, &broker.name))))
                .collect();
            let judged = judgements(std::slice::from_ref(scenario), figures);
            let targets: Vec<Value> = judged
                .into_iter()
                .map(|(_, ratio, target)| json!({ "target": target, "ratio": ratio, "met": target.is_met(ratio) }))
                .collect();
            json!({ "scenario": scenario, "rounds": rounds, "targets": targets })
        })
        .collect();
    write(file, bench, json!({ "load_average_before": load_before, "brokers": brokers_json, "figures": measured }))
}

/// Writes figures with machine, commit and settings.
pub(super) fn write(file: &Path, bench: &Bench<'_>, figures: Value) -> Result<(), Failure> {
    let options = bench.options;
    let everything = json!({
        "machine": machine::description(bench.root),
        "settings": {
            "rounds": options.rounds,
            "seconds": options.seconds,
            "warm_up": options.warm_up,
            "pin": options.pin,
            "unpinned": options.unpinned,
            "arguments": std::env::args().skip(1).collect::<Vec<_>>(),
        },
        "measured": figures,
    });
    fs::write(file, format!("{everything:#}\n"))
        .map_err(|error| Failure::new(format!("{} cannot be written: {error}", file.display())))
}

fn rounds(rounds: &[Result<Value, String>]) -> Value {
    let round = |round: &Result<Value, String>| match round {
        Ok(value) => value.clone(),
        Err(why) => json!({ "failed": why }),
    };
    rounds.iter().map(round).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_read_as_people_say_them() {
        assert_eq!(
            [1.0 / 60.0, 0.5, 0.87, 1.0, 1.15, 20.0].map(relation),
            ["1/60", "1/2", "1/1.15", "1×", "1.15×", "20×"]
        );
    }

    #[test]
    fn a_target_says_what_it_wanted_and_whether_it_got_it() {
        let target = Target {
            figure: "cpu".to_owned(),
            broker: "midge".to_owned(),
            of: Some("mosquitto".to_owned()),
            scenario: None,
            at_most: Some(1.0 / 60.0),
            at_least: None,
        };
        assert_eq!(target.in_words(1.0 / 22.0), "at most 1/60 of mosquitto: 1/22, **not met**");
        assert_eq!(target.in_words(1.0 / 75.0), "at most 1/60 of mosquitto: 1/75, met");
    }
}
