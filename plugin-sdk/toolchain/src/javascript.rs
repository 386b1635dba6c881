//! JavaScript and TypeScript: esbuild makes one file of a plugin, and componentize-qjs a component of it and a QuickJS.
//!
//! `plugin-sdk/js/build.mjs` does the work, in the node of this machine; this is what surrounds it.

use std::fs;
use std::process::Command;

use crate::embedded::JS_SDK;
use crate::tools::{Tools, write_all};
use crate::{Built, Context, Examination, Finding, Folder, Language, Plan, State, Text, ToolchainError};
use crate::{contract, packages};

/// JavaScript.
#[derive(Debug)]
pub struct JavaScript;

/// TypeScript.
#[derive(Debug)]
pub struct TypeScript;

impl Language for JavaScript {
    fn name(&self) -> &'static str {
        "js"
    }

    fn title(&self) -> &'static str {
        "JavaScript"
    }

    fn examine(&self) -> Examination {
        examine()
    }

    fn template(&self, plan: &Plan) -> Result<Vec<Text>, ToolchainError> {
        template(self, plan)
    }

    fn build(&self, folder: &Folder, context: &Context<'_>) -> Result<Built, ToolchainError> {
        build(folder, context)
    }

    fn next_steps(&self) -> &'static [(&'static str, &'static str)] {
        &[(
            "node --import ./build/sdk/testing.mjs --test",
            "runs tests of yours natively, in files such as plugin.test.mjs",
        )]
    }
}

impl Language for TypeScript {
    fn name(&self) -> &'static str {
        "ts"
    }

    fn title(&self) -> &'static str {
        "TypeScript"
    }

    fn examine(&self) -> Examination {
        examine()
    }

    fn template(&self, plan: &Plan) -> Result<Vec<Text>, ToolchainError> {
        template(self, plan)
    }

    fn build(&self, folder: &Folder, context: &Context<'_>) -> Result<Built, ToolchainError> {
        build(folder, context)
    }

    fn next_steps(&self) -> &'static [(&'static str, &'static str)] {
        &[("npx tsc", "checks the types, which the build does not")]
    }
}

fn template(language: &dyn Language, plan: &Plan) -> Result<Vec<Text>, ToolchainError> {
    let name = language.name();
    let mut files = vec![
        plan.manifest(language, &[]),
        Text::new(format!("plugin.{name}"), source(plan, name)?),
        Text::new("tsconfig.json", plan.template(&format!("{name}/tsconfig.json"))?),
        Text::new(".gitignore", "/build\n/node_modules\n/*.wasm\n"),
        Text::new("README.md", plan.template(&format!("{name}/README.md"))?),
    ];
    files.extend(plan.fixtures()?);
    Ok(files)
}

/// The plugin: what it takes from the SDK, and a part for each hook. A part is the names it uses, then its code.
fn source(plan: &Plan, language: &str) -> Result<String, ToolchainError> {
    let parts = plan.snippets(language, &format!(".{language}"))?;
    let (mut names, mut code) = (Vec::new(), String::new());
    for part in &parts {
        let (used, own) = part.split_once("\n//// code\n").unwrap_or_default();
        names.extend(used.split(", ").map(str::to_owned));
        code.push('\n');
        code.push_str(own);
    }
    // Types last, the rest as people sort it.
    names.sort_by_key(|name| (name.starts_with("type "), name.to_lowercase()));
    names.dedup();
    Ok(format!("// {}: a Midge plugin.\n\nimport {{ {} }} from \"midge\";\n{code}", plan.name(), names.join(", ")))
}

fn build(folder: &Folder, context: &Context<'_>) -> Result<Built, ToolchainError> {
    let manifest = folder.manifest()?;
    let missing = |examination: Examination| {
        let mend = examination.mend?;
        let what = examination.findings.into_iter().find(|finding| finding.state == State::Missing)?.what;
        Some(ToolchainError::Missing { what, mend })
    };
    if context.may_install && missing(examine()).is_some() {
        // What could not be installed is still missing below, and named with its command.
        let _ = packages::install(DEBIAN_PACKAGES, context.tell);
    }
    if let Some(error) = missing(examine()) {
        return Err(error);
    }
    let tools = tools();
    tools.ensure(context, |directory| {
        let mut npm = Command::new("npm");
        // None of them needs its installation script, and a build shall run no code that it does not need.
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
        context.run(npm.current_dir(directory))
    })?;
    let directory = folder.build_directory()?;
    let (sdk, wit) = (directory.join("sdk"), directory.join("wit"));
    write_all(&sdk, JS_SDK)?;
    write_all(&wit, contract::files())?;
    let component = directory.join("component.wasm");
    let mut node = Command::new("node");
    node.current_dir(folder.path()).arg(sdk.join("build.mjs")).arg("--quiet");
    node.args(["--project", ".", "--hooks", &manifest.hooks.join(",")]).arg("--wit").arg(&wit);
    node.arg("--tools").arg(tools.directory()).arg("--out").arg(&component);
    context.run(&mut node)?;
    let bytes = fs::read(&component).map_err(ToolchainError::at(&component))?;
    Ok(Built { name: manifest.name.clone(), bytes })
}

fn examine() -> Examination {
    let said =
        |program: &str| packages::said_by(Command::new(program).arg("--version")).map(|said| said.trim().to_owned());
    let node = said("node").filter(|version| is_new_enough(version));
    let npm = said("npm");
    let is_missing = node.is_none() || npm.is_none();
    let findings = vec![
        Finding::new(format!("Node.js {OLDEST_NODE} or later"), node),
        Finding::new("npm", npm),
        tools().finding("componentize-qjs and esbuild, from npm"),
    ];
    Examination { findings, mend: is_missing.then(|| packages::command(DEBIAN_PACKAGES)) }
}

fn is_new_enough(version: &str) -> bool {
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    major.is_some_and(|major| major >= OLDEST_NODE)
}

fn tools() -> Tools {
    Tools::named_by("js", JS_SDK, &["package.json", "package-lock.json"])
}

const OLDEST_NODE: u32 = 18;
const DEBIAN_PACKAGES: &[&str] = &["nodejs", "npm"];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use super::*;

    #[test]
    fn an_old_node_does_not_count() {
        assert!(is_new_enough("v20.20.2") && is_new_enough("v18.0.0"));
        assert!(!is_new_enough("v16.3.0") && !is_new_enough("") && !is_new_enough("nonsense"));
    }

    #[test]
    fn a_template_imports_what_its_hooks_use_and_no_more() {
        let plan = Plan::new("my-auth", &["authn".to_owned(), "lifecycle".to_owned()]).unwrap();
        let text = source(&plan, "ts").unwrap();
        let import = "import { Answer, log, text, type Authenticator, type Lifecycle } from \"midge\";";
        assert!(text.contains(import), "{text}");
        let import = "import { Answer, log, text } from \"midge\";";
        let text = source(&plan, "js").unwrap();
        assert!(text.contains(import), "JavaScript has no types: {text}");
    }
}
