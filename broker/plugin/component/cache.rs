//! Compiled components, kept for the next run: what comes of Python or JavaScript takes seconds to compile.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Where a component of this size is kept once it is compiled; none for small ones, which are compiled sooner than found. What was
/// kept first goes when there are too many.
pub(super) fn directory(bytes: u64) -> Option<PathBuf> {
    if bytes < BYTES_MIN {
        return None;
    }
    let absolute = |variable: &str| env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    let directory = home.join("midge/plugins");
    prune(&directory);
    Some(directory)
}

/// Leaves room for one more. What cannot be removed stays: that costs space and nothing else.
fn prune(directory: &Path) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let is_kept = |path: &PathBuf| path.extension().is_some_and(|it| it == "cwasm");
    let mut kept: Vec<(SystemTime, PathBuf)> = entries
        .map(|entry| entry.path())
        .filter(is_kept)
        .filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
        .collect();
    kept.sort();
    let surplus = (kept.len() + 1).saturating_sub(KEPT_MAX);
    for (_, path) in kept.into_iter().take(surplus) {
        let _ = fs::remove_file(path);
    }
}

const BYTES_MIN: u64 = 512 << 10;
/// Compiled, a large component has some 30 MB.
const KEPT_MAX: usize = 16;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use std::fs::File;
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_was_kept_first_makes_room_for_what_is_next() {
        let directory = tempfile::tempdir().unwrap();
        let entry = |age: u64| directory.path().join(format!("{age:02}.cwasm"));
        for age in 0..KEPT_MAX as u64 + 3 {
            let file = File::create(entry(age)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(60 * age)).unwrap();
        }
        let other = directory.path().join("notes.txt");
        fs::write(&other, "").unwrap();
        prune(directory.path());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), KEPT_MAX, "room for one, and the notes");
        assert!(other.exists() && entry(0).exists() && entry(KEPT_MAX as u64 - 2).exists());
        assert!(!entry(KEPT_MAX as u64 - 1).exists());
        prune(&directory.path().join("nowhere"));
    }

    #[test]
    fn small_components_are_compiled_each_time() {
        assert_eq!(directory(BYTES_MIN - 1), None);
    }
}
