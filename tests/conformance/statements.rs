//! The list of normative statements, and the tests that name them, held to each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// The two standards: the table of `statements.toml`, the prefix of a test's name, how a doc comment names a statement, how
/// many statements there are, and what the README calls it. MQTT 3.1 has no numbered statements.
const STANDARDS: [Standard; 2] = [
    Standard { table: "v5", prefix: "mqtt_", cited: "[MQTT-", count: 251, title: "MQTT 5.0" },
    Standard { table: "v311", prefix: "v311_", cited: "[v3.1.1 MQTT-", count: 141, title: "MQTT 3.1.1" },
];

/// The numbers that the standards leave out.
const GAPS: [(&str, &str); 1] = [("v5", "2.2.1-1")];

struct Standard {
    table: &'static str,
    prefix: &'static str,
    cited: &'static str,
    count: usize,
    title: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Binds {
    Server,
    Client,
    Both,
}

struct Statement {
    binds: Binds,
    excused: bool,
}

type Statements = BTreeMap<String, Statement>;

#[test]
fn the_list_has_every_statement_once_and_says_whom_it_binds() {
    for standard in &STANDARDS {
        let statements = statements(standard);
        assert_eq!(statements.len(), standard.count, "{}", standard.title);
        let mut highest: BTreeMap<&str, u32> = BTreeMap::new();
        for id in statements.keys() {
            let (section, number) = id.rsplit_once('-').unwrap();
            let highest = highest.entry(section).or_default();
            *highest = (*highest).max(number.parse().unwrap());
        }
        for (section, highest) in highest {
            for id in (1..=highest).map(|number| format!("{section}-{number}")) {
                let is_gap = GAPS.contains(&(standard.table, id.as_str()));
                assert_ne!(statements.contains_key(&id), is_gap, "{} {id}", standard.title);
            }
        }
    }
}

#[test]
fn every_statement_is_covered_by_a_test_or_excused_and_never_both() {
    let tests = tests();
    for standard in &STANDARDS {
        let covered = covered(standard, &tests);
        let statements = statements(standard);
        let bare: Vec<&String> =
            statements.iter().filter(|(id, one)| !one.excused && !covered.contains(*id)).map(|(id, _)| id).collect();
        assert!(bare.is_empty(), "{}: neither covered by a test nor excused: {bare:#?}", standard.title);
        let twice: Vec<&String> =
            statements.iter().filter(|(id, one)| one.excused && covered.contains(*id)).map(|(id, _)| id).collect();
        assert!(twice.is_empty(), "{}: excused although a test covers it: {twice:#?}", standard.title);
    }
}

#[test]
fn tests_name_only_statements_that_exist() {
    let tests = tests();
    for standard in &STANDARDS {
        let statements = statements(standard);
        let unknown: Vec<String> =
            covered(standard, &tests).into_iter().filter(|id| !statements.contains_key(id)).collect();
        assert!(unknown.is_empty(), "{}: no such statement: {unknown:?}", standard.title);
    }
}

#[test]
fn every_conformance_test_names_a_statement() {
    let silent: Vec<String> = tests()
        .into_iter()
        .filter(|test| test.file.parent().is_some_and(|folder| folder.ends_with("tests/conformance")))
        .filter(|test| !test.file.ends_with(file!()))
        .filter(|test| STANDARDS.iter().all(|standard| test.statements(standard).is_empty()))
        .map(|test| format!("{}: {}", test.file.display(), test.name))
        .collect();
    assert!(silent.is_empty(), "name the statement they show: {silent:#?}");
}

#[test]
fn the_readme_shows_the_totals() {
    let tests = tests();
    let mut rows = String::from("| | statements | bind a server | covered | excused |\n|---|---|---|---|---|\n");
    for standard in &STANDARDS {
        let statements = statements(standard);
        let covered = covered(standard, &tests);
        let server = statements.values().filter(|one| one.binds != Binds::Client).count();
        let excused = statements.values().filter(|one| one.excused).count();
        let (title, count) = (standard.title, standard.count);
        rows.push_str(&format!("| {title} | {count} | {server} | {} | {excused} |\n", covered.len()));
    }
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.contains(&rows), "README.md should say:\n{rows}");
}

/// A test function of ours, and what stands above it.
struct Test {
    file: PathBuf,
    name: String,
    doc: String,
}

impl Test {
    /// The ids it covers, as `statements.toml` writes them.
    fn statements(&self, standard: &Standard) -> BTreeSet<String> {
        let mut ids: BTreeSet<String> = self
            .doc
            .match_indices(standard.cited)
            .filter_map(|(at, cited)| self.doc[at + cited.len()..].split(']').next())
            .map(str::to_owned)
            .collect();
        ids.extend(self.name.strip_prefix(standard.prefix).and_then(id_of_name));
        ids
    }
}

/// `3_1_0_2_second_connect_closes` → `3.1.0-2`.
fn id_of_name(rest: &str) -> Option<String> {
    let numbers: Vec<&str> =
        rest.split('_').take_while(|part| part.bytes().all(|byte| byte.is_ascii_digit())).collect();
    let (last, section) = numbers.split_last()?;
    (section.len() >= 2).then(|| format!("{}-{last}", section.join(".")))
}

fn covered(standard: &Standard, tests: &[Test]) -> BTreeSet<String> {
    tests.iter().flat_map(|test| test.statements(standard)).collect()
}

fn statements(standard: &Standard) -> Statements {
    let text = fs::read_to_string(root().join("tests/conformance/statements.toml")).unwrap();
    let list: Table = text.parse().unwrap();
    let table = list[standard.table].as_table().unwrap();
    table.iter().map(|(id, entry)| (id.clone(), statement(id, entry.as_table().unwrap()))).collect()
}

fn statement(id: &str, entry: &Table) -> Statement {
    let text =
        |key: &str| entry.get(key).map(|value| value.as_str().unwrap_or_else(|| panic!("{id}: {key} is no text")));
    let binds = match text("binds") {
        Some("server") => Binds::Server,
        Some("client") => Binds::Client,
        Some("both") => Binds::Both,
        other => panic!("{id}: binds is {other:?}"),
    };
    assert!(text("says").is_some_and(|says| !says.is_empty()), "{id}: what does it say?");
    let unknown: Vec<&String> =
        entry.keys().filter(|key| !["binds", "says", "excused"].contains(&key.as_str())).collect();
    assert!(unknown.is_empty(), "{id}: {unknown:?}");
    let excused = entry.get("excused").and_then(Value::as_str);
    assert!(excused.is_none_or(|reason| !reason.is_empty()), "{id}: excused without a reason");
    Statement { binds, excused: excused.is_some() }
}

/// Every test function under `tests/`, from the sources: a test cannot ask its harness for its siblings.
fn tests() -> Vec<Test> {
    let mut found = Vec::new();
    collect(&root().join("tests"), &mut found);
    found
}

fn collect(folder: &Path, found: &mut Vec<Test>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.extend(in_file(&path));
        }
    }
}

fn in_file(path: &Path) -> Vec<Test> {
    let text = fs::read_to_string(path).unwrap();
    let (mut found, mut doc, mut is_test) = (Vec::new(), String::new(), false);
    for line in text.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix("///") {
            doc.push_str(comment);
            doc.push('\n');
        } else if line == "#[test]" {
            is_test = true;
        } else if !line.starts_with("#[") {
            if let Some((name, _)) = line.strip_prefix("fn ").and_then(|rest| rest.split_once('(')).filter(|_| is_test)
            {
                found.push(Test { file: path.to_owned(), name: name.to_owned(), doc: std::mem::take(&mut doc) });
            }
            doc.clear();
            is_test = false;
        }
    }
    found
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
