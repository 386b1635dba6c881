//! What the library writes down of a process that it is preloaded into.

#[path = "../src/record.rs"]
mod record;

use std::fs::{self, File};
use std::io::{IoSlice, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::process::Command;

use record::{Header, Kind, take_entry};

const CHILD: &str = "MIDGE_POWERLOSS_TEST_CHILD";

/// Runs in the child that the test starts, with the library preloaded.
#[test]
fn child() {
    let Some(directory) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
    let mut file = File::create(directory.join("a")).expect("the directory is there");
    file.write_all(b"one").expect("it is open");
    file.sync_data().expect("it is open");
    file.write_at(b"two", 10).expect("it is open");
    file.seek(SeekFrom::Start(4)).expect("it is open");
    assert_eq!(file.write_vectored(&[IoSlice::new(b"thr"), IoSlice::new(b"ee")]).expect("it is open"), 5);
    file.set_len(12).expect("it is open");
    let copy = file.try_clone().expect("it is open");
    drop(file);
    File::options().append(true).open(directory.join("a")).expect("it is there").write_all(b"end").expect("it is open");
    let mut source = File::open(std::env::current_exe().expect("it runs")).expect("it is there").take(3);
    std::io::copy(&mut source, &mut &copy).expect("it is open");
    copy.sync_all().expect("it is open");
    fs::rename(directory.join("a"), directory.join("b")).expect("it is there");
    File::open(&directory).expect("it is there").sync_all().expect("it is open");
    fs::remove_file(directory.join("b")).expect("it is there");
    fs::write(directory.join("../elsewhere"), b"not followed").expect("it is writable");
}

#[test]
fn every_step_is_noted_in_its_order() {
    let own = std::env::current_exe().expect("it runs");
    let library = own.parent().expect("target/profile/deps").join("libmidge_powerloss.so");
    assert!(library.exists(), "{}", library.display());
    let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("powerloss-{}", std::process::id()));
    let (data, log, held) = (root.join("data"), root.join("log"), root.join("held"));
    fs::create_dir_all(&data).and_then(|()| fs::create_dir_all(&held)).expect("it is ours");
    fs::write(&log, b"").expect("it is ours");
    let status = Command::new(own)
        .args(["--exact", "child"])
        .env(CHILD, &data)
        .env("LD_PRELOAD", library)
        .env("MIDGE_POWERLOSS_DIRECTORY", &data)
        .env("MIDGE_POWERLOSS_LOG", &log)
        .env("MIDGE_POWERLOSS_HELD", &held)
        .status();
    assert!(status.expect("it can be started").success());

    let (bytes, inodes) = (fs::read(&log).expect("it is there"), fs::read_dir(&held).expect("it is there"));
    let held: Vec<u64> = inodes.map(|entry| entry.expect("it is there").metadata().expect("a file").ino()).collect();
    let [inode] = held[..] else { panic!("one file was made: {held:?}") };
    let mut found = Vec::new();
    let mut rest = &bytes[..];
    while let Some((header, after)) = rest.split_first_chunk::<{ Header::BYTES }>() {
        let header = Header::from_bytes(header).expect("a record");
        let (data, after) = after.split_at(usize::try_from(header.length).expect("small"));
        if header.kind == Kind::DirectorySynced {
            let (in_directory, is_directory, name) = take_entry(&mut &*data).expect("one name");
            assert_eq!((in_directory, is_directory, name), (inode, false, &b"b"[..]));
        } else {
            assert_eq!(header.inode, inode, "{header:?}");
            found.push((header.kind, header.offset, data));
        }
        rest = after;
    }
    let expected: [(Kind, u64, &[u8]); 11] = [
        (Kind::Truncate, 0, b""),
        (Kind::Write, 0, b"one"),
        (Kind::SyncBegins, 0, b""),
        (Kind::SyncDone, 0, b""),
        (Kind::Write, 10, b"two"),
        (Kind::Write, 4, b"three"),
        (Kind::Truncate, 12, b""),
        (Kind::Write, 12, b"end"),
        (Kind::Write, 9, b"\x7fEL"),
        (Kind::SyncBegins, 0, b""),
        (Kind::SyncDone, 0, b""),
    ];
    assert_eq!(found, expected);
    fs::remove_dir_all(&root).expect("it is ours");
}
