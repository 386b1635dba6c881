//! Midge's sockets, tasks, files and configuration.

pub mod config;
