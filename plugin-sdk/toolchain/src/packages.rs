//! Programs on the PATH, and the system packages that bring them: installed on Debian as root, else named with the exact
//! command.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Installs Debian packages where that is possible without asking: as root on a machine with apt.
///
/// # Errors
/// The command that a person has to type instead.
pub fn install(packages: &[&str], tell: &dyn Fn(&str)) -> Result<(), String> {
    let by_hand = command(packages);
    let packages = packages.join(" ");
    if !is_root() || !is_program("apt-get") {
        return Err(by_hand);
    }
    tell(&format!("installing system packages: {packages}"));
    let script = format!(
        "export DEBIAN_FRONTEND=noninteractive; \
         apt-get install -y -q --no-install-recommends {packages} >/dev/null 2>&1 || \
         {{ apt-get update -q >/dev/null && apt-get install -y -q --no-install-recommends {packages} >/dev/null; }}"
    );
    match Command::new("sh").args(["-c", &script]).status() {
        Ok(status) if status.success() => Ok(()),
        _ => Err(by_hand),
    }
}

/// The command that installs Debian packages.
#[must_use]
pub fn command(packages: &[&str]) -> String {
    format!("{}apt-get install -y --no-install-recommends {}", if is_root() { "" } else { "sudo " }, packages.join(" "))
}

/// Whether `name` is a file in a directory of the PATH.
#[must_use]
pub fn is_program(name: &str) -> bool {
    find(name).is_some()
}

/// The first file of this name in the directories of the PATH.
#[must_use]
pub fn find(name: &str) -> Option<PathBuf> {
    path_directories().map(|directory| directory.join(name)).find(|path| path.is_file())
}

/// A program that may carry the number of its version: `wasm-ld`, else the highest of `wasm-ld-19` and `wasm-ld-22`.
#[must_use]
pub fn find_versioned(name: &str) -> Option<PathBuf> {
    find(name).or_else(|| {
        let prefix = format!("{name}-");
        let numbered = |directory: PathBuf| {
            let names = fs::read_dir(directory).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
            let number = |path: PathBuf| {
                let number: u32 = path.file_name()?.to_str()?.strip_prefix(&prefix)?.parse().ok()?;
                Some((number, path))
            };
            names.filter_map(number).max().map(|(_, path)| path)
        };
        path_directories().find_map(numbered)
    })
}

/// What a command prints, if it succeeds.
#[must_use]
pub fn said_by(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    String::from_utf8(output.stdout).ok().filter(|_| output.status.success())
}

fn path_directories() -> impl Iterator<Item = PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).collect::<Vec<_>>().into_iter()
}

/// Root owns what it creates; asking the process table needs no unsafe code.
#[cfg(unix)]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    Path::new("/proc/self").metadata().is_ok_and(|own| own.uid() == 0)
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}
