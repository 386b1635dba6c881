//! `midge plugin wit`: the contract, as this binary speaks it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use midge_host::contract::Hook;

use super::PluginError;

include!(concat!(env!("OUT_DIR"), "/wit.rs"));

#[derive(Debug, Args)]
pub(crate) struct Wit {
    /// Write the contract's files here, in place of those of an older one; the directory is made if there is none
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Wit {
    pub(super) fn perform(&self) -> Result<(), PluginError> {
        match &self.out {
            Some(directory) => write(directory),
            None => io::stdout().lock().write_all(whole().as_bytes()).map_err(PluginError::Print),
        }
    }
}

/// The hook that has a function of this name in the contract.
pub(super) fn hook_of(function: &str) -> Option<&'static str> {
    let mut interface = "";
    for line in WIT.iter().flat_map(|(_, text)| text.lines()).map(str::trim_start) {
        if let Some(name) = line.strip_prefix("interface ") {
            interface = name.trim_end_matches([' ', '{']);
        }
        let is_it = line.strip_prefix(function).is_some_and(|rest| rest.starts_with(": func("));
        if is_it && Hook::from_name(interface).is_some() {
            return Some(interface);
        }
    }
    None
}

fn write(directory: &Path) -> Result<(), PluginError> {
    let named = |file: &Path| {
        let file = file.to_owned();
        move |error| PluginError::File { file, error }
    };
    fs::create_dir_all(directory).map_err(named(directory))?;
    for (name, text) in WIT {
        let file = directory.join(name);
        fs::write(&file, text).map_err(named(&file))?;
    }
    let said = writeln!(io::stdout(), "{} files of the contract are in {}", WIT.len(), directory.display());
    said.map_err(PluginError::Print)
}

/// The package as one file: the part that names it comes first.
fn whole() -> String {
    let parts = || WIT.iter().filter(|(name, _)| name.ends_with(".wit")).map(|(_, text)| *text);
    let names_it = |text: &&str| text.lines().any(|line| line.starts_with("package "));
    let ordered = parts().filter(names_it).chain(parts().filter(|text| !names_it(text)));
    ordered.collect::<Vec<_>>().join("\n")
}
