//! `midge plugin`: what an author sees, with the real binary.

mod wit;

use std::process::Output;

use crate::support::Server;

/// Runs `midge plugin …` to its end.
fn plugin(arguments: &[&str]) -> Output {
    let mut all = vec!["plugin"];
    all.extend(arguments);
    Server::output(&all)
}

/// What a run that went well printed.
fn well(arguments: &[&str]) -> String {
    let output = plugin(arguments);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "midge plugin {arguments:?}:\n{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}
