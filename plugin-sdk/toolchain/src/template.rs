//! A new plugin: its name, its hooks, its files.

use std::fs;
use std::path::{Path, PathBuf};

use crate::embedded::TEMPLATES;
use crate::{Language, ToolchainError, contract};

/// What a new plugin shall be.
#[derive(Debug)]
pub struct Plan {
    name: String,
    hooks: Vec<String>,
}

/// One file of a new plugin.
#[derive(Debug)]
pub struct Text {
    /// Relative to the plugin's folder.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
}

impl Text {
    /// A file of this path and text.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into() }
    }
}

impl Plan {
    /// A plugin of this name with these hooks; a hook named twice counts once.
    ///
    /// # Errors
    /// When the name is none, there is no hook, or the contract does not have it.
    pub fn new(name: &str, hooks: &[String]) -> Result<Self, ToolchainError> {
        check_name(name)?;
        let mut plan = Self { name: name.to_owned(), hooks: Vec::new() };
        for hook in hooks {
            if !plan.has(hook) {
                plan.hooks.push(hook.clone());
            }
        }
        contract::check(&contract::World { hooks: plan.hooks.clone(), imports: Vec::new() })?;
        Ok(plan)
    }

    /// The plugin's name: lower case letters, digits and dashes.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The hooks it shall have, at least one.
    #[must_use]
    pub fn hooks(&self) -> &[String] {
        &self.hooks
    }

    /// Whether it shall have this hook.
    #[must_use]
    pub fn has(&self, hook: &str) -> bool {
        self.hooks.iter().any(|one| one == hook)
    }

    /// The name as one of a type: `my-auth` is `MyAuth`.
    #[must_use]
    pub fn type_name(&self) -> String {
        let capitalized = |part: &str| {
            let mut letters = part.chars();
            letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
        };
        self.name.split('-').map(capitalized).collect()
    }

    /// The template at `templates/LANGUAGE/FILE` for each hook, in the plan's order; `extension` with its dot. What the
    /// template calls `{{name}}` and `{{Name}}` is the plugin's name and [`type_name`](Self::type_name).
    ///
    /// # Errors
    /// When there is no template for a hook; names those there are.
    pub fn snippets(&self, language: &str, extension: &str) -> Result<Vec<String>, ToolchainError> {
        let snippet = |hook: &String| {
            self.template(&format!("{language}/hooks/{hook}{extension}")).map_err(|_| ToolchainError::Unknown {
                kind: "template for the hook",
                name: hook.clone(),
                known: hooks_with_templates(language, extension).join(", "),
            })
        };
        self.hooks.iter().map(snippet).collect()
    }

    /// The template at `templates/PATH`, with the plugin's name where it belongs.
    ///
    /// # Errors
    /// When there is none, which is a mistake in this crate.
    pub fn template(&self, path: &str) -> Result<String, ToolchainError> {
        let found = TEMPLATES.iter().find(|(known, _)| *known == path);
        let (_, text) = found.ok_or_else(|| ToolchainError::Unknown {
            kind: "template",
            name: path.to_owned(),
            known: TEMPLATES.iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", "),
        })?;
        Ok(text.replace("{{name}}", &self.name).replace("{{Name}}", &self.type_name()))
    }

    /// Tests of the component, for `midge plugin test`: a file for each hook. They are the same for every language, for every
    /// language's template does the same.
    ///
    /// # Errors
    /// When there is none for a hook; names those there are.
    pub fn fixtures(&self) -> Result<Vec<Text>, ToolchainError> {
        let texts = self.snippets("fixtures", ".toml")?;
        let file = |(hook, text): (&String, String)| Text::new(format!("fixtures/{hook}.toml"), text);
        Ok(self.hooks.iter().zip(texts).map(file).collect())
    }

    /// `plugin.toml`, for languages that need it. `imports` is what the plugin imports besides the world `local`.
    #[must_use]
    pub fn manifest(&self, language: &dyn Language, imports: &[&str]) -> Text {
        let list = |names: Vec<&str>| {
            let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
            format!("[{}]", quoted.join(", "))
        };
        let mut text = format!(
            "# What `midge plugin build` makes of this folder.\nname = {:?}\nlang = {:?}\nhooks = {}\n",
            self.name,
            language.name(),
            list(self.hooks.iter().map(String::as_str).collect())
        );
        if !imports.is_empty() {
            text.push_str(&format!("imports = {}\n", list(imports.to_vec())));
        }
        Text::new(crate::folder::MANIFEST, text)
    }
}

/// The hooks that a language has templates for.
fn hooks_with_templates(language: &str, extension: &str) -> Vec<&'static str> {
    let prefix = format!("{language}/hooks/");
    let hook = |path: &'static str| path.strip_prefix(&prefix)?.strip_suffix(extension);
    TEMPLATES.iter().filter_map(|(path, _)| hook(path)).collect()
}

/// Whether this can be a plugin's name in every place where it is used: as a file, in the broker's config, as a package.
pub(crate) fn check_name(name: &str) -> Result<(), ToolchainError> {
    let letters = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    let dashes = name.ends_with('-') || name.contains("--");
    if letters && begins && !dashes && name.len() <= 64 {
        return Ok(());
    }
    Err(ToolchainError::BadName { name: name.to_owned() })
}

/// Writes a new plugin's files into a folder that is not there yet, or is empty.
///
/// # Errors
/// When there is something in it, or a file cannot be written.
pub fn write(folder: &Path, files: &[Text]) -> Result<(), ToolchainError> {
    if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) || folder.is_file() {
        return Err(ToolchainError::Exists { path: folder.to_owned() });
    }
    for Text { path, text } in files {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(ToolchainError::at(parent))?;
        }
        fs::write(&path, text).map_err(ToolchainError::at(&path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use super::*;
    use crate::LANGUAGES;

    fn plan(name: &str, hooks: &[&str]) -> Result<Plan, ToolchainError> {
        Plan::new(name, &hooks.iter().map(|&hook| hook.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_name_goes_for_files_config_and_types() {
        assert_eq!(plan("my-auth-2", &["authn"]).unwrap().type_name(), "MyAuth2");
        for bad in ["", "My", "my_auth", "-my", "my-", "my--auth", "2my", "../my", &"m".repeat(65)] {
            assert!(plan(bad, &["authn"]).is_err(), "{bad}");
        }
    }

    #[test]
    fn hooks_are_those_of_the_contract_and_each_is_there_once() {
        assert_eq!(plan("my", &["authn", "authz", "authn"]).unwrap().hooks(), ["authn", "authz"]);
        let refused = plan("my", &["autz"]).unwrap_err().to_string();
        assert!(refused.contains("authz"), "{refused}");
        assert!(plan("my", &[]).is_err());
    }

    #[test]
    fn every_language_has_a_template_for_every_hook() {
        let plan = Plan::new("my", &contract::hooks().unwrap()).unwrap();
        for language in LANGUAGES {
            let files = language.template(&plan).unwrap();
            for text in &files {
                assert!(text.path.is_relative(), "{}", text.path.display());
                let has_gap = text.text.contains("{{name}}") || text.text.contains("{{Name}}");
                assert!(!has_gap, "{} of {language:?} has a gap", text.path.display());
            }
        }
    }

    #[test]
    fn nothing_is_written_over_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let new = folder.path().join("new");
        write(&new, &[Text::new("src/a.txt", "a")]).unwrap();
        assert_eq!(fs::read_to_string(new.join("src/a.txt")).unwrap(), "a");
        assert!(matches!(write(&new, &[Text::new("b.txt", "b")]), Err(ToolchainError::Exists { .. })));
        assert!(!new.join("b.txt").exists());
    }
}
