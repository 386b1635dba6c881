//! `midge plugin doctor`: what is here, what is not, and the command that mends it.

use super::{BUILD_MAX, Desk, end_of, midge};

#[test]
fn every_language_is_looked_at_and_those_the_tests_need_are_ready() {
    let desk = Desk::clean();
    let said = desk.well("", &["doctor"]);
    for language in ["Rust (--lang rust): ready", "C (--lang c): ready"] {
        assert!(said.contains(language), "{language} in:\n{said}");
    }
    let said = desk.well("", &["doctor", "--lang", "c"]);
    assert!(said.contains("found    clang: ") && !said.contains("rust"), "{said}");
}

#[test]
fn what_is_missing_is_named_with_one_command_and_fails_where_one_language_was_asked_for() {
    let desk = Desk::clean();
    let bare = |arguments: &[&str]| {
        let mut doctor = midge(desk.path(""));
        doctor.args(["plugin", "doctor"]).args(arguments).env("PATH", desk.path(""));
        end_of(doctor.env_remove("WASI_SDK_PATH").env_remove("RUSTC"), BUILD_MAX)
    };
    let ended = bare(&[]);
    assert!(ended.well && ended.said.contains("C (--lang c): something is missing"), "{}", ended.said);
    let ended = bare(&["--lang", "c"]);
    assert!(!ended.well && ended.said.contains("missing  clang\n"), "{}", ended.said);
    assert_eq!(ended.said.matches("to mend it: ").count(), 1, "{}", ended.said);
}
