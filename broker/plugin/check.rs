//! `midge plugin check`: what a component is, what it wants, and what it is granted of that.

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::Args;
use midge_host::contract::Lane;
use midge_host::{Inspection, LoadErrorKind};
use midge_plugin_test::Error;
use midge_server::config::Bundled;
use serde_json::{Value, json};

use super::PluginError;
use super::component::Component;
use super::style::Style;

#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    component: Component,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Whether it starts, with this configuration.
enum Start {
    /// It does, and has this much memory then.
    Well { memory_bytes: u64 },
    /// Its `init` refuses, in its words.
    Refused(String),
}

impl Check {
    pub(super) fn perform(&self, bundled: Bundled) -> Result<(), PluginError> {
        let mut plugin = self.component.plugin(bundled)?;
        let inspection = plugin.inspect()?.clone();
        let start = match plugin.start() {
            Ok(_) => Start::Well { memory_bytes: plugin.memory_bytes().unwrap_or_default() },
            Err(Error::Load(error)) if matches!(error.kind, LoadErrorKind::Refused(_)) => match error.kind {
                LoadErrorKind::Refused(text) => Start::Refused(text),
                other => Start::Refused(other.to_string()),
            },
            Err(error) => return Err(error.into()),
        };
        let mut out = io::stdout().lock();
        let printed = if self.json {
            writeln!(out, "{:#}", self.as_json(&inspection, &start))
        } else {
            let style = Style::of(&out);
            self.print(&inspection, &start, style, &mut out)
        };
        printed.map_err(PluginError::Print)
    }

    fn print(&self, found: &Inspection, start: &Start, style: Style, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{}", self.component.name())?;
        line(out, "contract", format_args!("midge:plugin@{}", found.track))?;
        line(out, "size", format_args!("{}, SHA-256 {}", size(found.bytes as u64), found.digest))?;
        line(out, "lane", lane(found.lane))?;
        let at_start = found.memory_bytes_at_start.map_or_else(|| "unknown".to_owned(), size);
        let most = size(found.memory_bytes_max);
        match start {
            Start::Well { memory_bytes } => {
                line(
                    out,
                    "memory",
                    format_args!("{at_start} at first, {} once started, {most} at most", size(*memory_bytes)),
                )?;
            }
            Start::Refused(_) => line(out, "memory", format_args!("{at_start} at first, {most} at most"))?,
        }
        let mut title = "hooks";
        for (hook, functions) in hooks(found) {
            line(out, title, format_args!("{hook:<18} {}", functions.join(", ")))?;
            title = "";
        }
        print_imports(found, style, out)?;
        let mut title = "granted";
        for grant in &found.grants {
            line(out, title, grant)?;
            title = "";
        }
        match start {
            Start::Well { .. } => line(out, "start", style.good("ok")),
            Start::Refused(text) => {
                line(out, "start", style.warning(format_args!("with this config it refuses: {text}")))?;
                line(out, "", "say another with --config KEY=VALUE or --config-file")
            }
        }
    }

    fn as_json(&self, found: &Inspection, start: &Start) -> Value {
        let imports = found.imports.iter();
        let imports = imports
            .map(|import| json!({ "interface": import.interface, "granted": import.is_granted, "line": import.line }));
        let start = match start {
            Start::Well { memory_bytes } => json!({ "ok": true, "memory_bytes": memory_bytes }),
            Start::Refused(text) => json!({ "ok": false, "refused": text }),
        };
        json!({
            "component": self.component.name(),
            "contract": format!("midge:plugin@{}", found.track),
            "bytes": found.bytes,
            "sha256": found.digest,
            "lane": found.lane.to_string(),
            "hooks": hooks(found),
            "imports": imports.collect::<Vec<_>>(),
            "grants": found.grants,
            "memory_bytes_at_start": found.memory_bytes_at_start,
            "memory_bytes_max": found.memory_bytes_max,
            "start": start,
        })
    }
}

/// Hooks with their functions, by name.
fn hooks(found: &Inspection) -> BTreeMap<&'static str, Vec<&str>> {
    let mut hooks: BTreeMap<&'static str, Vec<&str>> = BTreeMap::new();
    for function in &found.functions {
        hooks.entry(function.hook.name()).or_default().push(&function.name);
    }
    hooks
}

fn print_imports(found: &Inspection, style: Style, out: &mut impl Write) -> io::Result<()> {
    let mut title = "imports";
    let (wasi, free): (Vec<&str>, Vec<&str>) = found
        .imports
        .iter()
        .filter(|import| import.is_granted.is_none())
        .map(|import| &*import.interface)
        .partition(|interface| interface.starts_with("wasi:"));
    if !free.is_empty() {
        line(out, title, free.join(", "))?;
        title = "";
    }
    if !wasi.is_empty() {
        let inert = "inert: clocks, randomness and output work, all else is denied";
        line(out, title, format_args!("{:<18} {} interfaces, {inert}", "wasi 0.2", wasi.len()))?;
        title = "";
    }
    for import in found.imports.iter().filter(|import| import.is_granted.is_some()) {
        let state = if import.is_granted == Some(true) {
            style.good("granted")
        } else {
            let grant = import.line.map(|line| format!("  allow.{line}")).unwrap_or_default();
            format!("{}{}", style.warning("not granted"), style.dim(grant))
        };
        line(out, title, format_args!("{:<18} {state}", import.interface))?;
        title = "";
    }
    if found.imports.is_empty() { line(out, title, "nothing") } else { Ok(()) }
}

fn line(out: &mut impl Write, title: &str, text: impl std::fmt::Display) -> io::Result<()> {
    writeln!(out, "  {title:<9} {text}")
}

const fn lane(lane: Lane) -> &'static str {
    match lane {
        Lane::Inline => "inline: it imports nothing that waits, and is called on the connection's own thread",
        Lane::Waiting => "waiting: it imports what waits, and a call that does holds nobody else up",
    }
}

/// Bytes in the unit that suits them.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.0} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}
