//! What a process and all that it started cost, as Linux counts it.

use std::fs;
use std::io;

/// CPU seconds that all threads of the processes have used; to the 10 ms.
pub(crate) fn cpu_seconds(pid: u32) -> io::Result<f64> {
    sum(pid, cpu_seconds_of)
}

/// Resident bytes of the processes.
pub(crate) fn resident_bytes(pid: u32) -> io::Result<u64> {
    sum(pid, resident_bytes_of)
}

/// Bytes that the processes have caused to be written to a disk.
pub(crate) fn written_bytes(pid: u32) -> io::Result<u64> {
    sum(pid, written_bytes_of)
}

/// The process itself must be there; what it started may end at any moment.
fn sum<T: std::iter::Sum>(pid: u32, figure: impl Fn(u32) -> io::Result<T>) -> io::Result<T> {
    family(pid)?
        .into_iter()
        .map(|member| (member, figure(member)))
        .filter(|(member, figure)| *member == pid || figure.is_ok())
        .map(|(_, figure)| figure)
        .sum()
}

/// The process, its children and theirs: some brokers are started by a script, or are several processes.
fn family(pid: u32) -> io::Result<Vec<u32>> {
    let mut found = vec![pid];
    let mut place = 0;
    while let Some(parent) = found.get(place) {
        for task in fs::read_dir(format!("/proc/{parent}/task"))? {
            // Not every kernel lists children, and a thread may end meanwhile.
            let children = fs::read_to_string(task?.path().join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
        place += 1;
    }
    Ok(found)
}

fn cpu_seconds_of(pid: u32) -> io::Result<f64> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path)?;
    // The name in parentheses may contain anything, so the fields are counted behind it: utime and stime, 14th and 15th.
    let fields = text.rsplit_once(')').map(|(_, fields)| fields.split_whitespace().skip(11).take(2));
    let ticks: Option<u64> = fields.and_then(|fields| fields.map(|field| field.parse::<u64>().ok()).sum());
    let ticks = ticks.ok_or_else(|| io::Error::other(format!("{path} is not as expected")))?;
    Ok(ticks as f64 / TICKS_PER_SECOND)
}

fn resident_bytes_of(pid: u32) -> io::Result<u64> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path)?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes: Option<u64> = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
    kibibytes.map(|kibibytes| kibibytes * 1024).ok_or_else(|| io::Error::other(format!("{path} is not as expected")))
}

fn written_bytes_of(pid: u32) -> io::Result<u64> {
    let path = format!("/proc/{pid}/io");
    let text = fs::read_to_string(&path)?;
    let bytes = text.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok());
    bytes.ok_or_else(|| io::Error::other(format!("{path} is not as expected")))
}

/// USER_HZ is 100 on every architecture that matters here.
const TICKS_PER_SECOND: f64 = 100.0;

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn this_process_has_used_something() {
        let pid = std::process::id();
        assert!(cpu_seconds(pid).expect("Linux") >= 0.0);
        assert!(resident_bytes(pid).expect("Linux") > 100_000);
        assert!(written_bytes(pid).is_ok());
        assert!(cpu_seconds(0).is_err());
    }

    #[test]
    fn what_a_process_started_is_counted_with_it() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().expect("cat is everywhere");
        let family = family(std::process::id()).expect("Linux");
        assert!(family.contains(&std::process::id()) && family.contains(&child.id()), "{family:?}");
        drop(child.stdin.take());
        child.wait().expect("it ends with its input");
    }
}
