//! What a call costs, by language and hook: the templates of all hooks make one plugin in each language, which `midge plugin bench`
//! measures.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use midge_toolchain::{LANGUAGES, contract};
use serde_json::{Value, json};

use super::{Failure, Options, machine};
use crate::build;

const NAME: &str = "all-hooks";

/// What was measured of one language: its title, and what `midge plugin bench --json` printed, or why there is nothing.
struct Measured {
    title: &'static str,
    figures: Result<Value, String>,
}

/// Makes, builds and measures a plugin in each language, and prints a table.
///
/// # Errors
/// When none could be measured, or the figures cannot be written.
pub(super) fn run(root: &Path, midge: &Path, options: &Options, folder: &Path) -> Result<(), Failure> {
    let hooks = contract::hooks()?.join(",");
    let mut all = Vec::new();
    for language in LANGUAGES {
        eprintln!("calls: {}", language.title());
        let directory = folder.join("calls").join(language.name());
        let figures = one(root, midge, language.name(), &hooks, &directory);
        if let Err(why) = &figures {
            eprintln!("calls: {}: {why}", language.title());
        }
        all.push(Measured { title: language.title(), figures });
    }
    let measured: Vec<(&str, &Value)> =
        all.iter().filter_map(|one| Some((one.title, one.figures.as_ref().ok()?))).collect();
    if measured.is_empty() {
        return Err(Failure::new("no plugin could be built and measured; midge plugin doctor says what is missing"));
    }
    println!("\n{}\n", machine::in_short());
    table(&measured).iter().for_each(|line| println!("{line}"));
    if measured.iter().any(|(_, figures)| figures["debug_build"] == true) {
        println!("\nThis midge is a debug build; one that is released is faster.");
    }
    let Some(file) = &options.json else { return Ok(()) };
    let whole =
        json!({ "machine": machine::description(root), "languages": all.iter().map(as_json).collect::<Vec<_>>() });
    let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", file.display()));
    fs::write(file, format!("{whole:#}\n")).map_err(failed)
}

fn as_json(one: &Measured) -> Value {
    match &one.figures {
        Ok(figures) => json!({ "language": one.title, "figures": figures }),
        Err(why) => json!({ "language": one.title, "failed": why }),
    }
}

/// New, build, bench.
fn one(root: &Path, midge: &Path, language: &str, hooks: &str, directory: &Path) -> Result<Value, String> {
    match fs::remove_dir_all(directory) {
        Err(error) if directory.exists() => return Err(format!("{}: {error}", directory.display())),
        _ => {}
    }
    let place = directory.to_string_lossy();
    let component = directory.join(format!("{NAME}.wasm"));
    said(root, midge, &["new", NAME, "--lang", language, "--hooks", hooks, "--dir", &place])?;
    said(root, midge, &["build", &place])?;
    let printed = said(root, midge, &["bench", &component.to_string_lossy(), "--json"])?;
    serde_json::from_str(&printed).map_err(|error| format!("midge plugin bench printed no JSON: {error}"))
}

/// What `midge plugin …` printed. What compilers print goes to the terminal; what plugins in Rust share is compiled once.
fn said(root: &Path, midge: &Path, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(midge);
    command.arg("plugin").args(arguments).stderr(Stdio::inherit());
    command.env("CARGO_TARGET_DIR", build::target_directory(root).join("guests-build"));
    let output = command.output().map_err(|error| format!("{} cannot be started: {error}", midge.display()))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("midge plugin {} failed ({})", arguments[0], output.status)),
    }
}

/// The table in Markdown: a column for each language, a row for each function.
fn table(measured: &[(&str, &Value)]) -> Vec<String> {
    let row = |name: &str, cell: &dyn Fn(&Value) -> String| {
        let cells: Vec<String> = measured.iter().map(|(_, figures)| cell(figures)).collect();
        format!("| {name} | {} |", cells.join(" | "))
    };
    let titles: Vec<&str> = measured.iter().map(|(title, _)| *title).collect();
    let mut lines = vec![
        format!("| half of the calls take no longer (99 of 100) | {} |", titles.join(" | ")),
        format!("|---{}|", "|---".repeat(measured.len())),
        row("component, KiB", &|figures| figures["bytes"].as_u64().unwrap_or_default().div_ceil(1024).to_string()),
        row("compiled in, ms", &|figures| milliseconds(&figures["compile_ns"])),
        row("an instance, ready in, ms", &|figures| milliseconds(&figures["start"]["p50_ns"])),
        row("its memory, KiB", &|figures| {
            figures["memory_bytes"].as_u64().unwrap_or_default().div_ceil(1024).to_string()
        }),
    ];
    let mut functions: Vec<(String, u64)> = Vec::new();
    for key in measured.iter().flat_map(|(_, figures)| figures["functions"].as_array()).flatten().map(key) {
        if !functions.contains(&key) {
            functions.push(key);
        }
    }
    for wanted in &functions {
        let (name, items) = wanted;
        let each = if *items > 1 { format!(", each of {items}") } else { String::new() };
        lines.push(row(&format!("`{name}`{each}, µs"), &|figures| {
            let found = figures["functions"].as_array().into_iter().flatten().find(|row| key(row) == *wanted);
            found.map_or_else(|| "–".to_owned(), |row| times(row, *items))
        }));
    }
    lines
}

/// What a row is about: the function, and how many messages are in a call.
fn key(row: &Value) -> (String, u64) {
    let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
    (format!("{}.{}", text("hook"), text("function")), row["items"].as_u64().unwrap_or(1))
}

fn times(row: &Value, items: u64) -> String {
    if row["failed"].as_u64().unwrap_or_default() > 0 {
        return format!("failed: {}", row["failure"].as_str().unwrap_or_default());
    }
    let microseconds = |key: &str| three_digits(row[key].as_f64().unwrap_or_default() / items as f64 / 1e3);
    format!("{} ({})", microseconds("p50_ns"), microseconds("p99_ns"))
}

fn milliseconds(ns: &Value) -> String {
    three_digits(ns.as_f64().unwrap_or_default() / 1e6)
}

/// As precise as it is worth.
fn three_digits(value: f64) -> String {
    match value {
        ..1.0 => format!("{value:.3}"),
        ..10.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_function_has_a_row_and_each_language_a_column() {
        let function = |function: &str, items: u64, p50: u64| json!({ "hook": "authn", "function": function, "items": items, "failed": 0, "p50_ns": p50, "p99_ns": 2 * p50 });
        let rust = json!({
            "bytes": 2048, "compile_ns": 12_345_678, "start": { "p50_ns": 26_000 }, "memory_bytes": 65_536,
            "functions": [function("authenticate", 1, 2_345), function("on-publish", 64, 64_000)],
        });
        let mut broken = rust.clone();
        broken["functions"] =
            json!([{ "hook": "authn", "function": "authenticate", "items": 1, "failed": 3, "failure": "trapped" }]);
        let lines = table(&[("Rust", &rust), ("C", &broken)]);
        let expected = [
            "| half of the calls take no longer (99 of 100) | Rust | C |",
            "|---|---|---|",
            "| component, KiB | 2 | 2 |",
            "| compiled in, ms | 12.3 | 12.3 |",
            "| an instance, ready in, ms | 0.026 | 0.026 |",
            "| its memory, KiB | 64 | 64 |",
            "| `authn.authenticate`, µs | 2.35 (4.69) | failed: trapped |",
            "| `authn.on-publish`, each of 64, µs | 1.00 (2.00) | – |",
        ];
        assert_eq!(lines, expected);
    }
}
