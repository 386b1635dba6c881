//! The form of a file: every key known, every value in its range. What takes more than one key is in `meaning`.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Origin, Problem};
use super::keys;

/// A text of TOML and where it comes from.
pub(super) struct Document<'a> {
    /// Where it comes from.
    pub(super) source: Source<'a>,
    /// What is in it.
    pub(super) text: &'a str,
}

/// Where a text comes from.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// A file of this name.
    File(&'a str),
    /// One value: an option of the command line, or a variable of the environment.
    Argument(&'a str),
}

/// Where each key was written, by its path with indexes (`listener[0].address`).
pub(super) type Origins = BTreeMap<String, Origin>;

impl Document<'_> {
    /// Judges the form of the file and notes where everything stands.
    pub(super) fn check(&self) -> Result<Origins, Vec<Problem>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        if !errors.is_empty() {
            let problem = |error: &toml::de::Error| {
                Problem::file(self.origin(&error.span().unwrap_or(0..0)), format!("not TOML: {}", error.message()))
            };
            return Err(errors.iter().map(problem).collect());
        }
        let mut walk = Walk { document: self, origins: Origins::new(), problems: Vec::new() };
        walk.table(table.get_ref(), "", "");
        if walk.problems.is_empty() { Ok(walk.origins) } else { Err(walk.problems) }
    }

    /// Line and column of a place in the text.
    pub(super) fn origin(&self, span: &Range<usize>) -> Origin {
        let file = match self.source {
            Source::File(file) => file,
            Source::Argument(name) => return Origin::Argument(name.into()),
        };
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Origin::File {
            file: file.into(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

struct Walk<'a> {
    document: &'a Document<'a>,
    origins: Origins,
    problems: Vec<Problem>,
}

impl Walk<'_> {
    /// `schema` is the table's path in [`keys`], `path` the same with indexes.
    fn table(&mut self, table: &DeTable<'_>, schema: &str, path: &str) {
        for (name, value) in table {
            let schema_path = join(schema, name.get_ref());
            let path = join(path, name.get_ref());
            self.origins.insert(path.clone(), self.document.origin(&name.span()));
            if let Some(key) = keys::key(&schema_path) {
                if !key.accepts.admits(value.get_ref()) {
                    self.problem(value, path, format!("expected {}", key.accepts.words()));
                }
            } else if keys::is_table(&schema_path) {
                self.nested(value, &schema_path, &path);
            } else {
                let origin = Some(self.document.origin(&name.span()));
                self.problems.push(Problem { origin, key: path, found: None, what: unknown(schema, name.get_ref()) });
            }
        }
    }

    fn nested(&mut self, value: &Spanned<DeValue<'_>>, schema: &str, path: &str) {
        let list = keys::LISTS.contains(&schema);
        match value.get_ref() {
            DeValue::Table(table) if !list => self.table(table, schema, path),
            DeValue::Array(tables) if list && tables.iter().all(|table| table.get_ref().is_table()) => {
                for (index, table) in tables.iter().enumerate() {
                    let path = format!("{path}[{index}]");
                    self.origins.insert(path.clone(), self.document.origin(&table.span()));
                    if let Some(table) = table.get_ref().as_table() {
                        self.table(table, schema, &path);
                    }
                }
            }
            _ if list => {
                self.problem(value, path.into(), format!("expected a list of tables, each under [[{schema}]]"))
            }
            _ => {
                self.problem(value, path.into(), format!("expected a table with {}", keys::names_in(schema).join(", ")))
            }
        }
    }

    fn problem(&mut self, value: &Spanned<DeValue<'_>>, key: String, what: String) {
        let span = value.span();
        let found = match value.get_ref() {
            DeValue::Table(_) => "{ … }".into(),
            _ => excerpt(self.document.text.get(span.clone()).unwrap_or_default()),
        };
        self.problems.push(Problem { origin: Some(self.document.origin(&span)), key, found: Some(found), what });
    }
}

fn join(table: &str, name: &str) -> String {
    if table.is_empty() { name.into() } else { format!("{table}.{name}") }
}

/// A value as written, cut where it would fill the screen.
fn excerpt(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(EXCERPT_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None if line.len() < text.len() => format!("{line}…"),
        None => line.into(),
    }
}

/// Characters of a value that a message repeats.
const EXCERPT_MAX: usize = 60;

fn unknown(table: &str, name: &str) -> String {
    let known = keys::names_in(table);
    let lower = name.to_lowercase();
    let near = known.iter().map(|known| (distance(&lower, known), known)).min();
    match near {
        Some((distance, known)) if distance <= 1 + name.len() / 4 => {
            format!("there is no such key; did you mean {known}?")
        }
        _ => format!("there is no such key; known here are {}", known.join(", ")),
    }
}

/// Edits (insert, remove, replace, swap neighbours) between two words.
fn distance(left: &str, right: &str) -> usize {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut rows = vec![vec![0; right.len() + 1]; left.len() + 1];
    for i in 0..=left.len() {
        for j in 0..=right.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = rows[i - 1][j - 1] + usize::from(left[i - 1] != right[j - 1]);
                let best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                let swapped = i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1];
                if swapped { best.min(rows[i - 2][j - 2] + 1) } else { best }
            };
        }
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_as_far_apart_as_their_edits() {
        for (left, right, edits) in [
            ("adress", "address", 1),
            ("adderss", "address", 1),
            ("", "abc", 3),
            ("tls", "tls", 0),
            ("port", "path", 3),
        ] {
            assert_eq!(distance(left, right), edits, "{left} {right}");
        }
    }

    #[test]
    fn a_place_is_a_line_and_a_column_in_characters() {
        let document = Document { source: Source::File("x"), text: "a = 1\nä = ö = 2" };
        let at = document.text.find("= 2").unwrap_or_default();
        assert_eq!(document.origin(&(at..at)), Origin::File { file: "x".into(), line: 2, column: 7 });
    }
}
