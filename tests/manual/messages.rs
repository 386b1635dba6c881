//! What the manual says of messages is said of messages that there are.

use std::fs;
use std::path::Path;

use super::page;

/// Where messages come from.
const SOURCES: [&str; 3] = ["broker", "plugin-sdk", "xtask"];

#[test]
fn every_message_of_the_manual_is_one_that_is_said() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut said = String::new();
    SOURCES.iter().for_each(|folder| collect(&root.join(folder), &mut said));
    let mut messages = 0;
    for line in page::text("troubleshooting.md").lines() {
        let Some(message) = line.strip_prefix("| `").and_then(|rest| rest.split("` |").next()) else { continue };
        messages += 1;
        for part in message.split('…').map(|part| part.trim_matches([' ', '"', '(', ')'])) {
            assert!(said.contains(part), "nobody says {part:?}, of {message:?}");
        }
    }
    assert!(messages > 60, "{messages} messages were found");
}

/// The sources below a folder, with the texts in them as they are printed.
fn collect(folder: &Path, said: &mut String) {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    for path in entries {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let is_source = [".rs", ".mjs", ".py"].iter().any(|ending| name.ends_with(ending));
        if path.is_dir() && !["target", "node_modules", "tests", "templates"].contains(&name.as_str()) {
            collect(&path, said);
        } else if is_source {
            said.push_str(&joined(&path));
        }
    }
}

/// A source with its broken lines made whole.
fn joined(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap().replace("\\\"", "\"");
    let mut pieces = text.split("\\\n");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |whole, piece| whole + piece.trim_start())
}
