//! Midge's sockets, tasks, files and configuration.
//!
//! [`run`] is the broker: it reads top to bottom what a start, a life and a stop consist of. Between them a connection
//! is accepted by `listener`, let in by `handshake`, and driven by `driver`, which asks `hooks` and tells the core.

mod admin;
mod backlog;
mod banner;
mod clock;
pub mod config;
mod driver;
mod drops;
mod ending;
mod error;
mod handshake;
mod hooks;
mod keeper;
mod listener;
pub mod logging;
mod memory;
mod metrics;
mod node;
mod outside;
mod redirects;
mod reload;
mod revocations;
mod runtime;
mod shutdown;
mod slowed;
mod start;
mod storage;
mod swap;
mod sys;
mod timers;
mod transport;

pub use error::RunError;
pub use start::{Start, check, run};
