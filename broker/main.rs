//! Midge.
fn main() {}
