//! `log`: lines in the broker's log, with the plugin's name, cut off when they are too many.

use std::fmt::Write as _;
use std::time::Instant;

use super::PluginState;
use super::rate::{Pass, Rate};
use crate::bindings::midge::plugin::log::{Host, Level};
use crate::contract::{LogLevel, LogLine};

impl Host for PluginState {
    fn enabled(&mut self, level: Level) -> wasmtime::Result<bool> {
        Ok(self.shared.stage().map_or_else(|| enabled(level), |stage| stage.reads(level.into())))
    }

    fn write(&mut self, level: Level, message: String, fields: Vec<(String, String)>) -> wasmtime::Result<()> {
        tell(self, level, &message, &fields);
        Ok(())
    }
}

/// Writes a line that the plugin printed instead of logging it.
pub(super) fn line(state: &PluginState, level: Level, text: &str) {
    tell(state, level, text, &[]);
}

fn tell(state: &PluginState, level: Level, message: &str, fields: &[(String, String)]) {
    if let Some(stage) = state.shared.stage() {
        stage.log(LogLine {
            level: level.into(),
            hook: state.hook(),
            message: message_text(message),
            fields: fields_text(fields),
            is_hosts: false,
        });
    } else if enabled(level) {
        let hook = state.hook().map_or("-", |hook| hook.name());
        write(state.shared.plugin(), hook, state.shared.log_rate(), level, message, fields);
    }
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Trace => Self::Trace,
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warn => Self::Warn,
            Level::Error => Self::Error,
        }
    }
}

/// Writes one line unless the plugin has written too many; the next line that gets through is preceded by how many
/// did not.
fn write(plugin: &str, hook: &str, rate: &Rate, level: Level, message: &str, fields: &[(String, String)]) {
    match rate.pass(Instant::now()) {
        Pass::No => {}
        Pass::Yes { refused_before } => {
            if refused_before > 0 {
                tracing::warn!(target: TARGET, plugin, "{refused_before} log lines dropped: too many a second");
            }
            emit(plugin, hook, level, &message_text(message), &fields_text(fields));
        }
    }
}

fn enabled(level: Level) -> bool {
    match level {
        Level::Trace => tracing::enabled!(target: TARGET, tracing::Level::TRACE),
        Level::Debug => tracing::enabled!(target: TARGET, tracing::Level::DEBUG),
        Level::Info => tracing::enabled!(target: TARGET, tracing::Level::INFO),
        Level::Warn => tracing::enabled!(target: TARGET, tracing::Level::WARN),
        Level::Error => tracing::enabled!(target: TARGET, tracing::Level::ERROR),
    }
}

fn emit(plugin: &str, hook: &str, level: Level, message: &str, fields: &str) {
    // The empty list is left out, as tracing does with an `Option` that is `None`.
    let fields = (!fields.is_empty()).then_some(fields);
    match level {
        Level::Trace => tracing::trace!(target: TARGET, plugin, hook, fields, "{message}"),
        Level::Debug => tracing::debug!(target: TARGET, plugin, hook, fields, "{message}"),
        Level::Info => tracing::info!(target: TARGET, plugin, hook, fields, "{message}"),
        Level::Warn => tracing::warn!(target: TARGET, plugin, hook, fields, "{message}"),
        Level::Error => tracing::error!(target: TARGET, plugin, hook, fields, "{message}"),
    }
}

fn message_text(message: &str) -> String {
    let mut text = String::new();
    push_line(&mut text, message, MESSAGE_BYTES_MAX);
    text
}

fn fields_text(fields: &[(String, String)]) -> String {
    let mut text = String::new();
    for (name, value) in fields.iter().take(FIELDS_MAX) {
        if !text.is_empty() {
            text.push(' ');
        }
        push_line(&mut text, name, FIELD_BYTES_MAX);
        text.push('=');
        push_line(&mut text, value, FIELD_BYTES_MAX);
    }
    if fields.len() > FIELDS_MAX {
        // Writing to a String cannot fail.
        let _ = write!(text, " (and {} more)", fields.len() - FIELDS_MAX);
    }
    text
}

/// Appends at most `max` bytes of a guest's text. Control characters are escaped, so that no plugin can forge a
/// line of the log or write to the operator's terminal.
fn push_line(out: &mut String, text: &str, max: usize) {
    for (at, c) in text.char_indices() {
        if at >= max {
            out.push('…');
            return;
        }
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
}

/// The tracing target of all plugins; the plugin's name is a field.
const TARGET: &str = "midge::plugin";
const MESSAGE_BYTES_MAX: usize = 4096;
const FIELDS_MAX: usize = 32;
const FIELD_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Counts the events it sees.
    struct Counter(Arc<AtomicUsize>);

    impl tracing::Subscriber for Counter {
        fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
            *metadata.level() <= tracing::Level::INFO
        }
        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            tracing::span::Id::from_u64(1)
        }
        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
        fn event(&self, _: &tracing::Event<'_>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        fn enter(&self, _: &tracing::span::Id) {}
        fn exit(&self, _: &tracing::span::Id) {}
    }

    #[test]
    fn a_flood_is_cut_off_and_counted() {
        let seen = Arc::new(AtomicUsize::new(0));
        let rate = Rate::new(100, Instant::now());
        tracing::subscriber::with_default(Counter(Arc::clone(&seen)), || {
            for _ in 0..100_000 {
                write("noisy", "authn", &rate, Level::Info, "line", &[]);
            }
        });
        let seen = seen.load(Ordering::Relaxed);
        assert!((100..10_000).contains(&seen), "{seen}");
        assert!(rate.refused() > 90_000);
    }

    #[test]
    fn enabled_follows_the_brokers_own_filter() {
        tracing::subscriber::with_default(Counter(Arc::default()), || {
            assert!(enabled(Level::Info));
            assert!(!enabled(Level::Debug));
        });
    }

    #[test]
    fn a_guest_cannot_forge_lines_or_write_long_ones() {
        assert_eq!(message_text("a\nERROR b\u{1b}[2J"), "a\\nERROR b\\u{1b}[2J");
        assert_eq!(message_text(&"é".repeat(1 << 20)).len(), MESSAGE_BYTES_MAX + '…'.len_utf8());
        let fields: Vec<_> = (0..40).map(|n| (format!("k{n}"), "v".to_owned())).collect();
        let text = fields_text(&fields);
        assert!(text.starts_with("k0=v k1=v ") && text.ends_with("k31=v (and 8 more)"), "{text}");
    }
}
