//! `midge plugin run`: one call of one function.

use std::io::{self, Read, Write};

use clap::Args;
use midge_host::contract::{LogLevel, LogLine};
use midge_plugin_test::{Answer, message_json};
use midge_server::config::Bundled;
use serde_json::{Value, json};

use super::PluginError;
use super::component::Component;
use super::style::Style;

#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    component: Component,
    /// The function, such as authenticate or sink.deliver; `midge plugin check` lists them
    function: String,
    /// What it is asked, in JSON; `-` reads standard input
    #[arg(default_value = "{}")]
    input: String,
}

impl Run {
    pub(super) fn perform(&self, bundled: Bundled) -> Result<(), PluginError> {
        let input = self.input()?;
        let mut plugin = self.component.plugin(bundled)?;
        let called = plugin.call(&self.function, &input);
        let mut notes = io::stderr().lock();
        let style = Style::of(&notes);
        let answer = match called {
            Ok(answer) => answer,
            Err(error) => {
                // What it said before it refused to start is the best explanation there is.
                print_log(&plugin.leftovers(), style, &mut notes).map_err(PluginError::Print)?;
                return Err(error.into());
            }
        };
        print_deeds(&answer, style, &mut notes).map_err(PluginError::Print)?;
        match &answer.value {
            Ok(value) => writeln!(io::stdout(), "{value:#}").map_err(PluginError::Print),
            Err(failure) => {
                writeln!(io::stdout(), "{:#}", json!({ "err": failure.to_string() })).map_err(PluginError::Print)?;
                Err(PluginError::Failed)
            }
        }
    }

    fn input(&self) -> Result<Value, PluginError> {
        let mut text = self.input.clone();
        if text == "-" {
            text.clear();
            let read = io::stdin().read_to_string(&mut text);
            read.map_err(|error| PluginError::File { file: "standard input".into(), error })?;
        }
        serde_json::from_str(&text).map_err(|error| PluginError::Argument {
            argument: "the input".to_owned(),
            reason: format!("{error}; expected JSON, such as '{{\"username\": \"alice\"}}'"),
        })
    }
}

/// What it did besides answering.
fn print_deeds(answer: &Answer, style: Style, out: &mut impl Write) -> io::Result<()> {
    print_log(&answer.logs, style, out)?;
    if answer.logs_dropped > 0 {
        note(out, style, "log", format_args!("and {} more lines", answer.logs_dropped))?;
    }
    for request in &answer.requests {
        note(out, style, "http", format_args!("{} {}, {} bytes", request.method, request.url, request.body.len()))?;
    }
    for message in &answer.published {
        note(out, style, "published", message_json(message))?;
    }
    for ended in &answer.disconnected {
        let session = if ended.keep_session { "" } else { ", and its session" };
        note(out, style, "disconnected", format_args!("{} with 0x{:02x}{session}", ended.client_id, ended.code))?;
    }
    for sent in &answer.redirected {
        note(out, style, "redirected", format_args!("{} to {}", sent.client_id, sent.to.server_reference))?;
    }
    for principal in &answer.revoked {
        note(out, style, "revoked", principal)?;
    }
    for remark in &answer.remarks {
        note(out, style, "remark", style.warning(remark))?;
    }
    let took = answer.took.as_secs_f64() * 1e3;
    note(out, style, "took", format_args!("{took:.3} ms, memory {}", super::check::size(answer.memory_bytes)))
}

fn print_log(lines: &[LogLine], style: Style, out: &mut impl Write) -> io::Result<()> {
    for line in lines {
        let level = match line.level {
            LogLevel::Error => style.bad(line.level.name()),
            LogLevel::Warn => style.warning(line.level.name()),
            _ => line.level.name().to_owned(),
        };
        let fields = if line.fields.is_empty() { String::new() } else { format!(" {}", style.dim(&line.fields)) };
        note(out, style, "log", format_args!("{level} {}{fields}", line.message))?;
        if let Some((_, grant)) = line.message.split_once("this would grant it: allow.").filter(|_| line.is_hosts) {
            note(out, style, "", format_args!("here: --allow '{}'", grant.replacen(" = ", "=", 1)))?;
        }
    }
    Ok(())
}

fn note(out: &mut impl Write, style: Style, title: &str, text: impl std::fmt::Display) -> io::Result<()> {
    writeln!(out, "{} {text}", style.dim(format_args!("{title:<12}")))
}
