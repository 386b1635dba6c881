//! Midge's set-up, run, test and bench commands.
fn main() {}
