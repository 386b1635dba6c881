//! MQTT over WebSocket (chapter 6): the HTTP upgrade, then a byte stream of binary frames.
//!
//! A packet may span frames and a frame may hold several packets [MQTT-6.0.0-2], so above this file there are only
//! bytes. Towards the client everything written between two flushes is one frame.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

mod upgrade;

pub(crate) use upgrade::HttpRequest;

/// The server's side of the HTTP upgrade on `stream`, for clients that ask for `path`. A message (all frames of it) may
/// have at most `message_bytes_max` bytes.
///
/// # Errors
/// The client asked for something else, and was told so with 400 or 404, or it went away.
pub(crate) async fn accept<S>(
    stream: S,
    path: &str,
    message_bytes_max: usize,
) -> io::Result<(WebSocket<S>, HttpRequest)>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (inner, request) = upgrade::accept(stream, path, configuration(message_bytes_max)).await.map_err(in_io)?;
    Ok((WebSocket { inner, received: Bytes::new(), written: Vec::new(), refusal: Refusal::None }, request))
}

/// Small buffers: most connections are idle, and messages are coalesced here anyway.
fn configuration(message_bytes_max: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4 * 1024)
        .write_buffer_size(0)
        .max_message_size(Some(message_bytes_max))
        .max_frame_size(Some(message_bytes_max))
}

/// The bytes inside the binary frames of a WebSocket.
pub(crate) struct WebSocket<S> {
    inner: WebSocketStream<S>,
    /// The rest of the message that is being read.
    received: Bytes,
    /// What was written since the last frame.
    written: Vec<u8>,
    refusal: Refusal,
}

/// How far the broker is with sending away a client that broke the rules of MQTT over WebSocket.
enum Refusal {
    /// It broke none.
    None,
    /// The close frame is on its way; then its reader is told the error.
    Sending(io::Error),
    /// What still arrives has no meaning.
    Sent,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Reads messages until there are bytes; `false` is the end.
    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        while self.received.is_empty() {
            if let Refusal::Sending(_) = self.refusal {
                ready!(Pin::new(&mut self.inner).poll_flush(context)).map_err(in_io)?;
                if let Refusal::Sending(error) = std::mem::replace(&mut self.refusal, Refusal::Sent) {
                    return Poll::Ready(Err(error));
                }
            }
            match ready!(Pin::new(&mut self.inner).poll_next(context)) {
                Some(Ok(Message::Binary(_) | Message::Text(_))) if matches!(self.refusal, Refusal::Sent) => {}
                Some(Ok(Message::Binary(bytes))) => self.received = bytes,
                Some(Ok(Message::Text(_))) => self.refuse(CloseCode::Unsupported, not_binary())?,
                // The library answers a Ping or a Close with the next read or write.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_))) => {}
                Some(Err(Error::Capacity(error))) => {
                    self.refuse(CloseCode::Size, io::Error::new(io::ErrorKind::InvalidData, error))?;
                }
                Some(Err(error)) => return Poll::Ready(Err(in_io(error))),
                None => return Poll::Ready(Ok(false)),
            }
        }
        Poll::Ready(Ok(true))
    }

    /// Queues a close frame with `code`; the reader is told `error` when it is sent.
    fn refuse(&mut self, code: CloseCode, error: io::Error) -> io::Result<()> {
        let close = CloseFrame { code, reason: "MQTT is in binary frames of bounded size".into() };
        Pin::new(&mut self.inner).start_send(Message::Close(Some(close))).map_err(in_io)?;
        self.refusal = Refusal::Sending(error);
        Ok(())
    }

    /// Makes a frame of everything written so far.
    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.written.is_empty() {
            return Poll::Ready(Ok(()));
        }
        ready!(Pin::new(&mut self.inner).poll_ready(context)).map_err(in_io)?;
        let frame = Message::Binary(std::mem::take(&mut self.written).into());
        Poll::Ready(Pin::new(&mut self.inner).start_send(frame).map_err(in_io))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebSocket<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if ready!(this.poll_message(context))? {
            let length = this.received.len().min(buffer.remaining());
            buffer.put_slice(&this.received[..length]);
            this.received.advance(length);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WebSocket<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.written.len() >= FRAME_BYTES_MAX {
            ready!(this.poll_frame(context))?;
        }
        let length = bytes.len().min(FRAME_BYTES_MAX - this.written.len());
        this.written.extend_from_slice(&bytes[..length]);
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_frame(context))?;
        Pin::new(&mut this.inner).poll_flush(context).map_err(in_io)
    }

    /// Sends what is left and a close frame; the client's answer to it arrives as the end of what is read.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_frame(context))?;
        Pin::new(&mut this.inner).poll_close(context).map_err(in_io)
    }
}

/// [MQTT-6.0.0-1]: any other frame than binary closes the Network Connection.
fn not_binary() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a text frame arrived, MQTT is in binary frames [MQTT-6.0.0-1]")
}

fn in_io(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        Error::ConnectionClosed | Error::AlreadyClosed => io::ErrorKind::BrokenPipe.into(),
        error => io::Error::new(io::ErrorKind::InvalidData, error),
    }
}

/// The largest frame sent: as much as an outbox hands over at once.
const FRAME_BYTES_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests;
