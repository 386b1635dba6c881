//! What was measured on.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};

/// What must be known of the machine and the sources to compare figures.
pub(super) fn description(root: &Path) -> Value {
    let kibibytes =
        line("/proc/meminfo", "MemTotal:").and_then(|text| text.trim_end_matches(" kB").parse::<u64>().ok());
    json!({
        "cpu": line("/proc/cpuinfo", "model name\t:"),
        "cores": cores(),
        "memory_bytes": kibibytes.map(|kibibytes| kibibytes * 1024),
        "kernel": printed(Command::new("uname").arg("-srm")),
        "load_average": load(),
        "commit": printed(Command::new("git").args(["rev-parse", "HEAD"]).current_dir(root)),
        "uncommitted_changes": !printed(Command::new("git").args(["status", "--porcelain"]).current_dir(root)).is_empty(),
        "unix_seconds": SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs()),
    })
}

/// One line about it.
pub(super) fn in_short() -> String {
    let cpu = line("/proc/cpuinfo", "model name\t:").unwrap_or_else(|| "an unknown CPU".to_owned());
    format!("{} cores of {cpu}, {}", cores(), printed(Command::new("uname").arg("-sr")))
}

/// How many cores there are.
pub(super) fn cores() -> usize {
    thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// How busy the machine was in the last minutes.
pub(super) fn load() -> String {
    fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().to_owned()
}

/// What a command printed.
pub(super) fn printed(command: &mut Command) -> String {
    let output = command.output().ok();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

/// As many open files as may be, for this process and the brokers it starts.
pub(super) fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    // With fewer, scenarios with many connections fail and say so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

fn line(file: &str, start: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| Some(line.strip_prefix(start)?.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_known() {
        let described = description(Path::new(env!("CARGO_MANIFEST_DIR")));
        assert!(described["cores"].as_u64().is_some_and(|cores| cores > 0), "{described}");
        assert!(described["memory_bytes"].as_u64().is_some_and(|bytes| bytes > 1 << 20), "{described}");
    }
}
