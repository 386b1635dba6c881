//! `midge store`: what survives a restart, looked at and carried about while the broker is stopped.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use clap::{Args, Subcommand};
use midge_server::config::{Config, ConfigError};
use midge_storage::tools::{self, CarryError, Checked, Compacted, Info};
use midge_storage::{Carried, OpenError, Progress};

use crate::cli::fmt_config;

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Count what is in the store
    #[command(after_help = "Example:\n  midge store info --config midge.toml")]
    Info(Place),
    /// Read everything, and say what is not as it should be; 1 if anything is. Changes nothing
    #[command(after_help = "Example:\n  midge store check --directory /var/lib/midge/store")]
    Check(Place),
    /// Remove what is not as it should be, so that the broker can start. What is removed is lost: copy the directory first
    #[command(after_help = "Example:\n  cp -a /var/lib/midge/store /var/lib/midge/store.copy\n  \
                            midge store repair --directory /var/lib/midge/store")]
    Repair(Place),
    /// Write the store as JSON, one object a line
    #[command(after_help = "Examples:\n  midge store export --config midge.toml copy.jsonl\n  \
                            midge store export --config midge.toml | zstd > copy.jsonl.zst")]
    Export(Export),
    /// Make a store of an export: all of it or, where something is wrong, nothing
    #[command(after_help = "Examples:\n  midge store import --config midge.toml copy.jsonl\n  \
                            ssh old midge store export | midge store import --config midge.toml")]
    Import(Import),
    /// Give back the space of what was removed
    #[command(after_help = "Example:\n  midge store compact --config midge.toml")]
    Compact(Place),
}

/// Where the store is: `store.directory` of the configuration, unless said.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The store's directory, instead of the configuration's
    #[arg(long, short, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
    /// The configuration that names it; without one, the default's
    #[arg(long, short, value_name = "FILE", env = "MIDGE_CONFIG")]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    place: Place,
    /// The file to make, which must not be there yet; unless said, standard output
    file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(flatten)]
    place: Place,
    /// The export; unless said, standard input
    file: Option<PathBuf>,
    /// Give up what is in the store
    #[arg(long)]
    replace: bool,
}

/// Why the store was not looked at, or what is wrong with it.
#[derive(Debug)]
pub(crate) enum StoreError {
    /// The configuration, which names the store, cannot be used.
    Config(ConfigError),
    /// The store cannot be used.
    Open(OpenError),
    /// It was not carried over.
    Carry(CarryError),
    /// A file of an export cannot be made or read.
    File { file: PathBuf, error: io::Error },
    /// What was found cannot be printed.
    Print(io::Error),
    /// There are problems, which stand above.
    Problems { left: u64, is_repair: bool },
}

impl StoreCommand {
    pub(crate) fn perform(&self) -> Result<(), StoreError> {
        match self {
            Self::Info(place) => {
                let directory = place.directory()?;
                print_info(&directory, &tools::info(&directory)?).map_err(StoreError::Print)
            }
            Self::Check(place) => check(&place.directory()?, false),
            Self::Repair(place) => check(&place.directory()?, true),
            Self::Export(export) => export.perform(),
            Self::Import(import) => import.perform(),
            Self::Compact(place) => {
                let Compacted { bytes_before, bytes_after } = tools::compact(&place.directory()?)?;
                say(format_args!("{} before, {} now", size(bytes_before), size(bytes_after)))
            }
        }
    }
}

impl Place {
    fn directory(&self) -> Result<PathBuf, StoreError> {
        match &self.directory {
            Some(directory) => Ok(directory.clone()),
            None => Ok(Config::load(self.config.as_deref(), &[]).map_err(StoreError::Config)?.store.directory),
        }
    }
}

impl Export {
    fn perform(&self) -> Result<(), StoreError> {
        let directory = self.place.directory()?;
        let out: Box<dyn Write + Send> = match &self.file {
            Some(file) => Box::new(File::create_new(file).map_err(|error| self.file_error(error))?),
            None => Box::new(io::stdout()),
        };
        let progress = Progress::default();
        let exported = watched(
            || {
                let (done, total) = (progress.done(), progress.total());
                format!("{done} of about {total} records")
            },
            || tools::export(&directory, BufWriter::new(out), &progress),
        );
        if exported.is_err()
            && let Some(file) = &self.file
        {
            // Half an export is none.
            let _ = std::fs::remove_file(file);
        }
        told("exported", exported?)
    }

    fn file_error(&self, error: io::Error) -> StoreError {
        StoreError::File { file: self.file.clone().unwrap_or_default(), error }
    }
}

impl Import {
    fn perform(&self) -> Result<(), StoreError> {
        let directory = self.place.directory()?;
        let text: Box<dyn Read> = match &self.file {
            Some(file) => {
                let failed = |error| StoreError::File { file: file.clone(), error };
                Box::new(File::open(file).map_err(failed)?)
            }
            None => Box::new(io::stdin()),
        };
        told("imported", tools::import(&directory, BufReader::new(text), self.replace)?)
    }
}

fn check(directory: &Path, is_repair: bool) -> Result<(), StoreError> {
    let mut tell = |problem: &tools::Problem| {
        let fate = match (is_repair, problem.is_repairable) {
            (true, true) => " (removed)",
            (false, true) => " (`midge store repair` removes it)",
            (_, false) => "",
        };
        let _ = say(format_args!("{problem}{fate}"));
    };
    let looked = if is_repair { tools::repair } else { tools::check };
    let Checked { records, problems, repaired } = looked(directory, &mut tell)?;
    say(format_args!("records {records}, problems {problems}, removed {repaired}"))?;
    match problems - repaired {
        0 => Ok(()),
        left => Err(StoreError::Problems { left, is_repair }),
    }
}

fn print_info(directory: &Path, info: &Info) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let Info { layout, layout_known, commits, bytes, .. } = info;
    writeln!(out, "directory               {}", directory.display())?;
    writeln!(out, "layout                  {layout} (this release writes {layout_known})")?;
    writeln!(out, "on the disk             {}", size(*bytes))?;
    writeln!(out, "commits                 {commits}")?;
    for (name, count) in [
        ("sessions", info.sessions),
        ("  that will expire", info.sessions_ending),
        ("  with a Will", info.wills),
        ("subscriptions", info.subscriptions),
        ("messages for sessions", info.deliveries),
        ("  in flight", info.in_flight),
        ("  bodies of all", info.bodies),
        ("QoS 2 awaiting PUBREL", info.received),
        ("retained messages", info.retained),
        ("entries of plugins", info.plugin_entries),
    ] {
        writeln!(out, "{name:<24}{count}")?;
    }
    Ok(())
}

/// To standard error: standard output may be the export.
fn told(what: &str, carried: Carried) -> Result<(), StoreError> {
    let Carried { retained, sessions, deliveries, plugin_entries } = carried;
    eprintln!(
        "{what}: sessions {sessions}, messages for them {deliveries}, retained messages {retained}, entries of plugins \
         {plugin_entries}"
    );
    Ok(())
}

fn say(line: fmt::Arguments<'_>) -> Result<(), StoreError> {
    writeln!(io::stdout(), "{line}").map_err(StoreError::Print)
}

fn size(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// Does something and, on a terminal, says every second how far it is.
fn watched<T>(how_far: impl Fn() -> String + Sync, work: impl FnOnce() -> T + Send) -> T
where
    T: Send,
{
    if !io::stderr().is_terminal() {
        return work();
    }
    thread::scope(|scope| {
        let (done, ended) = std::sync::mpsc::channel::<()>();
        let how_far = &how_far;
        scope.spawn(move || {
            while ended.recv_timeout(Duration::from_secs(1)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                eprint!("\r\x1b[K{}", how_far());
            }
            eprint!("\r\x1b[K");
        });
        let outcome = work();
        drop(done);
        outcome
    })
}

impl StoreError {
    /// 2 where the configuration is to be mended, 1 otherwise.
    pub(crate) const fn exit_code(&self) -> u8 {
        if matches!(self, Self::Config(_)) { 2 } else { 1 }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => fmt_config(error, f),
            Self::Open(error) | Self::Carry(CarryError::Open(error)) => match error {
                OpenError::Missing { .. } => write!(f, "{error}; name another with --directory or --config"),
                _ => error.fmt(f),
            },
            Self::Carry(error @ CarryError::NotEmpty { .. }) => write!(f, "{error}; --replace gives them up"),
            Self::Carry(error) => error.fmt(f),
            Self::File { file, error } => write!(f, "{}: {error}", file.display()),
            Self::Print(error) => write!(f, "standard output cannot be written: {error}"),
            Self::Problems { left, is_repair: true } => {
                write!(f, "{left} problems are left that cannot be repaired: restore the store from a copy")
            }
            Self::Problems { left, is_repair: false } => write!(f, "the store has {left} problems"),
        }
    }
}

impl From<OpenError> for StoreError {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

impl From<CarryError> for StoreError {
    fn from(error: CarryError) -> Self {
        Self::Carry(error)
    }
}
