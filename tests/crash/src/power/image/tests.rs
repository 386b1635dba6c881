use super::*;

/// A directory with one file, its image, and the inodes of both.
struct Disk {
    directory: tempfile::TempDir,
    image: Image,
    root: u64,
    file: u64,
}

impl Disk {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let data = directory.path().join("data");
        let held = directory.path().join("held");
        fs::create_dir(&data).and_then(|()| fs::create_dir(&held)).expect("it is empty");
        fs::write(data.join("old"), b"0123456789").expect("it is writable");
        let image = Image::take(&data, &directory.path().join("before"), &held).expect("there is little to copy");
        let inode = |path: &Path| fs::metadata(path).expect("it is there").ino();
        Self { root: inode(&data), file: inode(&data.join("old")), image, directory }
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn after(&self, log: &Log, mood: Mood, seed: u64) -> BTreeMap<OsString, Vec<u8>> {
        let target = self.directory.path().join("after");
        super::super::remove(&target).expect("it is ours");
        let mut random = Random::new(seed);
        self.image.restore(log, &self.data(), &target, mood, &mut random).expect("it can be restored");
        let entries = fs::read_dir(&target).expect("it is there").map(|entry| entry.expect("it can be read"));
        entries.map(|entry| (entry.file_name(), fs::read(entry.path()).expect("a file"))).collect()
    }
}

fn write(offset: u64, data: &[u8]) -> Step {
    Step::Write { offset, data: data.to_vec() }
}

fn files(files: &[(&str, &[u8])]) -> BTreeMap<OsString, Vec<u8>> {
    files.iter().map(|(name, content)| (OsString::from(name), content.to_vec())).collect()
}

#[test]
fn data_that_was_not_synced_is_gone_or_there_or_there_in_part() {
    let disk = Disk::new();
    let mut log = Log::default();
    let page = vec![b'x'; 3 * 4096];
    let steps = vec![write(2, b"ab"), Step::Truncate { length: 5 }, write(5, &page)];
    log.files.insert(disk.file, FileLog { steps, synced: 1, perhaps: Vec::new() });
    let all = [b"01ab4", &page[..]].concat();
    assert_eq!(disk.after(&log, Mood::Nothing, 1), files(&[("old", b"01ab456789")]));
    assert_eq!(disk.after(&log, Mood::Everything, 1), files(&[("old", &all)]));
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..60 {
        let after = disk.after(&log, Mood::Some, seed);
        let content = &after[&OsString::from("old")];
        assert_eq!(content[..4], *b"01ab", "what was synced is there");
        seen.insert((content.len(), content.iter().filter(|byte| **byte == b'x').count()));
    }
    assert!(seen.len() > 5, "{seen:?}");
}

#[test]
fn a_name_is_safe_once_its_directory_was_synced() {
    let disk = Disk::new();
    fs::write(disk.data().join("new"), b"new").expect("it is writable");
    let new = fs::metadata(disk.data().join("new")).expect("it is there").ino();
    let mut log = Log::default();
    log.files.insert(new, FileLog { steps: vec![write(0, b"new")], synced: 1, perhaps: Vec::new() });
    let old: (&str, &[u8]) = ("old", b"0123456789");
    assert_eq!(disk.after(&log, Mood::Nothing, 1), files(&[old]), "the content is, the name is not");
    assert_eq!(disk.after(&log, Mood::Everything, 1), files(&[old, ("new", b"new")]));
    let names = [("old", disk.file), ("new", new)];
    let names = names.map(|(name, inode)| (OsString::from(name), Node { inode, is_directory: false }));
    log.directories.insert(disk.root, names.into_iter().collect());
    assert_eq!(disk.after(&log, Mood::Nothing, 1), files(&[old, ("new", b"new")]));
    fs::remove_file(disk.data().join("old")).expect("it is there");
    assert_eq!(disk.after(&log, Mood::Nothing, 1), files(&[old, ("new", b"new")]), "nor is its removal");
}

#[test]
fn a_rename_happens_or_it_does_not() {
    let disk = Disk::new();
    fs::rename(disk.data().join("old"), disk.data().join("renamed")).expect("it is there");
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..40 {
        seen.insert(disk.after(&Log::default(), Mood::Some, seed).into_keys().collect::<Vec<_>>());
    }
    assert_eq!(seen, [vec![OsString::from("old")], vec![OsString::from("renamed")]].into_iter().collect());
}

#[test]
fn a_change_that_the_log_does_not_explain_is_found() {
    let disk = Disk::new();
    let mut log = Log::default();
    assert_eq!(disk.image.check(&log, &disk.data()), Ok(()));
    log.files.insert(disk.file, FileLog { steps: vec![write(1, b"?")], synced: 0, perhaps: Vec::new() });
    assert!(disk.image.check(&log, &disk.data()).is_err(), "it was noted and not done");
    log.files.insert(disk.file, FileLog { steps: vec![write(1, b"?")], synced: 0, perhaps: vec![0] });
    assert_eq!(disk.image.check(&log, &disk.data()), Ok(()), "the kill came in between");
    fs::write(disk.data().join("old"), b"012345678?").expect("it is writable");
    assert!(disk.image.check(&log, &disk.data()).is_err(), "nobody noted it");
}
