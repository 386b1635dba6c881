//! The brokers there are: `tests/bench/peers.toml`, and paths from the command line.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::running::Bench;
use super::{Failure, machine};

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Peers {
    peer: Vec<Peer>,
}

/// A broker that can be measured. Texts have placeholders, see the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Peer {
    name: String,
    meaning: String,
    variant_of: Option<String>,
    #[serde(default)]
    program: String,
    #[serde(default)]
    pub(super) arguments: Vec<String>,
    #[serde(default)]
    pub(super) environment: BTreeMap<String, String>,
    pub(super) config: Option<String>,
    more: Option<String>,
    pub(super) config_name: Option<String>,
    pub(super) tls: Option<String>,
    pub(super) setup: Option<String>,
    version: Option<String>,
    install: Option<String>,
    #[serde(default)]
    qos_0_only: bool,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
}

/// A broker that is here.
#[derive(Debug)]
pub(super) struct Broker {
    pub(super) name: String,
    pub(super) peer: Peer,
    pub(super) program: PathBuf,
    /// Where its installation lies.
    pub(super) folder: PathBuf,
    pub(super) version: String,
}

impl Peers {
    pub(super) fn read(file: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(file).map_err(|error| error.to_string());
        let peers = text.and_then(|text| toml::from_str(&text).map_err(|error| error.to_string()));
        let mut peers: Self = peers.map_err(|why| Failure::new(format!("{}: {why}", file.display())))?;
        let bases = peers.peer.clone();
        for variant in &mut peers.peer {
            let base = bases.iter().find(|base| Some(&base.name) == variant.variant_of.as_ref());
            if let (Some(base), Some(more)) = (base, &variant.more) {
                variant.program.clone_from(&base.program);
                variant.arguments.clone_from(&base.arguments);
                variant.version.clone_from(&base.version);
                variant.config = base.config.as_ref().map(|config| format!("{config}{more}"));
            }
        }
        Ok(peers)
    }

    /// Midge, then the peers with these names, or all that are installed; variants of all of them.
    pub(super) fn choose(&self, names: &[String], bench: &Bench<'_>) -> Result<Vec<Broker>, Failure> {
        let mut paths = BTreeMap::new();
        for name in names {
            let (name, path) = name.split_once('=').map_or((name.as_str(), None), |(name, path)| (name, Some(path)));
            if !self.peer.iter().any(|peer| peer.name == name) {
                return Err(Failure::new(format!(
                    "there is no peer {name:?}; `cargo xtask bench --peer list` has all"
                )));
            }
            paths.insert(name, path.map(PathBuf::from));
        }
        let mut brokers = Vec::new();
        for peer in &self.peer {
            let base = peer.variant_of.as_ref().unwrap_or(&peer.name).as_str();
            if base != "midge" && !names.is_empty() && !paths.contains_key(base) {
                continue;
            }
            let broker = peer.located(bench, paths.get(base).cloned().flatten());
            match broker.is_installed() {
                true => brokers.push(broker.with_version()),
                false if names.is_empty() || peer.variant_of.is_some() => {}
                false => {
                    return Err(Failure::new(format!("{} is not installed; {}", peer.name, peer.how(&bench.folder))));
                }
            }
        }
        Ok(brokers)
    }

    /// One of them, by name.
    pub(super) fn named(&self, name: &str, bench: &Bench<'_>) -> Result<Broker, Failure> {
        let peer = self.peer.iter().find(|peer| peer.name == name);
        let peer = peer.ok_or_else(|| Failure::new(format!("tests/bench/peers.toml has no {name}")))?;
        Ok(peer.located(bench, None))
    }

    /// Prints which are known, which are here, and how the others come here.
    pub(super) fn list(&self, folder: &Path) {
        println!("| peer | what it is | here | how it is installed |\n|---|---|---|---|");
        for peer in self.peer.iter().filter(|peer| peer.variant_of.is_none()) {
            let program = PathBuf::from(peer.filled(&peer.program, folder));
            let own = peer.program.starts_with("{midge}") || peer.program.starts_with("{bench}");
            let here = if own || is_program(&program) { "yes" } else { "no" };
            let how = if own { "built when measured".to_owned() } else { peer.how(folder) };
            println!("| {} | {} | {here} | {how} |", peer.name, peer.meaning);
        }
        println!("\nOne that is elsewhere: --peer NAME=/path/to/its/program");
    }
}

impl Peer {
    /// With what is known before anything runs.
    fn filled(&self, text: &str, folder: &Path) -> String {
        text.replace("{peer}", &self.folder(folder).display().to_string())
    }

    fn folder(&self, folder: &Path) -> PathBuf {
        folder.join("peers").join(self.variant_of.as_ref().unwrap_or(&self.name))
    }

    fn how(&self, folder: &Path) -> String {
        match &self.install {
            Some(command) => format!("`{}`", self.filled(command, folder)),
            None => format!("from elsewhere: --peer {}=/path/to/its/program", self.name),
        }
    }

    fn located(&self, bench: &Bench<'_>, path: Option<PathBuf>) -> Broker {
        let program = match (path, self.program.as_str()) {
            (Some(path), _) => path,
            (None, "{midge}") => bench.midge.clone(),
            (None, "{bench}") => bench.generator.clone(),
            (None, program) => PathBuf::from(self.filled(program, &bench.folder)),
        };
        let folder = self.folder(&bench.folder);
        Broker { name: self.name.clone(), peer: self.clone(), program, folder, version: String::new() }
    }
}

impl Broker {
    /// Whether it is only measured where a scenario names it.
    pub(super) fn is_variant(&self) -> bool {
        self.peer.variant_of.is_some()
    }

    /// Whether its configuration names a guest of `tests/guests`.
    pub(super) fn needs_guests(&self) -> bool {
        self.peer.config.as_ref().is_some_and(|config| config.contains("{guests}"))
    }

    /// Whether it is configured for TLS.
    pub(super) fn serves_tls(&self) -> bool {
        self.peer.tls.is_some()
    }

    /// Whether it knows QoS 1 and 2.
    pub(super) fn acknowledges(&self) -> bool {
        !self.peer.qos_0_only
    }

    fn is_installed(&self) -> bool {
        is_program(&self.program)
    }

    /// Asks it for its version.
    fn with_version(mut self) -> Self {
        let Some(command) = &self.peer.version else { return self };
        let command = command
            .replace("{program}", &self.program.display().to_string())
            .replace("{peer}", &self.folder.display().to_string());
        let said = machine::printed(Command::new("sh").args(["-c", &command]));
        self.version = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("unknown").trim().to_owned();
        self
    }
}

fn is_program(program: &Path) -> bool {
    program.is_file()
        || program.to_str().is_some_and(|name| !name.contains('/') && midge_toolchain::packages::is_program(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_peers_are_well_formed() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/bench/peers.toml");
        let peers = Peers::read(&file).unwrap_or_else(|failure| panic!("{failure:?}"));
        assert_eq!(peers.peer[0].name, "midge");
        for peer in &peers.peer {
            let base = peer.variant_of.as_ref().unwrap_or(&peer.name);
            assert!(peers.peer.iter().any(|other| other.name == *base), "{base}");
            let texts = || peer.arguments.iter().chain(&peer.config).chain(peer.environment.values());
            assert!(texts().any(|text| text.contains("{port}")), "{} has no port", peer.name);
            assert_eq!(peer.config.is_some(), texts().any(|text| text.contains("{config}")), "{}", peer.name);
        }
    }
}
