//! `midge plugin build`: what goes wrong is said so that it can be mended.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use super::{BUILD_MAX, Desk, end_of, midge};

fn in_c() -> Desk {
    let desk = Desk::clean();
    desk.well("", &["new", "my-auth", "--lang", "c"]);
    desk
}

fn edit(desk: &Desk, from: &str, to: &str) {
    let file = desk.path("my-auth/plugin.c");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(&file, text.replace(from, to)).unwrap();
}

#[test]
fn a_folder_without_a_plugin_says_how_to_begin_one() {
    let said = Desk::clean().ill("", &["build"]);
    assert!(said.contains("midge plugin new NAME"), "{said}");
}

#[test]
fn a_mistake_in_the_source_is_the_compilers_to_tell() {
    let desk = in_c();
    edit(&desk, "return midge_authn_next(answer);", "return midge_authn_nxt(answer);");
    let said = desk.ill("my-auth", &["build"]);
    assert!(said.contains("plugin.c:") && said.contains("midge_authn_nxt"), "{said}");
    assert!(!desk.path("my-auth/my-auth.wasm").exists());
}

#[test]
fn a_hook_that_is_named_and_not_written_is_named_by_the_linker() {
    let desk = in_c();
    let manifest = desk.path("my-auth/plugin.toml");
    let text = fs::read_to_string(&manifest).unwrap().replace("[\"authn\"]", "[\"authn\", \"events\"]");
    fs::write(&manifest, text).unwrap();
    let said = desk.ill("my-auth", &["build"]);
    assert!(said.contains("midge_events_on_events"), "{said}");
}

#[test]
fn what_needs_an_operating_system_is_refused_and_what_can_do_without_is_not() {
    let desk = in_c();
    edit(
        &desk,
        "  (void)connect, (void)err;\n",
        "  (void)connect, (void)err;\n  printf(\"asked at %lld\\n\", (long long)time(NULL));\n",
    );
    edit(&desk, "#include \"midge_plugin.h\"", "#include <time.h>\n#include \"midge_plugin.h\"");
    let said = desk.well("my-auth", &["build"]);
    assert!(said.contains("imports") && !said.contains("WASI"), "{said}");
    edit(&desk, "  printf(", "  if (fopen(\"/etc/passwd\", \"r\") == NULL) printf(");
    let said = desk.ill("my-auth", &["build"]);
    assert!(said.contains("needs files, the environment or sockets"), "{said}");
}

#[test]
fn a_toolchain_that_is_missing_is_named_with_the_command_that_brings_it() {
    let desk = in_c();
    for language in ["c", "rust"] {
        if language == "rust" {
            desk.well("", &["new", "my-rust", "--lang", "rust"]);
        }
        let folder = if language == "rust" { "my-rust" } else { "my-auth" };
        let mut build = midge(desk.path(folder));
        build
            .args(["plugin", "build"])
            .env("PATH", desk.path(""))
            .env_remove("WASI_SDK_PATH")
            .env_remove("RUSTC")
            .env_remove("CARGO");
        let ended = end_of(&mut build, BUILD_MAX);
        assert!(!ended.well && ended.said.contains("midge: "), "{}", ended.said);
        let wanted = if language == "rust" {
            "a Rust compiler is missing; to mend it: "
        } else {
            "clang is missing; to mend it: "
        };
        assert!(ended.said.contains(wanted), "{}", ended.said);
    }
}

#[test]
fn a_watched_folder_is_built_again_when_a_file_changes() {
    let desk = in_c();
    let mut watch = midge(desk.path("my-auth"));
    watch.args(["plugin", "build", "--watch"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut watching = Watching(watch.spawn().unwrap());
    let (sender, lines) = channel();
    let out = BufReader::new(watching.0.stdout.take().unwrap());
    let reader = std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let component = desk.path("my-auth/my-auth.wasm");
    expect(&lines, "waiting for changes");
    let first = fs::read(&component).unwrap();
    edit(&desk, "\"secret\"", "\"another\"");
    expect(&lines, "waiting for changes");
    let second = fs::read(&component).unwrap();
    drop(watching);
    let _ = reader.join();
    assert_ne!(first, second);
}

/// Ends with the test.
struct Watching(Child);

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn expect(lines: &Receiver<String>, wanted: &str) {
    let deadline = Instant::now() + BUILD_MAX;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = lines.recv_timeout(left).unwrap_or_else(|error| panic!("{wanted}: {error}"));
        if line.contains(wanted) {
            return;
        }
    }
}
