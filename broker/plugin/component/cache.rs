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
