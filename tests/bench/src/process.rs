//! What a process costs, as Linux counts it.

use std::fs;
use std::io;

/// CPU seconds that all threads of the process have used; to the 10 ms.
pub(crate) fn cpu_seconds(pid: u32) -> io::Result<f64> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path)?;
    // The name in parentheses may contain anything, so the fields are counted behind it: utime and stime, 14th and 15th.
    let fields = text.rsplit_once(')').map(|(_, fields)| fields.split_whitespace().skip(11).take(2));
    let ticks: Option<u64> = fields.and_then(|fields| fields.map(|field| field.parse::<u64>().ok()).sum());
    let ticks = ticks.ok_or_else(|| io::Error::other(format!("{path} is not as expected")))?;
    Ok(ticks as f64 / TICKS_PER_SECOND)
}

/// Resident bytes of the process.
pub(crate) fn resident_bytes(pid: u32) -> io::Result<u64> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path)?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes: Option<u64> = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
    kibibytes.map(|kibibytes| kibibytes * 1024).ok_or_else(|| io::Error::other(format!("{path} is not as expected")))
}

/// Bytes that the process has caused to be written to a disk.
pub(crate) fn written_bytes(pid: u32) -> io::Result<u64> {
    let path = format!("/proc/{pid}/io");
    let text = fs::read_to_string(&path)?;
    let bytes = text.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok());
    bytes.ok_or_else(|| io::Error::other(format!("{path} is not as expected")))
}

/// USER_HZ is 100 on every architecture that matters here.
const TICKS_PER_SECOND: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_something() {
        let pid = std::process::id();
        assert!(cpu_seconds(pid).expect("Linux") >= 0.0);
        assert!(resident_bytes(pid).expect("Linux") > 100_000);
        assert!(written_bytes(pid).is_ok());
        assert!(cpu_seconds(0).is_err());
    }
}
