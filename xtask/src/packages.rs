//! System packages that a command needs: looked for, installed on Debian as root, else named with the exact command.

use std::env;
use std::path::Path;
use std::process::Command;

use crate::Failure;

/// A program that must be on the PATH, and Debian's package that brings it.
pub(crate) struct Need {
    pub(crate) program: &'static str,
    pub(crate) package: &'static str,
}

/// What the end-to-end tests drive the broker with: clients nobody here wrote.
pub(crate) const FOR_TESTS: &[Need] = &[
    Need { program: "mosquitto_pub", package: "mosquitto-clients" },
    Need { program: "mosquitto_passwd", package: "mosquitto" },
    Need { program: "python3", package: "python3" },
    Need { program: "node", package: "nodejs" },
    Need { program: "npm", package: "npm" },
    Need { program: "openssl", package: "openssl" },
];

/// What counts instructions.
pub(crate) const FOR_PATHS: &[Need] = &[Need { program: "valgrind", package: "valgrind" }];

/// The peer that the benchmarks measure beside Midge.
pub(crate) const FOR_BENCH: &[Need] = &[Need { program: "mosquitto", package: "mosquitto" }];

/// Makes sure that every program is there.
///
/// # Errors
/// Names the missing programs and the command that installs them, where that could not be done here.
pub(crate) fn ensure(needs: &[Need]) -> Result<(), Failure> {
    let missing: Vec<&Need> = needs.iter().filter(|need| !is_program(need.program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let programs = missing.iter().map(|need| need.program).collect::<Vec<_>>().join(", ");
    install(&missing.iter().map(|need| need.package).collect::<Vec<_>>())
        .map_err(|command| Failure::new(format!("missing: {programs}. Install with: {command}")))
}

/// Installs Debian packages where that is possible without asking: as root on a machine with apt.
///
/// # Errors
/// The command that a person has to type instead.
pub(crate) fn install(packages: &[&str]) -> Result<(), String> {
    let packages = packages.join(" ");
    let by_hand = format!("sudo apt-get install -y {packages}");
    if !is_root() || !is_program("apt-get") {
        return Err(by_hand);
    }
    println!("installing system packages: {packages}");
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

/// Whether `name` is an executable file in a directory of the PATH.
pub(crate) fn is_program(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|directory| directory.join(name).is_file())
}

/// Root owns what it creates; asking the process table needs no unsafe code.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    Path::new("/proc/self").metadata().is_ok_and(|own| own.uid() == 0)
}
