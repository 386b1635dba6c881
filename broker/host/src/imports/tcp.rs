//! `tcp`: connections to granted hosts and ports, and only at addresses that are granted too, with TLS by the host.
//!
//! A connection is a resource of its instance, so it stays open between calls and ends with the instance, however that
//! ends. What waits is cut to the time that the hook has left.

mod connection;
mod dialer;
#[cfg(test)]
mod tests;

use std::time::Duration;

use wasmtime::component::Resource;

#[allow(unreachable_pub, reason = "the generated bindings re-export it under a public name")]
pub use self::connection::Connection;
pub(super) use self::dialer::Dialer;
use super::PluginState;
use crate::bindings::midge::plugin::tcp::{Error, Host, HostConnection};
use crate::grants::{Denial, Destination, Grants};

/// Why nothing came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Failure {
    NotGranted(Denial),
    Timeout,
    Connect(String),
    Tls(String),
    Closed,
    Overloaded,
    Other(String),
}

impl PluginState {
    /// How long a call may take that asks for so many milliseconds; 0: for all there is.
    fn patience(&self, timeout_ms: u32) -> Duration {
        let left = self.time_left();
        if timeout_ms == 0 { left } else { left.min(Duration::from_millis(timeout_ms.into())) }
    }

    fn connection(&mut self, connection: &Resource<Connection>) -> wasmtime::Result<&mut Connection> {
        Ok(self.table.get_mut(connection)?)
    }
}

impl Host for PluginState {
    async fn connect(
        &mut self,
        host: String,
        port: u16,
        timeout_ms: u32,
    ) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
        let patience = self.patience(timeout_ms);
        let opened = match self.shared.tcp() {
            Some(dialer) if self.connections >= PER_INSTANCE_MAX => Err(dialer.overloaded()),
            Some(dialer) => dialer.connect(&host, port, patience).await,
            None => Err(Failure::of_ungranted(self.shared.grants(), &host, port)),
        };
        match opened {
            Ok(connection) => {
                let connection = self.table.push(connection)?;
                self.connections += 1;
                Ok(Ok(connection))
            }
            Err(failure) => {
                if let Failure::NotGranted(denial) = &failure {
                    self.shared.denied(denial);
                }
                Ok(Err(failure.into()))
            }
        }
    }
}

impl HostConnection for PluginState {
    async fn secure(
        &mut self,
        connection: Resource<Connection>,
        server_name: Option<String>,
        timeout_ms: u32,
    ) -> wasmtime::Result<Result<(), Error>> {
        let patience = self.patience(timeout_ms);
        Ok(self.connection(&connection)?.secure(server_name, patience).await.map_err(Error::from))
    }

    async fn read(
        &mut self,
        connection: Resource<Connection>,
        max: u32,
        timeout_ms: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, Error>> {
        let patience = self.patience(timeout_ms);
        Ok(self.connection(&connection)?.read(max, patience).await.map_err(Error::from))
    }

    async fn write(
        &mut self,
        connection: Resource<Connection>,
        bytes: Vec<u8>,
        timeout_ms: u32,
    ) -> wasmtime::Result<Result<(), Error>> {
        let patience = self.patience(timeout_ms);
        Ok(self.connection(&connection)?.write(&bytes, patience).await.map_err(Error::from))
    }

    fn is_open(&mut self, connection: Resource<Connection>) -> wasmtime::Result<bool> {
        Ok(self.connection(&connection)?.is_open())
    }

    fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        self.connections = self.connections.saturating_sub(1);
        Ok(())
    }
}

impl Failure {
    /// The failure of a plugin that is granted no connection at all.
    fn of_ungranted(grants: &Grants, host: &str, port: u16) -> Self {
        match Destination::of(host, port).map(|asked| grants.tcp(&asked)) {
            Some(Err(denial)) => Self::NotGranted(denial),
            Some(Ok(())) => Self::Other("no TCP connections".to_owned()),
            None => Self::no_host(host),
        }
    }

    fn no_host(host: &str) -> Self {
        Self::Other(format!("{host:?} is neither a host name nor an address"))
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NotGranted(denial) => Self::NotGranted(denial.to_string()),
            Failure::Timeout => Self::Timeout,
            Failure::Connect(words) => Self::Connect(words),
            Failure::Tls(words) => Self::Tls(words),
            Failure::Closed => Self::Closed,
            Failure::Overloaded => Self::Overloaded,
            Failure::Other(words) => Self::Other(words),
        }
    }
}

/// Connections that one instance may have open. The contract names it.
pub(super) const PER_INSTANCE_MAX: usize = 32;
