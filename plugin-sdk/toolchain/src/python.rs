//! Python: componentize-py makes a component of a plugin and a CPython.
//!
//! `plugin-sdk/python/build.py` does the work, in an environment of its own; this is what surrounds it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::embedded::PYTHON_SDK;
use crate::tools::{Tools, write_all};
use crate::{Built, Context, Examination, Finding, Folder, Language, Plan, Text, ToolchainError};
use crate::{contract, packages};

/// Python.
#[derive(Debug)]
pub struct Python;

impl Language for Python {
    fn name(&self) -> &'static str {
        "python"
    }

    fn title(&self) -> &'static str {
        "Python"
    }

    fn examine(&self) -> Examination {
        let python = python();
        let found = python.as_ref().map(|(path, version)| format!("{} {version}", path.display()));
        let venv = python.as_ref().filter(|(path, _)| has_venv(path)).map(|_| "there".to_owned());
        let mend = venv.is_none().then(|| packages::command(DEBIAN_PACKAGES));
        let findings = vec![
            Finding::new(format!("Python 3.{OLDEST_MINOR} or later"), found),
            Finding::new("its modules venv and ensurepip", venv),
            tools().finding("componentize-py, from PyPI"),
        ];
        Examination { findings, mend }
    }

    fn template(&self, plan: &Plan) -> Result<Vec<Text>, ToolchainError> {
        let mut files = vec![
            plan.manifest(self, &[]),
            Text::new("plugin.py", source(plan)?),
            Text::new("pyrightconfig.json", plan.template("python/pyrightconfig.json")?),
            Text::new(".gitignore", "/build\n/*.wasm\n__pycache__\n"),
            Text::new("README.md", plan.template("python/README.md")?),
        ];
        files.extend(plan.fixtures()?);
        Ok(files)
    }

    fn build(&self, folder: &Folder, context: &Context<'_>) -> Result<Built, ToolchainError> {
        let manifest = folder.manifest()?;
        if context.may_install && !self.examine().is_complete() {
            // What could not be installed is still missing below, and named with its command.
            let _ = packages::install(DEBIAN_PACKAGES, context.tell);
        }
        let missing = |what: String| ToolchainError::Missing { what, mend: packages::command(DEBIAN_PACKAGES) };
        let (python, _) = python().ok_or_else(|| missing(format!("Python 3.{OLDEST_MINOR} or later")))?;
        let tools = tools();
        let own = tools.directory().join("venv/bin/python");
        tools.ensure(context, |directory| {
            if !has_venv(&python) {
                return Err(missing("Python's module venv".to_owned()));
            }
            context.run(Command::new(&python).args(["-m", "venv", "--clear"]).arg(directory.join("venv")))?;
            let mut pip = Command::new(&own);
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]);
            context.run(pip.args(["-r", "requirements.txt"]).current_dir(directory))
        })?;
        let directory = folder.build_directory()?;
        let (sdk, wit) = (directory.join("sdk"), directory.join("wit"));
        write_all(&sdk, PYTHON_SDK)?;
        write_all(&wit, contract::files())?;
        let component = directory.join("component.wasm");
        let build = || {
            let mut build = Command::new(&own);
            build.current_dir(folder.path()).arg("-B").arg(sdk.join("build.py")).arg("--quiet");
            build.args(["--project", ".", "--hooks", &manifest.hooks.join(",")]).arg("--wit").arg(&wit);
            build
        };
        // For editors and native tests; it takes a moment, where the component takes seconds.
        context.run(build().arg("--bindings").arg(directory.join("bindings")))?;
        context.run(build().arg("--out").arg(&component))?;
        let bytes = fs::read(&component).map_err(ToolchainError::at(&component))?;
        Ok(Built { name: manifest.name.clone(), bytes })
    }

    fn next_steps(&self) -> &'static [(&'static str, &'static str)] {
        &[(
            "PYTHONPATH=.:build/sdk:build/bindings python3 -m unittest",
            "runs tests of yours natively, in files such as test_plugin.py",
        )]
    }
}

/// The plugin: its imports, and a class for each hook. A part is the imports it needs, as `from M import …`, then its code.
fn source(plan: &Plan) -> Result<String, ToolchainError> {
    let parts = plan.snippets("python", ".py")?;
    let (mut imports, mut code) = (BTreeMap::<_, BTreeSet<_>>::new(), String::new());
    for part in &parts {
        let (used, own) = part.split_once("\n#### code\n").unwrap_or_default();
        for line in used.lines() {
            let (module, names) = line.trim_start_matches("from ").split_once(" import ").unwrap_or_default();
            // The SDK's modules come after Python's own, with a gap between.
            imports.entry((module.starts_with("midge"), module)).or_default().extend(names.split(", "));
        }
        code.push_str("\n\n");
        code.push_str(own);
    }
    let group = |is_ours: bool| {
        let lines = imports.iter().filter(|((ours, _), _)| *ours == is_ours);
        let line = |((_, module), names): (&(bool, &str), &BTreeSet<&str>)| {
            let names: Vec<&str> = names.iter().copied().collect();
            format!("from {module} import {}", names.join(", "))
        };
        lines.map(line).collect::<Vec<_>>().join("\n")
    };
    let head = format!("{}\n\n{}", group(false), group(true));
    Ok(format!("\"\"\"{}: a Midge plugin.\"\"\"\n\n{}\n{code}", plan.name(), head.trim()))
}

/// The first Python on the PATH that is new enough, and its version.
fn python() -> Option<(PathBuf, String)> {
    ["python3", "python"].into_iter().filter_map(packages::find).find_map(|path| {
        let print = "import sys; print('%d.%d.%d' % sys.version_info[:3])";
        let version = packages::said_by(Command::new(&path).args(["-c", print]))?.trim().to_owned();
        let minor: u32 = version.strip_prefix("3.")?.split('.').next()?.parse().ok()?;
        (minor >= OLDEST_MINOR).then_some((path, version))
    })
}

fn has_venv(python: &Path) -> bool {
    packages::said_by(Command::new(python).args(["-c", "import venv, ensurepip"])).is_some()
}

fn tools() -> Tools {
    Tools::named_by("python", PYTHON_SDK, &["requirements.txt"])
}

const OLDEST_MINOR: u32 = 10;
const DEBIAN_PACKAGES: &[&str] = &["python3", "python3-venv"];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use super::*;

    #[test]
    fn a_template_has_each_import_once_and_the_sdk_last() {
        let hooks = ["messages", "lifecycle", "events"].map(str::to_owned);
        let text = source(&Plan::new("my-plugin", &hooks).unwrap()).unwrap();
        let head = "from dataclasses import replace\n\nfrom midge import events, lifecycle, log, messages\n\
                    from midge.messages import Action\n\n\n";
        assert!(text.contains(head), "{text}");
    }
}
