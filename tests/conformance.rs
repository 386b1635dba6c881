//! The standard, statement by statement: every test names what it shows, and `conformance/statements.toml` lists what there
//! is to show.

mod connack;
mod connect;
mod data;
mod delivery;
mod disconnect;
mod enhanced;
mod errors;
mod format;
mod malformed;
mod publish;
mod statements;
mod subscriptions;
