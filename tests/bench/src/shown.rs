//! A measurement for people: its name, then a line for each figure.

use std::io::{self, Write};

use serde_json::Value;

/// Prints what was measured; figures that there are not, for want of a `--pid`, are left out.
pub(crate) fn print(measured: &Value, out: &mut impl Write) -> io::Result<()> {
    let Some(figures) = measured.as_object() else { return writeln!(out, "{measured}") };
    writeln!(out, "{}", measured["scenario"].as_str().unwrap_or("measured"))?;
    for (key, value) in figures {
        match value {
            Value::Object(parts) => {
                for (part, value) in parts {
                    line(&format!("{key}_{part}"), value, out)?;
                }
            }
            _ if key == "scenario" => {}
            _ => line(key, value, out)?,
        }
    }
    Ok(())
}

fn line(key: &str, value: &Value, out: &mut impl Write) -> io::Result<()> {
    let (name, unit) = in_words(key);
    match value {
        Value::Null => Ok(()),
        Value::Number(number) => writeln!(out, "  {name:<46}{:>14} {unit}", grouped(&number.to_string())),
        other => writeln!(out, "  {name:<46}{:>14} {unit}", other.to_string()),
    }
}

/// A key such as `broker_cpu_us_per_delivered` is a name with its unit in it.
fn in_words(key: &str) -> (String, &'static str) {
    let units = [("_us", "µs"), ("_bytes", "bytes"), ("_seconds", "s")];
    let found = units
        .iter()
        .find(|(mark, _)| key.ends_with(mark) || key.contains(&format!("{mark}_")) || key.starts_with(&mark[1..]));
    let (mark, unit) = found.copied().unwrap_or(("", ""));
    // "bytes per read" says its unit already.
    let name = if mark.is_empty() || key.starts_with(&mark[1..]) { key.to_owned() } else { key.replacen(mark, "", 1) };
    (name.replace('_', " "), if key.starts_with("bytes") || key.starts_with("seconds") { "" } else { unit })
}

/// 1234567.5 as 1,234,567.5
fn grouped(number: &str) -> String {
    let (whole, fraction) = number.split_once('.').map_or((number, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut text = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    match fraction {
        Some(fraction) if fraction != "0" => text + "." + fraction,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_figure_has_a_line_and_its_unit() {
        let measured = json!({
            "scenario": "1-1,q0,64B",
            "delivered_per_second": 1_234_567.0,
            "broker_cpu_us_per_delivered": 0.25,
            "broker_cpu_seconds": null,
            "latency_us_quiet": { "p50": 12 },
        });
        let mut out = Vec::new();
        print(&measured, &mut out).expect("a vector takes all");
        let text = String::from_utf8(out).expect("text");
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(
            lines,
            [
                vec!["1-1,q0,64B"],
                vec!["broker", "cpu", "per", "delivered", "0.25", "µs"],
                vec!["delivered", "per", "second", "1,234,567"],
                vec!["latency", "quiet", "p50", "12", "µs"],
            ]
        );
    }
}
