//! A directory as it was, and as it may be after a loss of power.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::Mood;
use super::log::{FileLog, Log, Names, Node, Step};
use crate::random::Random;

/// A directory as it was at one moment, all of it safe.
pub(crate) struct Image {
    root: u64,
    directories: HashMap<u64, Names>,
    /// Copies of the files.
    files: HashMap<u64, PathBuf>,
}

impl Image {
    /// Copies every file of `data` into `copies`, and gives it a second name in `held`.
    pub(crate) fn take(data: &Path, copies: &Path, held: &Path) -> io::Result<Self> {
        super::remove(copies)?;
        fs::create_dir(copies)?;
        let directories = walk(data)?;
        let mut files = HashMap::new();
        for (path, names) in directories.values() {
            for (name, node) in names.iter().filter(|(_, node)| !node.is_directory) {
                let copy = copies.join(node.inode.to_string());
                write_sparse(&copy, &fs::read(path.join(name))?)?;
                fs::hard_link(path.join(name), held.join(node.inode.to_string()))?;
                files.insert(node.inode, copy);
            }
        }
        let directories = directories.into_iter().map(|(inode, (_, names))| (inode, names)).collect();
        Ok(Self { root: fs::metadata(data)?.ino(), directories, files })
    }

    /// Whether the log explains all that is in `data`. If not, it has missed something, and is worth nothing.
    pub(crate) fn check(&self, log: &Log, data: &Path) -> Result<(), String> {
        let nothing = FileLog::default();
        for (path, names) in walk(data).map_err(|error| error.to_string())?.values() {
            for (name, node) in names.iter().filter(|(_, node)| !node.is_directory) {
                let (path, steps) = (path.join(name), log.files.get(&node.inode).unwrap_or(&nothing));
                let expected = self.content(node.inode, steps, |_| true).map_err(|error| error.to_string())?;
                let found = fs::read(&path).map_err(|error| error.to_string())?;
                if !explains(&expected, &found, steps) {
                    let path = path.display();
                    return Err(format!("{path} was changed in a way that the loss of power cannot follow"));
                }
            }
        }
        Ok(())
    }

    /// Makes `target` what `data` is after the power was lost.
    pub(crate) fn restore(
        &self,
        log: &Log,
        data: &Path,
        target: &Path,
        mood: Mood,
        random: &mut Random,
    ) -> io::Result<()> {
        let now = walk(data)?;
        let mut left = vec![(self.root, target.to_owned())];
        while let Some((directory, target)) = left.pop() {
            fs::create_dir(&target)?;
            let nothing = Names::new();
            let safe = log.directories.get(&directory).or_else(|| self.directories.get(&directory)).unwrap_or(&nothing);
            let current = now.get(&directory).map_or(&nothing, |(_, names)| names);
            for (name, node) in surviving(safe, current, mood, random) {
                let path = target.join(name);
                if node.is_directory {
                    left.push((node.inode, path));
                } else {
                    let untouched = FileLog::default();
                    let steps = log.files.get(&node.inode).unwrap_or(&untouched);
                    write_sparse(&path, &self.after_loss(node.inode, steps, mood, random)?)?;
                }
            }
        }
        Ok(())
    }

    fn after_loss(&self, inode: u64, file: &FileLog, mood: Mood, random: &mut Random) -> io::Result<Vec<u8>> {
        match mood {
            Mood::Nothing => self.content(inode, file, |step| step < file.synced),
            Mood::Everything => self.content(inode, file, |_| true),
            Mood::Some => {
                let mut content = self.content(inode, file, |step| step < file.synced)?;
                // A page goes to the disk as it is at some moment, with all that was written to it until then.
                let mut last = HashMap::new();
                for (number, step) in file.steps.iter().enumerate().skip(file.synced) {
                    for (page, part) in pages(step) {
                        let left = (file.steps.len() - file.synced) as u64;
                        let last = *last.entry(page).or_insert_with(|| file.synced as u64 + random.below(left + 1));
                        if (number as u64) < last {
                            apply(&part, &mut content);
                        }
                    }
                }
                Ok(content)
            }
        }
    }

    fn content(&self, inode: u64, file: &FileLog, is_there: impl Fn(usize) -> bool) -> io::Result<Vec<u8>> {
        let mut content = self.files.get(&inode).map(fs::read).transpose()?.unwrap_or_default();
        for (_, step) in file.steps.iter().enumerate().filter(|(number, _)| is_there(*number)) {
            apply(step, &mut content);
        }
        Ok(content)
    }
}

fn apply(step: &Step, content: &mut Vec<u8>) {
    let place = |offset: u64| usize::try_from(offset).expect("a file of a test fits memory");
    match step {
        Step::Truncate { length } => content.resize(place(*length), 0),
        Step::Write { offset, data } => {
            let (start, end) = (place(*offset), place(*offset) + data.len());
            if content.len() < end {
                content.resize(end, 0);
            }
            content[start..end].copy_from_slice(data);
        }
    }
}

/// A step by the pages it changes; none for the length.
fn pages(step: &Step) -> Vec<(Option<u64>, Step)> {
    match step {
        Step::Truncate { length } => vec![(None, Step::Truncate { length: *length })],
        Step::Write { offset, data } => {
            let mut pages = Vec::new();
            let mut start = 0;
            while start < data.len() {
                let offset = offset + start as u64;
                let length = (PAGE - offset % PAGE).min((data.len() - start) as u64) as usize;
                let part = Step::Write { offset, data: data[start..start + length].to_vec() };
                pages.push((Some(offset / PAGE), part));
                start += length;
            }
            pages
        }
    }
}

/// Whether a file differs only in what may not have been done.
fn explains(expected: &[u8], found: &[u8], file: &FileLog) -> bool {
    if file.perhaps.is_empty() {
        return expected == found;
    }
    let mut doubtful = Vec::new();
    for step in &file.perhaps {
        match &file.steps[*step] {
            Step::Truncate { .. } => return true,
            Step::Write { offset, data } => doubtful.push(*offset..*offset + data.len() as u64),
        }
    }
    let is_doubtful = |at: usize| doubtful.iter().any(|range| range.contains(&(at as u64)));
    let differs = |at: usize| expected.get(at) != found.get(at);
    (0..expected.len().max(found.len())).all(|at| !differs(at) || is_doubtful(at))
}

/// The names of a directory after the power was lost.
fn surviving(safe: &Names, now: &Names, mood: Mood, random: &mut Random) -> Vec<(OsString, Node)> {
    let mut names: BTreeMap<OsString, Node> = match mood {
        Mood::Everything => now.iter().map(|(name, node)| (name.clone(), *node)).collect(),
        Mood::Nothing | Mood::Some => safe.iter().map(|(name, node)| (name.clone(), *node)).collect(),
    };
    if mood == Mood::Some {
        let mut changed: Vec<&OsString> =
            safe.keys().chain(now.keys()).filter(|name| safe.get(*name) != now.get(*name)).collect();
        changed.sort();
        changed.dedup();
        // A rename takes away one name and gives another at once: both or none.
        let renamed_from = |name: &OsString| {
            let node = now.get(name)?;
            safe.iter().find(|(old, safe)| *safe == node && now.get(*old) != Some(node)).map(|(old, _)| old)
        };
        let sources: Vec<&OsString> = changed.iter().filter_map(|name| renamed_from(name)).collect();
        for name in changed.iter().filter(|name| !sources.contains(name) || now.contains_key(**name)) {
            if random.below(2) == 0 {
                continue;
            }
            for name in renamed_from(name).into_iter().chain([*name]) {
                match now.get(name) {
                    Some(node) => names.insert(name.clone(), *node),
                    None => names.remove(name),
                };
            }
        }
    }
    names.into_iter().collect()
}

/// Every directory at and below `root`, by inode, with its path and names.
fn walk(root: &Path) -> io::Result<HashMap<u64, (PathBuf, Names)>> {
    let mut found = HashMap::new();
    let mut left = vec![root.to_owned()];
    while let Some(path) = left.pop() {
        let mut names = Names::new();
        for entry in fs::read_dir(&path)? {
            let entry = entry?;
            let is_directory = entry.file_type()?.is_dir();
            if is_directory {
                left.push(entry.path());
            }
            names.insert(entry.file_name(), Node { inode: entry.ino(), is_directory });
        }
        found.insert(fs::metadata(&path)?.ino(), (path, names));
    }
    Ok(found)
}

/// Writes a file without the pages that are zero, as most of a file is that was made long in advance.
fn write_sparse(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.set_len(content.len() as u64)?;
    let (mut at, zeros) = (0, [0; PAGE as usize]);
    for page in content.chunks(PAGE as usize) {
        if page != &zeros[..page.len()] {
            file.seek(SeekFrom::Start(at))?;
            file.write_all(page)?;
        }
        at += page.len() as u64;
    }
    Ok(())
}

const PAGE: u64 = 4096;

#[cfg(test)]
mod tests;
