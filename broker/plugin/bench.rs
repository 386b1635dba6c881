//! `midge plugin bench`: what a component costs, to compile, to start, and per call.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use clap::Args;
use midge_host::Measured;
use midge_host::contract::Hook;
use midge_plugin_test::Plugin;
use midge_server::config::Bundled;
use serde_json::{Value, json};

use super::PluginError;
use super::check::size;
use super::component::Component;
use super::style::Style;

#[derive(Debug, Args)]
pub(crate) struct Bench {
    #[command(flatten)]
    component: Component,
    /// Only the functions of this hook
    #[arg(long, value_name = "HOOK", value_parser = hook)]
    hook: Option<Hook>,
    /// Calls of each function, at most; none is called for longer than --seconds
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    calls: usize,
    /// Longest time for each function
    #[arg(long, value_name = "S", default_value_t = 2)]
    seconds: u64,
    /// Print JSON, times in nanoseconds
    #[arg(long)]
    json: bool,
}

/// All that was measured.
struct Figures {
    bytes: u64,
    lane: String,
    compiled_in: Duration,
    /// Times of starts, in order.
    starts: Vec<Duration>,
    rows: Vec<Measured>,
    memory_bytes: u64,
}

impl Bench {
    pub(super) fn perform(&self, bundled: Bundled) -> Result<(), PluginError> {
        let mut plugin = self.component.compiled(bundled)?;
        let found = plugin.inspect()?;
        let hooks: Vec<Hook> = found.functions.iter().map(|function| function.hook).collect();
        if let Some(hook) = self.hook.filter(|hook| !hooks.contains(hook)) {
            let has: Vec<&str> = Hook::ALL.into_iter().filter(|it| hooks.contains(it)).map(Hook::name).collect();
            let reason = format!("this component has no such hook; it has {}", has.join(", "));
            return Err(PluginError::Argument { argument: format!("--hook {hook}"), reason });
        }
        let mut figures = Figures {
            bytes: found.bytes as u64,
            lane: found.lane.to_string(),
            compiled_in: found.compiled_in,
            starts: starts(&mut plugin)?,
            rows: Vec::new(),
            memory_bytes: 0,
        };
        for hook in Hook::ALL.into_iter().filter(|hook| self.hook.is_none_or(|wanted| wanted == *hook)) {
            if hooks.contains(&hook) {
                figures.rows.extend(plugin.measure(hook, self.calls, Duration::from_secs(self.seconds))?);
                figures.memory_bytes = figures.memory_bytes.max(plugin.memory_bytes().unwrap_or_default());
            }
        }
        let mut out = io::stdout().lock();
        let printed = if self.json {
            writeln!(out, "{:#}", self.as_json(&figures))
        } else {
            let style = Style::of(&out);
            self.print(&figures, style, &mut out)
        };
        printed.map_err(PluginError::Print)
    }

    fn print(&self, figures: &Figures, style: Style, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{}: {}, {}", self.component.name(), size(figures.bytes), figures.lane)?;
        writeln!(out, "compile  {:>10}", time(figures.compiled_in))?;
        let (p50, p99) = (percentile(&figures.starts, 50), percentile(&figures.starts, 99));
        let title = style.dim(format_args!("{:<34}{:>10}{:>12}{:>12}{:>9}", "", "p50", "p99", "calls", "failed"));
        writeln!(out, "{title}")?;
        writeln!(
            out,
            "{:<34}{:>10}{:>12}{:>12}{:>9}",
            "start, init included",
            time(p50),
            time(p99),
            figures.starts.len(),
            0
        )?;
        for row in &figures.rows {
            let items = if row.items > 1 { format!(", {} at once", row.items) } else { String::new() };
            let name = format!("{}.{}{items}", row.hook, row.function);
            let (p50, p99) = (time(Duration::from_nanos(row.p50_ns)), time(Duration::from_nanos(row.p99_ns)));
            let failed =
                if row.failed > 0 { style.bad(format_args!("{:>9}", row.failed)) } else { format!("{:>9}", 0) };
            writeln!(out, "{name:<34}{p50:>10}{p99:>12}{:>12}{failed}", row.calls)?;
            if let Some(failure) = &row.failure {
                writeln!(out, "  {}", style.warning(failure))?;
            }
        }
        writeln!(out, "memory   {:>10}", size(figures.memory_bytes))?;
        if cfg!(debug_assertions) {
            writeln!(out, "{}", style.warning("this midge is a debug build; one that is released is faster"))?;
        }
        Ok(())
    }

    fn as_json(&self, figures: &Figures) -> Value {
        let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let row = |row: &Measured| {
            json!({
                "hook": row.hook.name(), "function": row.function, "items": row.items, "calls": row.calls,
                "failed": row.failed, "failure": row.failure.as_ref().map(ToString::to_string),
                "p50_ns": row.p50_ns, "p99_ns": row.p99_ns,
            })
        };
        json!({
            "component": self.component.name(),
            "bytes": figures.bytes,
            "lane": figures.lane,
            "debug_build": cfg!(debug_assertions),
            "compile_ns": ns(figures.compiled_in),
            "start": {
                "p50_ns": ns(percentile(&figures.starts, 50)), "p99_ns": ns(percentile(&figures.starts, 99)),
                "instances": figures.starts.len(),
            },
            "functions": figures.rows.iter().map(row).collect::<Vec<_>>(),
            "memory_bytes": figures.memory_bytes,
        })
    }
}

/// Starts it again and again, for a moment.
fn starts(plugin: &mut Plugin) -> Result<Vec<Duration>, PluginError> {
    let began = Instant::now();
    let mut starts = Vec::new();
    while starts.len() < STARTS_MAX && (starts.is_empty() || began.elapsed() < STARTS_TIME_MAX) {
        starts.push(plugin.start()?);
    }
    starts.sort_unstable();
    Ok(starts)
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let last = sorted.len().saturating_sub(1);
    sorted.get((sorted.len() * percent / 100).min(last)).copied().unwrap_or_default()
}

/// A time in the unit that suits it.
fn time(time: Duration) -> String {
    let ns = time.as_nanos() as f64;
    match time.as_nanos() {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{:.1} µs", ns / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} ms", ns / 1e6),
        _ => format!("{:.2} s", ns / 1e9),
    }
}

fn hook(name: &str) -> Result<Hook, String> {
    Hook::from_name(name).ok_or_else(|| {
        let known: Vec<&str> = Hook::ALL.into_iter().map(Hook::name).collect();
        format!("there is no such hook; there are {}", known.join(", "))
    })
}

const STARTS_MAX: usize = 50;
const STARTS_TIME_MAX: Duration = Duration::from_secs(2);
