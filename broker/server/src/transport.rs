//! The byte stream under a Network Connection: plain TCP, TLS, WebSocket, or WebSocket in TLS.
//!
//! A stream is split for two kinds of user. [`Owned`] belongs to the one task that drives the connection; it polls.
//! [`Writer`] is shared with every other task that has something for this client; it only ever tries, and never
//! registers a waker, so that the wake-ups of the socket are always the owner's. Bytes can be written by others only
//! into plain TCP: TLS and WebSocket have state between two writes, which stays with the owner.
//!
//! Nothing here buffers for plain TCP; an idle connection costs the socket and 16 bytes.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

pub(crate) mod tls;
pub(crate) mod websocket;

/// An accepted stream whose handshakes below MQTT are done.
pub(crate) enum Transport {
    /// MQTT packets directly in TCP.
    Tcp(TcpStream),
    /// MQTT packets in TLS, WebSocket frames, or both.
    Layered(Box<dyn Layer>),
}

/// A stream with state of its own between the socket and MQTT.
pub(crate) trait Layer: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Layer for T {}

impl Transport {
    /// The part that the connection's task drives, and the part that anyone may try to write with.
    pub(crate) fn split(self) -> (Owned, Writer) {
        match self {
            Self::Tcp(stream) => {
                let (read, write) = stream.into_split();
                (Owned::Tcp(read), Writer(Some(write)))
            }
            Self::Layered(stream) => (Owned::Layered(stream), Writer(None)),
        }
    }
}

/// The part of a stream that belongs to the connection's task: reads, waits until it can write, closes.
pub(crate) enum Owned {
    /// Holds the socket whole; its writes go through the same socket as [`Writer`]'s.
    Tcp(OwnedReadHalf),
    /// Everything there is of the stream.
    Layered(Box<dyn Layer>),
}

impl Owned {
    /// Reads what is there; nothing added to `buffer` is the end of the stream.
    pub(crate) fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(read) => Pin::new(read).poll_read(context, buffer),
            Self::Layered(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }

    /// Writes some of `bytes`, waiting until the stream takes any. On TLS and WebSocket they may stay in the stream
    /// until [`Self::poll_flush`].
    pub(crate) fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(read) => poll_socket(read.as_ref(), context, |socket| socket.try_write(bytes)),
            Self::Layered(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    /// As [`Self::poll_write`], from several places at once where the stream can; else only from the first.
    pub(crate) fn poll_write_vectored(
        &mut self,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(read) => poll_socket(read.as_ref(), context, |socket| socket.try_write_vectored(parts)),
            Self::Layered(stream) => Pin::new(stream).poll_write_vectored(context, parts),
        }
    }

    /// Hands everything written to the operating system.
    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(_) => Poll::Ready(Ok(())),
            Self::Layered(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    /// Flushes, then says that nothing follows: close frame, close_notify, FIN, as far as the stream has them.
    pub(crate) fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(read) => Poll::Ready(SockRef::from(read.as_ref()).shutdown(Shutdown::Write)),
            Self::Layered(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }

    /// After [`Self::poll_shutdown`]: throws away what still arrives until the client closes. A socket closed with
    /// unread bytes is reset, and the reset can overtake the DISCONNECT that says why. The caller bounds the time.
    pub(crate) fn poll_discard(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut space = [0; 1024];
        for _ in 0..DISCARDS_PER_POLL {
            let mut buffer = ReadBuf::new(&mut space);
            match ready!(self.poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                Ok(()) | Err(_) => return Poll::Ready(()),
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Waits with the owner's waker until `write` gets something done.
fn poll_socket(
    socket: &TcpStream,
    context: &mut Context<'_>,
    mut write: impl FnMut(&TcpStream) -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        ready!(socket.poll_write_ready(context))?;
        match write(socket) {
            // The readiness was stale and is cleared now; the next look registers the waker.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return Poll::Ready(result),
        }
    }
}

/// The part of a stream that any task may try to write with. Closing is the owner's business: a dropped writer leaves
/// the stream as it is.
pub(crate) struct Writer(Option<OwnedWriteHalf>);

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(half) = self.0.take() {
            // Unlike dropping it, this does not shut down the sending side, in which the owner may have last words.
            half.forget();
        }
    }
}

impl Writer {
    /// Whether trying can succeed at all; false for TLS and WebSocket, where only the owner writes.
    pub(crate) fn inline_capable(&self) -> bool {
        self.0.is_some()
    }

    /// Writes some of `bytes` if the socket takes them now.
    ///
    /// # Errors
    /// `WouldBlock` where the socket is full or the owner must write; anything else ends the connection.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.socket()?.try_write(bytes)
    }

    /// As [`Self::try_write`], from several places at once.
    ///
    /// # Errors
    /// As [`Self::try_write`].
    pub(crate) fn try_write_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.socket()?.try_write_vectored(parts)
    }

    fn socket(&self) -> io::Result<&TcpStream> {
        self.0.as_ref().map(AsRef::as_ref).ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }
}

/// So many reads, and a flooding client that is being closed gives its worker back.
const DISCARDS_PER_POLL: usize = 32;

#[cfg(test)]
mod tests;
