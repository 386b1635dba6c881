//! `plugins/configuration.md`, the manual's page of keys, says what the table of keys, the defaults and the grants say.

use std::collections::BTreeSet;

use midge_host::contract::Hook;
use midge_host::grants::Grants;

use super::super::accepts::Accepts;
use super::super::keys::{self, KEYS};
use super::super::units::size_text;
use super::*;

const MANUAL: &str = include_str!("../../../../../plugins/configuration.md");

/// A row of one of its tables.
struct Row {
    /// The key with its tables.
    path: String,
    default: &'static str,
    /// What it accepts.
    form: &'static str,
}

fn rows() -> Vec<Row> {
    let (mut table, mut rows) = ("", Vec::new());
    for line in MANUAL.lines() {
        if let Some(heading) = line.strip_prefix('#') {
            table = heading.trim_start_matches('#').trim().trim_matches(['`', '[', ']']);
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let ["", key, default, form, _, ""] = cells[..]
            && let Some(key) = in_code(key)
        {
            rows.push(Row { path: format!("{table}.{key}"), default, form });
        }
    }
    rows
}

/// What a cell says, if it is all code.
fn in_code(cell: &str) -> Option<&str> {
    cell.strip_prefix('`')?.strip_suffix('`').filter(|code| !code.contains('`'))
}

/// What stands in the first code of a cell.
fn first_code(cell: &str) -> Option<&str> {
    cell.split('`').nth(1)
}

#[test]
fn the_manual_has_every_key_of_plugins_and_none_that_is_not_read() {
    let said: BTreeSet<String> = rows().into_iter().map(|row| row.path).collect();
    let concerns = |path: &str| path.starts_with("plugin.") || path.starts_with("swap.") || path.starts_with("admin.");
    let missing: Vec<&str> =
        KEYS.iter().map(|key| key.path).filter(|path| concerns(path) && !said.contains(*path)).collect();
    assert!(missing.is_empty(), "not in plugins/configuration.md: {missing:?}");
    let unknown: Vec<&String> =
        said.iter().filter(|path| keys::key(path).is_none() && !path.starts_with("plugin.allow.")).collect();
    assert!(unknown.is_empty(), "plugins/configuration.md has what nobody reads: {unknown:?}");
}

#[test]
fn its_bounds_are_those_that_are_kept() {
    for Row { path, form, .. } in rows() {
        let Some(key) = keys::key(&path) else { continue };
        match key.accepts {
            Accepts::Integer(from, to) => assert_eq!(form, format!("{from} to {to}"), "{path}"),
            Accepts::Size(from, to) => assert_eq!(form, format!("{} to {}", size_text(from), size_text(to)), "{path}"),
            Accepts::Word(words) | Accepts::Words(words) => {
                words.iter().for_each(|word| assert!(form.contains(&format!("`\"{word}\"`")), "{path}: {word}"));
            }
            Accepts::Flag => assert_eq!(form, "`true`, `false`", "{path}"),
            _ => {}
        }
    }
    let hooks = rows().into_iter().find(|row| row.path == "plugin.hooks").unwrap().form;
    for hook in Hook::ALL.into_iter().filter(|hook| *hook != Hook::Lifecycle) {
        assert!(hooks.contains(&format!("`{hook}`")), "{hook} is not among the hooks of plugins/configuration.md");
    }
}

/// Defaults that depend on the machine or on other keys are told in words, and so is an empty table.
#[test]
fn its_defaults_are_those_in_force() {
    let explained = read("[[plugin]]\npath = \"a\"\n").unwrap().explain();
    let in_words = ["plugin.path", "plugin.name", "plugin.config", "plugin.allow", "runtime.data_dir"];
    for Row { path, default, .. } in rows() {
        let Some((table, key)) = path.split_once('.') else { continue };
        let headers = [format!("[{table}]"), format!("[[{table}]]")];
        let line = explained.iter().find(|line| headers.contains(&line.table) && line.key == key);
        let Some(line) = line.filter(|line| line.value != "-" && !in_words.contains(&&*path)) else { continue };
        if path == "listener.anonymous" {
            continue;
        }
        assert_eq!(default, format!("`{}`", line.value), "{path}");
    }
}

#[test]
fn it_has_every_grant_and_each_is_written_as_it_is_read() {
    let refused = Grants::from_json("p", &serde_json::json!({ "nonsense": true }), Path::new("")).unwrap_err();
    let refused = refused.to_string();
    let known: BTreeSet<&str> = refused.split("one of ").nth(1).unwrap().split(", ").collect();
    let rows = rows();
    let grants: Vec<(&str, &Row)> =
        rows.iter().filter_map(|row| Some((row.path.strip_prefix("plugin.allow.")?, row))).collect();
    assert_eq!(grants.iter().map(|(grant, _)| *grant).collect::<BTreeSet<_>>(), known);
    for (grant, row) in grants {
        let Some(form) = first_code(row.form) else { continue };
        let text = format!("[[plugin]]\npath = \"a\"\n[plugin.allow]\n{grant} = {form}\n");
        assert!(read(&text).is_ok(), "{text}: {}", read(&text).unwrap_err());
    }
}
