//! End-to-end tests: the real binary, and clients that it knows nothing about.

mod house;
mod interop;
mod life;
mod mqtt;
mod plugins;
mod readme;
mod support;
mod tls;
mod websocket;
