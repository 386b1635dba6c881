//! mosquitto's tests of its broker: scripts that send and expect bytes. `mosquitto.py` puts Midge in mosquitto's place.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{CRATES, Case, INSTALL_MAX, attempt, finish, own};

/// Makes the certificates anew: those in the package have expired.
pub(super) fn prepare(crates: &Path) {
    finish(Command::new("sh").arg("gen.sh").current_dir(tests(crates).join("ssl")), INSTALL_MAX);
}

/// What `test.py` lists, one case a script.
pub(super) fn cases() -> Vec<Case> {
    let scripts = tests(&CRATES).join("broker");
    let list = fs::read_to_string(scripts.join("test.py")).unwrap();
    list.lines().filter_map(listed).map(|(ports, script)| case(&scripts, ports, script)).collect()
}

/// `(2, './name.py'),`: the number of ports that a script needs, and the script.
fn listed(line: &str) -> Option<(usize, &str)> {
    let (ports, script) = line.trim().strip_prefix('(')?.split_once(", './")?;
    Some((ports.parse().ok()?, script.strip_suffix(".py'),")?))
}

fn case(scripts: &Path, ports: usize, script: &str) -> Case {
    let (scripts, name) = (scripts.to_owned(), script.to_owned());
    let run = move || {
        let mut command = Command::new("python3");
        command.arg("-u").arg(own("mosquitto.py")).arg(env!("CARGO_BIN_EXE_midge")).arg(format!("{name}.py"));
        attempt(command.args(free_ports(ports)).current_dir(&scripts))
    };
    Case { name: script.to_owned(), run: Box::new(run) }
}

/// Ports that nobody uses at this moment.
pub(super) fn free_ports(count: usize) -> Vec<String> {
    let held: Vec<TcpListener> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    held.iter().map(|listener| listener.local_addr().unwrap().port().to_string()).collect()
}

fn tests(crates: &Path) -> PathBuf {
    crates.join("sources/libmosquitto-sys-0.2.3/mosquitto/test")
}
