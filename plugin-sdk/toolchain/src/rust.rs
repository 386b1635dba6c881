//! Rust: cargo builds `wasm32-unknown-unknown`, and rustc's own component linker makes a component of it.

mod cargo;
mod compiler;
mod sdk;
mod toolchain;

use std::env;
use std::fs;
use std::path::PathBuf;

pub use cargo::{Component, Made, build_workspace, components};
pub use toolchain::Toolchain;

use crate::{Built, Context, Examination, Folder, Language, Plan, Text, ToolchainError};

/// The target that plugins are built for.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Rust.
#[derive(Debug)]
pub struct Rust;

impl Language for Rust {
    fn name(&self) -> &'static str {
        "rust"
    }

    fn title(&self) -> &'static str {
        "Rust"
    }

    fn examine(&self) -> Examination {
        toolchain::examine()
    }

    fn template(&self, plan: &Plan) -> Result<Vec<Text>, ToolchainError> {
        let mut files = vec![
            Text::new("Cargo.toml", plan.template("rust/Cargo.toml.txt")? + &sdk::dependencies()?),
            Text::new(".gitignore", "/target\n/*.wasm\n"),
            Text::new("README.md", plan.template("rust/README.md")?),
            Text::new("src/lib.rs", source(plan)?),
        ];
        files.extend(plan.fixtures()?);
        files.extend(sdk::files()?);
        Ok(files)
    }

    fn build(&self, folder: &Folder, context: &Context<'_>) -> Result<Built, ToolchainError> {
        let toolchain = Toolchain::find(context)?;
        let manifest = folder.path().join("Cargo.toml");
        // Of a workspace only what is made in this folder.
        let parts: Vec<Component> = components(&manifest)?.into_iter().filter(|one| one.manifest == manifest).collect();
        let [component] = parts.as_slice() else {
            let why = match parts.as_slice() {
                [] => "it makes no component: add [lib] crate-type = [\"cdylib\"]".to_owned(),
                several => {
                    let names: Vec<&str> = several.iter().map(|one| one.name.as_str()).collect();
                    format!("it makes more than one component: {}", names.join(", "))
                }
            };
            return Err(ToolchainError::Manifest { path: manifest, why });
        };
        (context.tell)(&toolchain.to_string());
        let target_directory = toolchain.shared_directory();
        let made = build_workspace(&toolchain, &manifest, target_directory.as_deref(), Some(component))?;
        let Some(Made { name, file }) = made.into_iter().find(|made| made.name == component.name) else {
            return Err(ToolchainError::NoComponent(format!("cargo says nothing of {}", component.name)));
        };
        let bytes = fs::read(&file).map_err(ToolchainError::at(&file))?;
        Ok(Built { name, bytes })
    }

    fn next_steps(&self) -> &'static [(&'static str, &'static str)] {
        &[("cargo test", "tests it natively, without a broker and without WebAssembly")]
    }
}

/// `src/lib.rs`: what every plugin has, and a part for each hook.
fn source(plan: &Plan) -> Result<String, ToolchainError> {
    let parts = plan.snippets("rust", ".rs.txt")?;
    let mut names = vec!["plugin".to_owned()];
    let (mut code, mut tests, mut test_names) = (String::new(), String::new(), Vec::new());
    for part in &parts {
        // A part is: the names it uses, its code, its test.
        let mut pieces = part.splitn(3, "//// ");
        names.extend(names_in(pieces.next().unwrap_or_default()));
        code.push_str(pieces.next().unwrap_or_default().trim_start_matches("code\n").trim_end());
        code.push_str("\n\n");
        let (used, test) = pieces.next().unwrap_or_default().split_once('\n').unwrap_or_default();
        test_names.extend(names_in(used.trim_start_matches("test:")));
        tests.push_str(test.trim_end());
        tests.push_str("\n\n");
    }
    let used = |mut names: Vec<String>| {
        names.sort_by_key(|name| (name.chars().next().is_some_and(char::is_lowercase), name.clone()));
        names.dedup();
        names
    };
    let names = used(names);
    let test_names: Vec<String> = used(test_names).into_iter().filter(|name| !names.contains(name)).collect();
    let testing = if test_names.is_empty() { String::new() } else { sdk_use(&test_names, "    ") + "\n" };
    let hooks: Vec<String> = plan.hooks().iter().map(|hook| hook.replace('-', "_")).collect();
    let name = plan.type_name();
    let derive = if plan.has("lifecycle") { "" } else { "#[derive(Default)]\n" };
    Ok(format!(
        "//! {}: a Midge plugin.\n\n{}\n/// What lasts between two calls; each instance has its own.\n{derive}struct {name};\n\n{code}\
         plugin!({name}: {});\n\n#[cfg(test)]\nmod tests {{\n{testing}    use super::*;\n\n{}\n}}\n",
        plan.name(),
        sdk_use(&names, ""),
        hooks.join(", "),
        tests.trim_end(),
    ))
}

fn names_in(line: &str) -> Vec<String> {
    line.split([',', '\n']).map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn sdk_use(names: &[String], indent: &str) -> String {
    let line = match names {
        [one] => format!("{indent}use midge_plugin_sdk::{one};\n"),
        several => format!("{indent}use midge_plugin_sdk::{{{}}};\n", several.join(", ")),
    };
    // As rustfmt breaks it.
    if line.len() <= 101 || names.len() == 1 {
        return line;
    }
    let mut text = format!("{indent}use midge_plugin_sdk::{{\n");
    let mut row = format!("{indent}   ");
    for name in names {
        if row.len() + name.len() + 2 > 99 {
            text.push_str(&row);
            text.push('\n');
            row = format!("{indent}   ");
        }
        row.push_str(&format!(" {name},"));
    }
    text.push_str(&format!("{row}\n{indent}}};\n"));
    text
}

/// Where compilers keep what several plugins share: `$XDG_CACHE_HOME/midge`, or `.cache/midge` at home.
fn cache() -> Option<PathBuf> {
    let given = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    Some(given("XDG_CACHE_HOME").or_else(|| Some(given("HOME")?.join(".cache")))?.join("midge"))
}
