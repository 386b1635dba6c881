//! One open connection of an instance.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BufMut;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::{Dialer, Failure};

/// A connection, as a guest holds it. Dropping it closes it and gives its place back.
#[allow(unreachable_pub, reason = "the generated bindings re-export it under a public name")]
pub struct Connection {
    /// None once it failed.
    stream: Option<Stream>,
    /// The host's name or address, as a certificate has it.
    host: String,
    dialer: Arc<Dialer>,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, host: String, dialer: Arc<Dialer>, place: OwnedSemaphorePermit) -> Self {
        Self { stream: Some(Stream::Plain(stream)), host, dialer, _place: place }
    }

    /// Goes on with TLS.
    pub(super) async fn secure(&mut self, server_name: Option<String>, patience: Duration) -> Result<(), Failure> {
        let name = server_name.unwrap_or_else(|| self.host.clone());
        let name = ServerName::try_from(name).map_err(|error| Failure::Other(format!("the server name: {error}")))?;
        let stream = match self.stream.take() {
            None => return Err(Failure::Closed),
            Some(Stream::Plain(stream)) => stream,
            secure @ Some(Stream::Tls(_)) => {
                self.stream = secure;
                return Err(Failure::Other("the connection has TLS already".to_owned()));
            }
        };
        match timeout(patience, self.dialer.connector().connect(name, stream)).await {
            Ok(Ok(stream)) => {
                self.stream = Some(Stream::Tls(Box::new(stream)));
                Ok(())
            }
            Ok(Err(error)) => {
                self.dialer.failed();
                Err(Failure::Tls(error.to_string()))
            }
            Err(_) => {
                self.dialer.failed();
                Err(Failure::Timeout)
            }
        }
    }

    /// What has arrived; nothing at its end.
    pub(super) async fn read(&mut self, max: u32, patience: Duration) -> Result<Vec<u8>, Failure> {
        let stream = self.stream.as_mut().ok_or(Failure::Closed)?;
        let max = usize::try_from(max).unwrap_or(usize::MAX).min(READ_BYTES_MAX);
        if max == 0 {
            return Err(Failure::Other("a read of at most 0 bytes".to_owned()));
        }
        let mut bytes = Vec::with_capacity(max);
        let mut space = (&mut bytes).limit(max);
        match timeout(patience, stream.read_buf(&mut space)).await {
            Ok(Ok(read)) => {
                self.dialer.totals.bytes_read.fetch_add(read as u64, Ordering::Relaxed);
                Ok(bytes)
            }
            Ok(Err(error)) => Err(self.fail(&error)),
            // Nothing was lost: what arrives later is there for the next one.
            Err(_) => Err(Failure::Timeout),
        }
    }

    /// Writes all of it.
    pub(super) async fn write(&mut self, bytes: &[u8], patience: Duration) -> Result<(), Failure> {
        let stream = self.stream.as_mut().ok_or(Failure::Closed)?;
        let written = async {
            stream.write_all(bytes).await?;
            stream.flush().await
        };
        match timeout(patience, written).await {
            Ok(Ok(())) => {
                self.dialer.totals.bytes_written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                Ok(())
            }
            Ok(Err(error)) => Err(self.fail(&error)),
            Err(_) => {
                self.stream = None;
                self.dialer.failed();
                Err(Failure::Timeout)
            }
        }
    }

    /// Whether neither side is known to have closed it.
    pub(super) fn is_open(&self) -> bool {
        let socket = match &self.stream {
            None => return false,
            Some(Stream::Plain(stream)) => stream,
            Some(Stream::Tls(stream)) => stream.get_ref().0,
        };
        let mut byte = [0];
        let mut context = Context::from_waker(Waker::noop());
        match socket.poll_peek(&mut context, &mut ReadBuf::new(&mut byte)) {
            Poll::Pending => true,
            Poll::Ready(Ok(peeked)) => peeked > 0,
            Poll::Ready(Err(_)) => false,
        }
    }

    #[cfg(test)]
    pub(super) fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    fn fail(&mut self, error: &io::Error) -> Failure {
        self.stream = None;
        self.dialer.failed();
        match error.kind() {
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected
            | io::ErrorKind::WriteZero
            | io::ErrorKind::UnexpectedEof => Failure::Closed,
            _ => Failure::Other(error.to_string()),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Without TLS closing the socket says it all.
        if let Some(Stream::Tls(mut stream)) = self.stream.take() {
            self.dialer.runtime.spawn(async move {
                // Who does not listen to a goodbye gets none.
                let _ = timeout(GOODBYE_MAX, stream.shutdown()).await;
            });
        }
    }
}

/// With TLS or without.
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

/// Bytes of one read. The contract names it.
const READ_BYTES_MAX: usize = 65_536;
/// How long the goodbye of TLS may take.
const GOODBYE_MAX: Duration = Duration::from_secs(1);
