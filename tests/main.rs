//! End-to-end tests: the real binary, and clients that it knows nothing about.

#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

mod backend;
mod bundled;
mod conformance;
mod contract;
mod durability;
mod enhanced;
mod first_plugin;
mod footprint;
mod generator;
mod hostile;
mod house;
mod interop;
mod life;
mod manual;
mod mqtt;
mod plugin_cli;
mod plugins;
mod pressure;
mod readme;
mod ready;
mod revocation;
mod scopes;
mod scripts;
mod suites;
mod support;
mod swaps;
mod tls;
mod websocket;
