#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

struct Bench {
    folder: TempDir,
    appends: Appends,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), appends: Appends::new(Handle::current()) }
    }

    fn granted(&self, grant: &Value, waiting_max: usize) -> Result<Arc<AppendFile>, ImportError> {
        let grants = Grants::from_json("audit", &json!({ "append": { "log": grant } }), self.folder.path()).unwrap();
        Ok(self.appends.granted(&grants, waiting_max)?.remove("log").unwrap())
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    async fn written(&self) {
        self.appends.finish(tokio::time::Instant::now() + Duration::from_secs(30)).await;
    }
}

fn append(file: &Arc<AppendFile>, text: &str) -> Result<(), OverQuota> {
    file.append(text.as_bytes().to_vec(), Instant::now())
}

#[tokio::test]
async fn records_are_written_in_order_to_a_file_for_the_brokers_user_alone() {
    let bench = Bench::new();
    let file = bench.granted(&json!("1MiB"), 1 << 20).unwrap();
    assert!(!bench.folder.path().join("log").exists(), "nothing is made before there is something to write");
    for number in 0..1000 {
        append(&file, &format!("{number}\n")).unwrap();
    }
    append(&file, "").unwrap();
    bench.written().await;
    let expected: String = (0..1000).map(|number| format!("{number}\n")).collect();
    assert_eq!(bench.text("log"), expected);
    assert_eq!((file.written(), file.waiting(), file.lost()), (expected.len() as u64, 0, 0));
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        assert_eq!(fs::metadata(bench.folder.path().join("log")).unwrap().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_file_that_was_moved_away_is_made_again_and_a_generation_continues_where_the_last_one_was() {
    let bench = Bench::new();
    let first = bench.granted(&json!("1MiB"), 1 << 20).unwrap();
    append(&first, "one\n").unwrap();
    bench.written().await;
    fs::rename(bench.folder.path().join("log"), bench.folder.path().join("log.old")).unwrap();
    let second = bench.granted(&json!("1MiB"), 1 << 20).unwrap();
    append(&first, "two\n").unwrap();
    append(&second, "three\n").unwrap();
    bench.written().await;
    assert_eq!((bench.text("log.old").as_str(), bench.text("log").as_str()), ("one\n", "two\nthree\n"));
}

#[tokio::test]
async fn a_full_file_takes_nothing_more_until_it_is_moved_away() {
    let bench = Bench::new();
    let file = bench.granted(&json!("1KiB"), 1 << 20).unwrap();
    let record = "x".repeat(600);
    append(&file, &record).unwrap();
    assert_eq!(append(&file, &record), Err(OverQuota));
    append(&file, "still room").unwrap();
    bench.written().await;
    assert_eq!((bench.text("log").len(), file.lost()), (610, 1));

    fs::rename(bench.folder.path().join("log"), bench.folder.path().join("log.1")).unwrap();
    let later = Instant::now() + Duration::from_secs(2);
    let record = || record.clone().into_bytes();
    assert_eq!(file.append(record(), later), Err(OverQuota), "it is only looked at now");
    bench.written().await;
    file.append(record(), later).unwrap();
    bench.written().await;
    assert_eq!((bench.text("log").len(), file.lost()), (600, 2));
}

#[tokio::test]
async fn full_files_are_kept_in_the_number_granted_and_the_oldest_goes() {
    let bench = Bench::new();
    let file = bench.granted(&json!({"size": "1KiB", "keep": 2}), 1 << 20).unwrap();
    for letter in ["a", "b", "c", "d"] {
        append(&file, &letter.repeat(1000)).unwrap();
        bench.written().await;
    }
    assert_eq!(append(&file, &"e".repeat(1025)), Err(OverQuota), "it fits in no file");
    let firsts = ["log", "log.1", "log.2", "log.3"].map(|name| bench.text(name).chars().next());
    assert_eq!(firsts, [Some('d'), Some('c'), Some('b'), None]);
}

#[tokio::test]
async fn what_waits_is_bounded_and_survives_a_disk_that_fails_for_a_while() {
    let bench = Bench::new();
    let file = bench.granted(&json!("1MiB"), 10).unwrap();
    // A folder in its place: writing fails, whoever one is.
    fs::create_dir(bench.folder.path().join("log")).unwrap();
    append(&file, "12345\n").unwrap();
    append(&file, "678\n").unwrap();
    assert_eq!(append(&file, "9\n"), Err(OverQuota));
    assert_eq!((file.waiting(), file.lost()), (10, 1));
    fs::remove_dir(bench.folder.path().join("log")).unwrap();
    bench.written().await;
    assert_eq!((bench.text("log").as_str(), file.waiting()), ("12345\n678\n", 0));
}

#[tokio::test]
async fn what_cannot_be_written_before_the_end_is_counted() {
    let bench = Bench::new();
    let file = bench.granted(&json!("1MiB"), 1000).unwrap();
    fs::create_dir(bench.folder.path().join("log")).unwrap();
    append(&file, "one").unwrap();
    append(&file, "two").unwrap();
    bench.appends.finish(tokio::time::Instant::now()).await;
    assert_eq!(file.lost(), 2);
}

#[tokio::test]
async fn a_file_that_cannot_be_appended_to_is_named_when_the_plugin_is_loaded() {
    let bench = Bench::new();
    let why = |allow: Value| {
        let grants = Grants::from_json("audit", &json!({ "append": allow }), bench.folder.path()).unwrap();
        bench.appends.granted(&grants, 1000).unwrap_err().to_string()
    };
    let missing = why(json!({"none/log": "1MiB"}));
    assert!(
        missing.starts_with("plugin audit: allow.append: ") && missing.contains("none/log: the directory "),
        "{missing}"
    );
    assert!(missing.ends_with("does not exist; make it first"), "{missing}");
    fs::create_dir(bench.folder.path().join("folder")).unwrap();
    assert!(why(json!({"folder": "1MiB"})).ends_with("folder: it is there and is no regular file"));
}
