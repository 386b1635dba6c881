//! Connections over TCP to hosts granted in the config, with TLS by the broker where it is asked for.

use std::borrow::Cow;
use std::io::{self, Read, Write};

use super::host;
pub use crate::bindings::imports::midge::plugin::tcp::Error;

/// A connection that stays open between calls for as long as it is kept, and closes when it is dropped.
///
/// It reads and writes like a [`std::net::TcpStream`]: put a [`std::io::BufReader`] around it, or hand it to a client library
/// that takes any stream. Each call waits for the timeout at most. When anything fails, drop it and connect again: the other side
/// may have closed it long ago.
pub struct Stream {
    connection: host::tcp::Connection,
    timeout_ms: u32,
}

impl Stream {
    /// Connects to a host, by name or address, and port. `timeout_ms` is for this and for each call that follows; 0: all the time
    /// that the hook has left, and with it the instance.
    ///
    /// # Errors
    /// When the config does not grant it, nobody answers in time, or there are too many connections.
    pub fn connect(host: &str, port: u16, timeout_ms: u32) -> Result<Self, Error> {
        Ok(Self { connection: host::tcp::connect(host, port, timeout_ms)?, timeout_ms })
    }

    /// Connects and goes on with TLS; the certificate must be good for `host`.
    ///
    /// # Errors
    /// As [`Self::connect`] and [`Self::secure`].
    pub fn connect_tls(host: &str, port: u16, timeout_ms: u32) -> Result<Self, Error> {
        let stream = Self::connect(host, port, timeout_ms)?;
        stream.secure(None)?;
        Ok(stream)
    }

    /// Goes on with TLS, where the protocol says so (STARTTLS). The certificate must be good for `server_name`; none: the host.
    ///
    /// # Errors
    /// When the server's certificate or the handshake failed. The connection is closed then.
    pub fn secure(&self, server_name: Option<&str>) -> Result<(), Error> {
        self.connection.secure(server_name, self.timeout_ms)
    }

    /// Waits this long in each call from now on; 0: all the time that the hook has left.
    pub fn set_timeout_ms(&mut self, timeout_ms: u32) {
        self.timeout_ms = timeout_ms;
    }

    /// Whether it is worth a try: false once it failed, or the other side is known to have closed it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.connection.is_open()
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let max = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
        let bytes = self.connection.read(max, self.timeout_ms)?;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.connection.write(bytes, self.timeout_ms)?;
        Ok(bytes.len())
    }

    /// Nothing is held back.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::NotGranted(_) => io::ErrorKind::PermissionDenied,
            Error::Timeout => io::ErrorKind::TimedOut,
            Error::Connect(_) => io::ErrorKind::ConnectionRefused,
            Error::Tls(_) => io::ErrorKind::InvalidData,
            Error::Closed => io::ErrorKind::ConnectionAborted,
            Error::Overloaded | Error::Other(_) => io::ErrorKind::Other,
        };
        Self::new(kind, describe(&error).into_owned())
    }
}

/// What went wrong, in words.
#[must_use]
pub fn describe(error: &Error) -> Cow<'_, str> {
    match error {
        Error::NotGranted(line) => format!("not granted: {line}").into(),
        Error::Timeout => "not in time".into(),
        Error::Connect(why) => format!("no connection: {why}").into(),
        Error::Tls(why) => format!("TLS failed: {why}").into(),
        Error::Closed => "the connection is closed".into(),
        Error::Overloaded => "too many connections are open".into(),
        Error::Other(why) => why.as_str().into(),
    }
}
