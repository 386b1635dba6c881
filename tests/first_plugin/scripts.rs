//! What the recipes for JavaScript and Python say of mistakes.

use std::fs;

use super::Desk;

/// A new plugin whose manifest names a hook that is not written.
fn with_a_hook_too_many(language: &str) -> (Desk, String) {
    let desk = Desk::clean();
    desk.well("", &["new", "my-auth", "--lang", language]);
    let manifest = desk.path("my-auth/plugin.toml");
    let text = fs::read_to_string(&manifest).unwrap().replace("[\"authn\"]", "[\"authn\", \"events\"]");
    fs::write(&manifest, text).unwrap();
    let said = desk.ill("my-auth", &["build"]);
    (desk, said)
}

#[test]
fn a_hook_that_is_named_and_not_written_is_named_with_how_to_write_it() {
    for (language, wanted) in [("js", "export const events = "), ("python", "no class Events")] {
        let (desk, said) = with_a_hook_too_many(language);
        assert!(said.contains(wanted), "{language}: {said}");
        assert!(!desk.path("my-auth/my-auth.wasm").exists());
    }
}

#[test]
fn a_mistake_in_the_source_is_told_with_its_place() {
    for (language, file, line, wanted) in [
        ("js", "plugin.js", "export const = 1;", "plugin.js:"),
        ("ts", "plugin.ts", "import { x } from \"nowhere\"; export const y = x;", "nowhere"),
        ("python", "plugin.py", "def broken(:", "plugin.py:"),
    ] {
        let desk = Desk::clean();
        desk.well("", &["new", "my-auth", "--lang", language]);
        let file = desk.path(&format!("my-auth/{file}"));
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text + "\n" + line + "\n").unwrap();
        let said = desk.ill("my-auth", &["build"]);
        assert!(said.contains(wanted), "{language}: {said}");
    }
}

#[test]
fn what_waits_is_imported_by_what_uses_it_only() {
    let desk = Desk::clean();
    desk.well("", &["new", "my-auth", "--lang", "ts"]);
    let said = desk.well("my-auth", &["build"]);
    assert!(!said.contains("http"), "{said}");
    let file = desk.path("my-auth/plugin.ts");
    let text = fs::read_to_string(&file).unwrap();
    let text = text.replace("import { Answer,", "import { Answer, http,");
    let text = text.replace("Answer.deny(\"wrong password\")", "Answer.deny(http.send ? \"asked\" : null)");
    fs::write(&file, text).unwrap();
    let said = desk.well("my-auth", &["build"]);
    assert!(said.contains("http"), "{said}");
}
