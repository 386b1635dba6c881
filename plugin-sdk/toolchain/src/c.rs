//! C: clang with wasi-libc makes a module, and wit-component a component of it.
//!
//! The contract's header is generated at each build for the hooks that `plugin.toml` names, together with the functions that
//! translate between C and the component model. `plugin-sdk/c` has what is written by hand.

mod bindings;
mod clang;

use std::fs;
use std::path::{Path, PathBuf};

use wit_component::ComponentEncoder;

use crate::embedded::C_SDK;
use crate::{Built, Context, Examination, Folder, Language, Plan, Text, ToolchainError};
use clang::Clang;

/// C.
#[derive(Debug)]
pub struct C;

impl Language for C {
    fn name(&self) -> &'static str {
        "c"
    }

    fn title(&self) -> &'static str {
        "C"
    }

    fn examine(&self) -> Examination {
        clang::examine()
    }

    fn template(&self, plan: &Plan) -> Result<Vec<Text>, ToolchainError> {
        let head = plan.template("c/plugin.c")?;
        let mut files = vec![
            plan.manifest(self, &[]),
            Text::new("plugin.c", head + "\n" + &plan.snippets("c", ".c")?.join("\n")),
            Text::new("compile_flags.txt", plan.template("c/compile_flags.txt")?),
            Text::new(".gitignore", "/build\n/*.wasm\n"),
            Text::new("README.md", plan.template("c/README.md")?),
        ];
        files.extend(plan.fixtures()?);
        Ok(files)
    }

    fn build(&self, folder: &Folder, context: &Context<'_>) -> Result<Built, ToolchainError> {
        let manifest = folder.manifest()?;
        let sources = sources(folder.path())?;
        if sources.is_empty() {
            let why = "there is no .c file beside it, nor in src/".to_owned();
            return Err(ToolchainError::Manifest { path: folder.path().join("plugin.toml"), why });
        }
        let clang = Clang::find(context)?;
        (context.tell)(&format!("compiled by {clang}"));
        let directory = folder.build_directory()?;
        for (name, bytes) in bindings::generate(manifest)? {
            write_if_new(&directory.join(name), &bytes)?;
        }
        for (name, text) in C_SDK.iter().filter(|(name, _)| !name.ends_with(".md")) {
            write_if_new(&directory.join(name), text.as_bytes())?;
        }
        let module = directory.join("module.wasm");
        context.run(&mut clang.command(folder.path(), &directory, &sources, &module))?;
        let module = fs::read(&module).map_err(ToolchainError::at(&module))?;
        Ok(Built { name: manifest.name.clone(), bytes: component(&module)? })
    }
}

/// Every `.c` file of the folder and of its `src`, by name.
fn sources(folder: &Path) -> Result<Vec<PathBuf>, ToolchainError> {
    let mut sources = Vec::new();
    for directory in [folder.to_owned(), folder.join("src")] {
        if !directory.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&directory).map_err(ToolchainError::at(&directory))? {
            let path = entry.map_err(ToolchainError::at(&directory))?.path();
            if path.extension().is_some_and(|extension| extension == "c") {
                sources.push(path);
            }
        }
    }
    sources.sort();
    Ok(sources)
}

/// Makes a component of a module that carries its world in a custom section.
fn component(module: &[u8]) -> Result<Vec<u8>, ToolchainError> {
    let encoded = ComponentEncoder::default().validate(true).module(module).and_then(ComponentEncoder::encode);
    encoded.map_err(|error| {
        let why = format!("{error:#}");
        // The one mistake that an author will make: to call what needs an operating system.
        let hint = match why.contains("wasi_snapshot_preview1") {
            true => "; a function of libc needs files, the environment or sockets, which a plugin does not have",
            false => "",
        };
        ToolchainError::NoComponent(why + hint)
    })
}

/// Leaves a file alone that says the same already, so that editors and `--watch` see no change.
fn write_if_new(path: &Path, bytes: &[u8]) -> Result<(), ToolchainError> {
    if fs::read(path).is_ok_and(|before| before == bytes) {
        return Ok(());
    }
    fs::write(path, bytes).map_err(ToolchainError::at(path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use super::*;

    #[test]
    fn a_module_that_is_none_is_refused() {
        let refused = component(b"\0asm\x01\0\0\0\x01").unwrap_err().to_string();
        assert!(refused.starts_with("what was built is no plugin"), "{refused}");
    }

    #[test]
    fn only_c_files_are_compiled_and_always_in_the_same_order() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("src")).unwrap();
        for name in ["b.c", "a.c", "a.h", "src/c.c"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let names: Vec<PathBuf> = sources(folder.path()).unwrap();
        assert_eq!(names, ["a.c", "b.c", "src/c.c"].map(|name| folder.path().join(name)));
    }
}
