//! `expected.toml`: what is not run and what does not pass, with the reasons.

use std::collections::BTreeSet;

use super::own;

/// What is expected of one suite.
pub(super) struct Expected {
    passes: usize,
    left_out: BTreeSet<String>,
    deviates: BTreeSet<String>,
}

impl Expected {
    pub(super) fn of(suite: &str) -> Self {
        let text = std::fs::read_to_string(own("expected.toml")).unwrap();
        let all: toml::Table = text.parse().unwrap();
        let table = all[suite].as_table().unwrap();
        let passes = table["passes"].as_integer().unwrap().try_into().unwrap();
        Self { passes, left_out: names(table, "left_out"), deviates: names(table, "deviates") }
    }

    /// How many cases pass.
    pub(super) fn passes(&self) -> usize {
        self.passes
    }

    pub(super) fn leaves_out(&self, case: &str) -> bool {
        contains(&self.left_out, case)
    }

    pub(super) fn deviates(&self, case: &str) -> bool {
        contains(&self.deviates, case)
    }

    /// Names in the list that no case has.
    pub(super) fn stale(&self, cases: Vec<&str>) -> Vec<String> {
        let names = self.left_out.iter().chain(&self.deviates);
        let unknown = names.filter(|name| !cases.iter().any(|case| is(name, case)));
        unknown.map(|name| format!("{name} is listed, and no case has this name")).collect()
    }
}

/// The cases of all entries, each of which has a reason.
fn names(table: &toml::Table, key: &str) -> BTreeSet<String> {
    let entries = table.get(key).and_then(toml::Value::as_array).into_iter().flatten();
    let mut names = BTreeSet::new();
    for entry in entries {
        let reason = entry["reason"].as_str().unwrap();
        assert!(!reason.is_empty(), "an entry without a reason: {entry}");
        for case in entry["cases"].as_array().unwrap() {
            let new = names.insert(case.as_str().unwrap().to_owned());
            assert!(new, "{case} is listed twice");
        }
    }
    names
}

fn contains(names: &BTreeSet<String>, case: &str) -> bool {
    names.iter().any(|name| is(name, case))
}

/// A name that ends in `*` stands for all that begin so.
fn is(name: &str, case: &str) -> bool {
    name.strip_suffix('*').map_or(name == case, |start| case.starts_with(start))
}
