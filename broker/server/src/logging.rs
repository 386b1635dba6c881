//! The log: lines on standard error, for people or for machines.
//!
//! Client ids, user names and topics are written by strangers. None of them can start a line of its own, add a field to
//! one, or send commands to a terminal, in either format.

use std::fmt::{Debug, Result as Written, Write};
use std::io::{self, IsTerminal};

use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

use crate::config::{Log, LogFormat};

/// Starts the log of the process. It is called once, before anything is logged.
///
/// # Errors
/// The filter is none.
pub fn start(log: &Log) -> Result<(), ParseError> {
    let filter = EnvFilter::builder().parse(format!("{LIBRARIES},{}", log.filter.0))?;
    let lines = fmt().with_env_filter(filter).with_writer(io::stderr);
    // A process has one log; the first one that was started stays.
    let _ = match log.format {
        LogFormat::Text => lines
            .fmt_fields(debug_fn(write_field).delimited(" "))
            .with_ansi(wants_colour())
            .with_target(false)
            .try_init(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).try_init(),
    };
    Ok(())
}

/// What goes on inside the store's database is of no interest to an operator, unless the filter asks for it.
const LIBRARIES: &str = "fjall=warn,lsm_tree=warn";

/// Colours are for terminals, and for those who did not ask for none (<https://no-color.org>).
fn wants_colour() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The message as it is, any other field as `name=value`; both on one line.
fn write_field(out: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> Written {
    let value = format!("{value:?}");
    if field.name() == "message" {
        return write_line(out, &value);
    }
    write!(out, "{}=", field.name())?;
    if is_word(&value) || is_quoted(&value) { out.write_str(&value) } else { write!(out, "{value:?}") }
}

/// Escapes what would end the line, or move the cursor of a terminal.
fn write_line(out: &mut impl Write, value: &str) -> Written {
    value.chars().try_for_each(|c| match c {
        // What `Debug` escapes of a character that is not a quotation mark is what cannot be printed.
        '"' | '\'' | '\\' => out.write_char(c),
        _ => write!(out, "{}", c.escape_debug()),
    })
}

/// Whether a value needs no quotation marks: it is printable, and where it ends is plain.
fn is_word(value: &str) -> bool {
    let is_plain = |c: char| c != '"' && c != '=' && !c.is_whitespace() && c.escape_debug().len() == 1;
    !value.is_empty() && value.chars().all(is_plain)
}

/// Whether a value is text in quotation marks already, as `Debug` writes it, to its very end.
fn is_quoted(value: &str) -> bool {
    let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return false };
    let mut escaped = false;
    let is_inside = |c: char| {
        let stays = escaped || c != '"';
        escaped = !escaped && c == '\\';
        stays && (c == '"' || c == '\'' || c == '\\' || c.escape_debug().len() == 1)
    };
    inner.chars().all(is_inside) && !escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(value: &str) -> String {
        let mut out = String::new();
        assert!(write_line(&mut out, value).is_ok());
        out
    }

    #[test]
    fn a_message_stays_on_its_line() {
        assert_eq!(line("it's a \"word\": C:\\ é"), "it's a \"word\": C:\\ é");
        assert_eq!(line("a\nb\r\u{1b}[31m\u{85}\u{2028}\u{202e}"), r"a\nb\r\u{1b}[31m\u{85}\u{2028}\u{202e}");
    }

    #[test]
    fn a_value_that_could_pass_for_more_is_quoted() {
        for word in ["alice", "127.0.0.1:1883", "0x87", "é", "a/b"] {
            assert!(is_word(word), "{word}");
        }
        for more in ["", "a b", "a=b", "a\"", "a\nb", "a\u{202e}", "a\u{a0}b"] {
            assert!(!is_word(more) && !is_quoted(more), "{more:?}");
        }
    }

    #[test]
    fn what_is_quoted_once_stays_so_and_nothing_else_passes_for_it() {
        for text in ["", "a b", "a\"b", "a\\", "a\n'"] {
            assert!(is_quoted(&format!("{text:?}")), "{text:?}");
        }
        for text in ["\"", "\"a\" b=\"c\"", "\"a\nb\"", "\"a\\\"", "a"] {
            assert!(!is_quoted(text), "{text:?}");
        }
    }
}
