//! `midge plugin`: what an author sees, with the real binary and no broker.

mod bench;
mod check;
mod fixtures;
mod run;
mod wit;

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::hostile::{bundled, guest};
use crate::support::Server;

/// How a run of `midge plugin …` ended.
struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Run {
    /// The answer, of a run that went well.
    #[track_caller]
    fn well(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self.out
    }

    /// What was complained of, by a run that did not go well.
    #[track_caller]
    fn ill(self) -> String {
        assert_eq!(self.code, Some(1), "{}{}", self.out, self.err);
        assert!(self.err.contains("midge: "), "{}", self.err);
        self.err
    }
}

/// Runs `midge plugin …` to its end.
fn plugin(arguments: &[&str]) -> Run {
    plugin_with_input(arguments, "")
}

fn plugin_with_input(arguments: &[&str], line: &str) -> Run {
    let mut all = vec!["plugin"];
    all.extend(arguments);
    let Output { status, stdout, stderr } = Server::output_with_input(&all, line);
    let text = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains('\x1b'), "colours, though NO_COLOR is set: {text}");
        text
    };
    Run { code: status.code(), out: text(stdout), err: text(stderr) }
}

/// What a run that went well printed.
#[track_caller]
fn well(arguments: &[&str]) -> String {
    plugin(arguments).well()
}

/// A path as an argument.
fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The bundled plugins that have fixtures, each with these.
fn fixtures() -> Vec<(String, Vec<PathBuf>)> {
    let files = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    };
    let mut plugins = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins"));
    // The examples in other languages are not bundled; `first_plugin` and `scripts` hold them to theirs.
    plugins.retain(|plugin| !plugin.join("plugin.toml").is_file());
    let with_fixtures = plugins.iter().map(|plugin| {
        let fixtures = files(&plugin.join("fixtures"));
        let is_fixture = |path: &PathBuf| path.extension().is_some_and(|it| it == "toml");
        let name = plugin.file_name().unwrap().to_string_lossy().into_owned();
        (name, fixtures.into_iter().filter(is_fixture).collect::<Vec<_>>())
    });
    with_fixtures.filter(|(_, fixtures)| !fixtures.is_empty()).collect()
}

#[test]
fn every_subcommand_explains_itself_with_an_example() {
    let listed = well(&["--help"]);
    for command in ["check", "run", "test", "bench", "wit"] {
        assert!(listed.contains(&format!("\n  {command} ")), "{listed}");
        let help = well(&[command, "--help"]);
        assert!(help.contains("Example") && help.contains(&format!("midge plugin {command} ")), "{help}");
    }
}
