//! How much memory there is for this process, as Linux tells it.

use std::fs;
use std::path::{Path, PathBuf};

/// The machine's memory or, where that is less, what the process's control group may use; 0 where nobody says.
pub(super) fn memory_bytes() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limit = |file: PathBuf| fs::read_to_string(file).ok()?.trim().parse().ok();
    machine.into_iter().chain(limit_files(&groups).into_iter().filter_map(limit)).min().unwrap_or(0)
}

/// `MemTotal:       16307592 kB`.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Where limits of the control groups stand that `/proc/self/cgroup` names, those around them included. A file that is not
/// there, or says `max`, is no limit.
fn limit_files(groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else { continue };
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            list if list.split(',').any(|name| name == "memory") => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            _ => continue,
        };
        let group = Path::new(path.trim_start_matches('/'));
        files.extend(group.ancestors().map(|group| Path::new(root).join(group).join(file)));
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_kilobytes() {
        assert_eq!(total("MemTotal:       16307592 kB\nMemFree:  1 kB\n"), Some(16_307_592 * 1024));
        assert_eq!(total("nothing"), None);
    }

    #[test]
    fn a_group_and_those_around_it_limit() {
        let files = |text| limit_files(text).iter().map(|file| file.display().to_string()).collect::<Vec<_>>();
        assert_eq!(
            files("0::/system.slice/midge.service\n"),
            [
                "/sys/fs/cgroup/system.slice/midge.service/memory.max",
                "/sys/fs/cgroup/system.slice/memory.max",
                "/sys/fs/cgroup/memory.max"
            ]
        );
        assert_eq!(
            files("5:cpu,memory:/docker\n3:pids:/docker\n"),
            ["/sys/fs/cgroup/memory/docker/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_says_how_much_there_is() {
        assert!(memory_bytes() > 1 << 20);
    }
}
