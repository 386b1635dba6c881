//! `midge plugin test`, and the fixtures of the bundled plugins.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::{Run, bundled, fixtures, guest, plugin, text, well};

/// Runs a fixture of this text against the SDK's example.
fn tested(fixture: &str) -> Run {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("own.toml");
    fs::write(&file, fixture).unwrap();
    plugin(&["test", text(&guest("fifteen-lines")), text(&file)])
}

const ALICE: &str = "[[test]]\nname = \"alice\"\nhook = \"authenticate\"\n\
                     input = { username = \"alice\", password = \"secret\" }\n";

#[test]
fn the_bundled_plugins_do_as_their_fixtures_say() {
    let all = fixtures();
    assert!(all.len() >= 4, "{all:?}");
    for (name, fixtures) in all {
        let component = bundled(&name);
        let mut arguments = vec!["test", text(&component)];
        arguments.extend(fixtures.iter().map(|path: &PathBuf| text(path)));
        let said = well(&arguments);
        assert!(said.ends_with(" passed, 0 failed\n") && !said.ends_with("\n0 passed, 0 failed\n"), "{name}:\n{said}");
    }
}

#[test]
fn a_test_that_passes_is_one_line() {
    let run = tested(&format!("{ALICE}verdict = \"allow\"\n"));
    assert!(run.out.ends_with("\n  ok     alice\n1 passed, 0 failed\n"), "{}", run.out);
    assert_eq!(run.code, Some(0));
}

#[test]
fn a_mismatch_shows_what_was_expected_and_what_came() {
    let run = tested(&format!(
        "{ALICE}verdict = \"deny\"\n\n{ALICE}answer = {{ verdict = {{ allow = {{ principal = \"bob\" }} }} }}\nlogs = [\"hello\"]\n"
    ));
    for part in [
        "  FAILED alice (",
        "own.toml:1)\n",
        "own.toml:7)\n",
        "           verdict\n             expected  \"deny\"\n             got       {\"allow\":",
        "           answer.verdict.allow.principal\n             expected  \"bob\"\n             got       \"alice\"\n",
        "           logs\n             expected  a line with \"hello\"\n             got       nothing\n",
        "\n0 passed, 2 failed\n",
    ] {
        assert!(run.out.contains(part), "no {part:?} in\n{}", run.out);
    }
    assert!(run.ill().contains("midge: 2 tests failed"));
}

#[test]
fn a_fixture_that_is_none_is_named_with_the_line() {
    let cases = [
        ("[[test]\n", "own.toml:1: "),
        (
            "\n[[test]]\nhok = \"authenticate\"\n",
            "own.toml:3: unknown field `hok`, expected one of `name`, `hook`, `input`",
        ),
        ("[[test]]\nname = \"no hook\"\nverdict = \"allow\"\n", "own.toml:1: missing field `hook`"),
        (
            "[[test]]\nhook = \"authenticate\"\n",
            "own.toml:1: the test expects nothing: it needs at least one of verdict, answer",
        ),
        ("[[test]]\nhook = \"authn\"\nverdict = 1\nfails = \"x\"\n", "own.toml:1: what fails gives no answer"),
        (
            "[[http]]\nurl = \"x\"\nfails = \"often\"\n[[test]]\nhook=\"authn\"\nverdict=\"next\"\n",
            "own.toml:1: fails = \"often\": expected one of",
        ),
        ("", "own.toml:1: there is no test in it"),
        ("config = 5\n", "own.toml:1: invalid type: integer `5`"),
    ];
    for (fixture, expected) in cases {
        let run = tested(fixture);
        assert!(run.out.contains(expected), "{fixture:?}:\n{}", run.out);
        assert!(run.out.ends_with("\n0 passed, 1 failed\n"), "{}", run.out);
        run.ill();
    }
}

#[test]
fn a_test_that_asks_for_what_there_is_not_is_named_with_what_there_is() {
    let run = tested("\n[[test]]\nhook = \"authentcate\"\nverdict = \"allow\"\n");
    let expected = "own.toml:3: there is no function \"authentcate\"; this plugin has authn.authenticate";
    assert!(run.out.contains(expected), "{}", run.out);
    let run = tested("[[test]]\nhook = \"authenticate\"\ninput = { usernam = \"alice\" }\nverdict = \"allow\"\n");
    assert!(run.out.contains("own.toml:3: the input of authenticate: expected one of the fields"), "{}", run.out);
}

#[test]
fn the_others_are_run_where_one_is_none() {
    let directory = TempDir::new().unwrap();
    let (bad, good) = (directory.path().join("bad.toml"), directory.path().join("good.toml"));
    fs::write(&bad, "nonsense").unwrap();
    fs::write(&good, format!("{ALICE}verdict = \"allow\"\n")).unwrap();
    let missing = directory.path().join("missing.toml");
    let run = plugin(&["test", text(&guest("fifteen-lines")), text(&bad), text(&missing), text(&good)]);
    assert!(run.out.ends_with("\n1 passed, 2 failed\n"), "{}", run.out);
    assert!(run.out.contains("missing.toml: No such file"), "{}", run.out);
    assert_eq!(run.code, Some(1));
}

#[test]
fn a_plugin_that_fails_fails_the_test_unless_it_should() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("crimes.toml");
    let crime = |name: &str, expected: &str| {
        format!("[[test]]\nname = {name:?}\nhook = \"authenticate\"\ninput.username = {name:?}\n{expected}\n")
    };
    let tests = [
        crime("trap", "fails = \"trapped\""),
        crime("err", "fails = \"backend failed\""),
        crime("innocent", "verdict = \"allow\""),
        crime("panic", "verdict = \"allow\""),
    ];
    fs::write(&file, tests.concat()).unwrap();
    let run = plugin(&["test", text(&guest("hostile")), text(&file)]);
    assert!(run.out.ends_with("\n3 passed, 1 failed\n"), "{}", run.out);
    for part in ["expected  an answer\n", "got       trapped: ", "log  error", "the guest panics"] {
        assert!(run.out.contains(part), "no {part:?} in\n{}", run.out);
    }
}

#[test]
fn a_component_that_cannot_be_loaded_fails_no_test() {
    let run = plugin(&["test", text(&guest("no-hooks")), "fixture.toml"]);
    assert_eq!(run.out, "");
    assert!(run.ill().contains("exports "));
}
