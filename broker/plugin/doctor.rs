//! `midge plugin doctor`: what is needed to build plugins here, and what mends what is missing.

use std::io::{self, Write};

use clap::Args;
use clap::builder::PossibleValuesParser;
use midge_toolchain::{LANGUAGES, Language, State};

use super::PluginError;
use super::new::names;

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Look at one language only; 1 if something is missing for it
    #[arg(long, short, value_name = "LANG", value_parser = PossibleValuesParser::new(names()))]
    lang: Option<String>,
}

impl Doctor {
    pub(super) fn perform(&self) -> Result<(), PluginError> {
        let mut out = io::stdout().lock();
        let wanted = |language: &&&dyn Language| self.lang.as_deref().is_none_or(|name| name == language.name());
        for language in LANGUAGES.iter().filter(wanted) {
            let is_complete = show(*language, &mut out).map_err(PluginError::Print)?;
            if !is_complete && self.lang.is_some() {
                return Err(PluginError::Incomplete(language.title()));
            }
        }
        Ok(())
    }
}

/// One language; whether nothing is missing.
fn show(language: &dyn Language, out: &mut impl Write) -> io::Result<bool> {
    let examination = language.examine();
    let verdict = if examination.is_complete() { "ready" } else { "something is missing" };
    writeln!(out, "{} (--lang {}): {verdict}", language.title(), language.name())?;
    for finding in &examination.findings {
        match &finding.state {
            State::Found(found) => writeln!(out, "  found    {}: {found}", finding.what)?,
            State::Missing => writeln!(out, "  missing  {}", finding.what)?,
        }
    }
    if let Some(mend) = &examination.mend {
        writeln!(out, "  to mend it: {mend}")?;
    }
    Ok(examination.is_complete())
}
