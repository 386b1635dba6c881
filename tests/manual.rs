//! The manual, `plugins/*.md`: its commands are typed, its files written, its examples built and loaded.

mod capabilities;
pub(crate) mod desk;
mod messages;
pub(crate) mod page;

use std::time::Duration;

use desk::Desk;

use crate::hostile::bundled;
use crate::support::program::{Ended, end_of};

/// What one section may take, tools that are installed included.
const TIME: Duration = Duration::from_secs(600);

/// Types what stands below each heading of a page, in a clean directory for each.
fn follow(name: &str, headings: &[&str], language: &'static str) {
    for heading in headings {
        Desk::clean(language, TIME).follow(&page::section(name, heading));
    }
}

/// Every heading that has something to type is in one of the tests below, or in `first_plugin`.
#[test]
fn nothing_is_left_out() {
    let known: [(&str, &[&str]); 7] = [
        ("README.md", &["Your first plugin in ten minutes"]),
        ("capabilities.md", &["", "The hook `admin`", "What hooks see"]),
        ("configuration.md", &[""]),
        ("operating.md", &[""]),
        ("performance.md", &["What a call costs"]),
        ("testing.md", &["Fixtures", "From Rust", "Natively"]),
        ("troubleshooting.md", &["Every failure once, on purpose"]),
    ];
    assert_eq!(page::names(), known.map(|(name, _)| name), "a page is without its tests");
    for (name, headings) in known {
        let code = |heading: &str| name == "capabilities.md" && heading.starts_with('`');
        let is_known = |heading: &str| code(heading) || headings.contains(&heading);
        let missing: Vec<String> =
            page::blocks(name).into_iter().map(|block| block.section).filter(|heading| !is_known(heading)).collect();
        assert!(missing.is_empty(), "plugins/{name}: nobody types what stands below {missing:?}");
    }
}

#[test]
fn the_configuration_of_the_manual_is_one() {
    follow("configuration.md", &[""], "python");
}

#[test]
fn fixtures_go_as_the_manual_says() {
    follow("testing.md", &["Fixtures"], "js");
}

#[test]
fn native_tests_in_rust_go_as_the_manual_says() {
    follow("testing.md", &["Natively"], "rust");
}

#[test]
fn native_tests_in_javascript_go_as_the_manual_says() {
    follow("testing.md", &["Natively"], "js");
}

#[test]
fn native_tests_in_python_go_as_the_manual_says() {
    follow("testing.md", &["Natively"], "python");
}

#[test]
fn a_component_is_measured_as_the_manual_says() {
    follow("performance.md", &["What a call costs"], "c");
}

#[test]
fn every_failure_looks_as_the_manual_says() {
    follow("troubleshooting.md", &["Every failure once, on purpose"], "js");
}

#[test]
fn plugins_are_looked_after_as_the_manual_says() {
    let mut desk = Desk::clean("python", TIME);
    let file = desk.folder().join("acl");
    std::fs::write(&file, "pattern readwrite %u/#\n").unwrap();
    desk.runs(&format!(
        "[[plugin]]\nname = \"acl-file\"\npath = {:?}\nconfig = {{ file = {file:?} }}\nallow = {{ files = [{file:?}] }}\n",
        bundled("acl-file")
    ));
    desk.follow(&page::section("operating.md", ""));
}

#[test]
fn every_link_of_the_manual_leads_somewhere() {
    for name in page::names() {
        let text = page::text(&name);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            if file.starts_with("http") {
                continue;
            }
            let path = if file.is_empty() { page::folder().join(&name) } else { page::folder().join(file) };
            assert!(path.exists(), "plugins/{name}: {target}");
            if !heading.is_empty() {
                let headings = std::fs::read_to_string(&path).unwrap();
                let is_it = |line: &str| line.starts_with('#') && anchor(line) == heading;
                assert!(headings.lines().any(is_it), "plugins/{name}: there is no heading for {target}");
            }
        }
    }
}

/// What a heading is called in links to it, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

/// Runs `midge plugin …` in a folder; it must go well. Returns what it printed.
fn well(desk: &Desk, arguments: &[&str]) -> String {
    let mut command = desk.midge();
    let Ended { well, said, how } = end_of(command.arg("plugin").args(arguments), TIME);
    assert!(well, "midge plugin {arguments:?} {how}:\n{said}");
    said
}
