//! Runs Midge plugins in tests: a real component in the real host, in a world that the test writes.
//!
//! ```no_run
//! use midge_plugin_test::{Plugin, login};
//! use serde_json::json;
//!
//! let mut plugin = Plugin::load("target/plugins/password-file.wasm")
//!     .config(json!({ "file": "users" }))
//!     .file("users", "alice:$2b$05$…");
//! plugin.authenticate(login("alice", "secret")).assert_allow();
//! plugin.authenticate(login("alice", "wrong")).assert_deny().assert_logged("wrong password");
//! ```
//!
//! A plugin is granted what it would be in a broker, and nothing else: [`Plugin::allow`]. What is outside of it is the test's:
//! files, secrets, stores, HTTP services, the clock, chance. What it did comes with each [`Answer`]: what it said, logged,
//! published, ordered and asked.
//!
//! Inputs are JSON in the words of the contract (`wit/`); README.md beside this says how they are written. [`Fixture`] runs tests
//! that are written in TOML, as `midge plugin test` does.

/// The manual's example is compiled with the documentation's.
#[cfg(doctest)]
#[doc = include_str!("../../../plugins/testing.md")]
struct Manual;

mod answer;
mod fixture;
mod hooks;
mod plugin;
mod world;

pub use answer::{Answer, Disconnection, Redirected, message_json};
pub use fixture::{Fixture, FixtureError, Mismatch, TestOutcome};
pub use hooks::login;
pub use plugin::{Error, Plugin};
pub use world::Served;
