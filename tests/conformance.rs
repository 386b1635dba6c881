//! The standard, statement by statement: every test names what it shows, and `conformance/statements.toml` lists what there
//! is to show.

mod disconnect;
mod enhanced;
mod malformed;
mod statements;
mod subscriptions;
