//! `midge plugin new`, and what it does not take.

use std::fs;

use super::Desk;

#[test]
fn a_name_that_is_none_a_hook_that_is_none_and_a_language_that_is_none_are_refused_with_what_there_is() {
    let desk = Desk::clean();
    for (arguments, wanted) in [
        (&["new", "My_Auth", "--lang", "c"][..], "lower case letters"),
        (&["new", "my-auth", "--lang", "cobol"], "rust"),
        (&["new", "my-auth"], "--lang"),
        (&["new", "my-auth", "--lang", "c", "--hooks", "auth"], "authn"),
        (&["new", "my-auth", "--lang", "c", "--hooks", ""], "authn"),
    ] {
        let said = desk.ill("", arguments);
        assert!(said.contains(wanted), "{arguments:?}: {said}");
        assert_eq!(fs::read_dir(desk.path("")).unwrap().count(), 0, "{arguments:?} left something");
    }
}

#[test]
fn nothing_is_written_over_what_is_there() {
    let desk = Desk::clean();
    desk.well("", &["new", "my-auth", "--lang", "c"]);
    fs::write(desk.path("my-auth/plugin.c"), "/* mine */").unwrap();
    let said = desk.ill("", &["new", "my-auth", "--lang", "c"]);
    assert!(said.contains("my-auth: there is something already"), "{said}");
    assert_eq!(fs::read_to_string(desk.path("my-auth/plugin.c")).unwrap(), "/* mine */");
    desk.well("", &["new", "my-auth", "--lang", "c", "--dir", "elsewhere/deep"]);
    assert!(desk.path("elsewhere/deep/plugin.c").exists());
}

#[test]
fn what_is_new_is_as_rustfmt_would_write_it() {
    let desk = Desk::clean();
    desk.well("", &["new", "my-all", "--lang", "rust", "--hooks", &super::hooks().join(",")]);
    let mut rustfmt = std::process::Command::new("rustfmt");
    rustfmt.args(["--edition", "2024", "--check"]).arg(desk.path("my-all/src/lib.rs")).current_dir(desk.path("my-all"));
    crate::support::program::finish(&mut rustfmt, crate::support::PATIENCE);
}
