//! The log: lines on standard error, for people or for machines.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt;

use crate::config::{Log, LogFormat};

/// Starts the log of the process. It is called once, before anything is logged.
///
/// # Errors
/// The filter is none.
pub fn start(log: &Log) -> Result<(), ParseError> {
    let filter = EnvFilter::builder().parse(&log.filter.0)?;
    let lines = fmt().with_env_filter(filter).with_writer(io::stderr);
    // A process has one log; the first one that was started stays.
    let _ = match log.format {
        LogFormat::Text => lines.with_ansi(wants_colour()).with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).try_init(),
    };
    Ok(())
}

/// Colours are for terminals, and for those who did not ask for none (<https://no-color.org>).
fn wants_colour() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
