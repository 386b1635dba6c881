//! `midge plugin new`: a folder to begin with.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::PossibleValuesParser;
use midge_toolchain::{LANGUAGES, Language, Plan, language, write};

use super::PluginError;

#[derive(Debug, Args)]
pub(crate) struct New {
    /// The plugin's name: lower case letters, digits and dashes
    name: String,
    /// The language it is written in
    #[arg(long, short, value_name = "LANG", value_parser = PossibleValuesParser::new(names()))]
    lang: String,
    /// The hooks it exports, separated by commas; wit/README.md says which there are
    #[arg(long, value_name = "HOOKS", value_delimiter = ',', default_value = "authn")]
    hooks: Vec<String>,
    /// The folder that is made for it; unless given, one of its name
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// What `--lang` can be.
pub(super) fn names() -> Vec<&'static str> {
    LANGUAGES.iter().map(|language| language.name()).collect()
}

impl New {
    pub(super) fn perform(&self) -> Result<(), PluginError> {
        let language = language(&self.lang)?;
        let plan = Plan::new(&self.name, &self.hooks)?;
        let folder = self.dir.clone().unwrap_or_else(|| PathBuf::from(&self.name));
        write(&folder, &language.template(&plan)?)?;
        self.say_what_next(language, &plan, &folder).map_err(PluginError::Print)
    }

    fn say_what_next(&self, language: &dyn Language, plan: &Plan, folder: &Path) -> io::Result<()> {
        let mut out = io::stdout().lock();
        let (name, title) = (plan.name(), language.title());
        let plural = if plan.hooks().len() == 1 { "hook" } else { "hooks" };
        let hooks = plan.hooks().join(", ");
        writeln!(out, "{} has a plugin in {title} with the {plural} {hooks}.\n", folder.display())?;
        if let Some(mend) = language.examine().mend {
            writeln!(
                out,
                "This machine cannot build it yet (midge plugin doctor --lang {} says why). To mend that:",
                self.lang
            )?;
            writeln!(out, "  {mend}\n")?;
        }
        let mut steps = vec![
            (format!("cd {}", folder.display()), String::new()),
            ("midge plugin build".to_owned(), format!("writes {name}.wasm; --watch: whenever a file changes")),
            (format!("midge plugin test {name}.wasm fixtures/*.toml"), "tests it".to_owned()),
        ];
        steps.extend(language.next_steps().iter().map(|&(step, meaning)| (step.to_owned(), meaning.to_owned())));
        writeln!(out, "Next:")?;
        for (step, meaning) in steps {
            let line = format!("  {step:<52} # {meaning}");
            writeln!(out, "{}", line.trim_end_matches(['#', ' ']))?;
        }
        writeln!(
            out,
            "\nIn the broker's configuration:\n  [[plugin]]\n  path = {:?}",
            folder.join(format!("{name}.wasm"))
        )
    }
}
