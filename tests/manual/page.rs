//! A page of the manual, as what it has people type, write and see.
//!
//! What a block is for stands behind its language, where only programs look:
//!
//! | block | is |
//! |---|---|
//! | `sh` | typed, and goes well; `sh fails`: does not; `sh lang=js`: for that language only |
//! | `text` | what the commands before have printed; `text log`: what the broker has logged; `text example`: neither |
//! | `LANGUAGE file=PATH` | written there |
//! | `LANGUAGE new` | a part of what `midge plugin new` has written |
//! | `toml` | a configuration; `toml allow`: the `allow` of a plugin in one |

use std::fs;
use std::path::Path;

/// One fenced block.
pub(crate) struct Block {
    /// `sh`, `text`, `toml` or a language that plugins are written in.
    pub(crate) language: String,
    /// What it is for.
    pub(crate) words: Vec<String>,
    pub(crate) text: String,
    /// The heading of the second level that it stands under.
    pub(crate) section: String,
    /// Its page and line, for whoever looks for it.
    pub(crate) place: String,
}

impl Block {
    pub(crate) fn has(&self, word: &str) -> bool {
        self.words.iter().any(|one| one == word)
    }

    /// What follows `KEY=` in its words.
    pub(crate) fn value(&self, key: &str) -> Option<&str> {
        self.words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
    }
}

/// Every page of the manual, by its name.
pub(crate) fn names() -> Vec<String> {
    let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.filter(|name| name.ends_with(".md")).collect();
    names.sort();
    names
}

/// What stands on a page.
pub(crate) fn text(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap()
}

pub(crate) fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/plugins"))
}

/// The blocks of a page, in order.
pub(crate) fn blocks(name: &str) -> Vec<Block> {
    let (mut blocks, mut section, mut open) = (Vec::new(), String::new(), None::<Block>);
    for (number, line) in text(name).lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(info), None) => {
                let mut words = info.split([' ', ',']).map(str::to_owned);
                open = Some(Block {
                    language: words.next().unwrap_or_default(),
                    words: words.collect(),
                    text: String::new(),
                    section: section.clone(),
                    place: format!("plugins/{name}:{}", number + 1),
                });
            }
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {
                if let Some(heading) = line.strip_prefix("## ") {
                    heading.clone_into(&mut section);
                }
            }
        }
    }
    assert!(open.is_none(), "{name}: a block does not end");
    blocks
}

/// The blocks below one heading of a page.
pub(crate) fn section(name: &str, heading: &str) -> Vec<Block> {
    let found: Vec<Block> = blocks(name).into_iter().filter(|block| block.section == heading).collect();
    assert!(!found.is_empty(), "plugins/{name} has nothing to type below {heading:?}");
    found
}
