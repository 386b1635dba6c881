//! A connection in an event loop: what could not be written yet, and the beginning of a packet that has not come whole.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::{Arc, Mutex, PoisonError};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

/// One connection that never waits.
pub(crate) struct Link {
    stream: TcpStream,
    /// Bytes that the socket did not take, from `written` on.
    output: Vec<u8>,
    written: usize,
    /// The beginning of a packet.
    tail: Vec<u8>,
    /// Held while writing, where somebody else writes to the same socket.
    writer: Option<Arc<Mutex<()>>>,
}

/// What a read brought.
pub(crate) enum Arrived {
    /// So many bytes are in the buffer, the tail of before included; whether more may be waiting.
    Bytes { filled: usize, read: usize, more: bool },
    /// Nothing for now.
    Nothing,
    /// The end of the stream.
    End,
}

impl Link {
    /// Takes over a connection and asks for its events under this number.
    pub(crate) fn new(mut stream: TcpStream, registry: &Registry, number: usize) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        registry.register(&mut stream, Token(number), Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self { stream, output: Vec::new(), written: 0, tail: Vec::new(), writer: None })
    }

    /// Shares the socket with another writer, who holds the lock while it writes.
    pub(crate) fn share_writing(&mut self) -> Arc<Mutex<()>> {
        Arc::clone(self.writer.get_or_insert_default())
    }

    /// Whether the socket has not yet taken everything.
    pub(crate) fn is_blocked(&self) -> bool {
        self.written < self.output.len()
    }

    /// Bytes that wait for the socket.
    pub(crate) fn waiting(&self) -> usize {
        self.output.len() - self.written
    }

    /// Writes, and keeps what the socket does not take.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut written = 0;
        if !self.is_blocked() {
            let _writing = self.writer.as_ref().map(|writer| writer.lock().unwrap_or_else(PoisonError::into_inner));
            while written < bytes.len() {
                match self.stream.write(&bytes[written..]) {
                    Ok(count) => written += count,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
        self.output.extend_from_slice(&bytes[written..]);
        Ok(())
    }

    /// Writes what waits, as far as the socket takes it.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if self.is_blocked() {
            let mut output = std::mem::take(&mut self.output);
            let start = std::mem::take(&mut self.written);
            self.send(&output[start..])?;
            if self.output.is_empty() {
                output.clear();
                self.output = output;
            }
        }
        Ok(())
    }

    /// Reads once. The buffer grows where a packet is larger.
    pub(crate) fn read(&mut self, buffer: &mut Vec<u8>) -> io::Result<Arrived> {
        let start = self.tail.len();
        if buffer.len() < start * 2 {
            buffer.resize(start * 2, 0);
        }
        let read = loop {
            match self.stream.read(&mut buffer[start..]) {
                Ok(0) => return Ok(Arrived::End),
                Ok(read) => break read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Arrived::Nothing),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        };
        buffer[..start].copy_from_slice(&self.tail);
        self.tail.clear();
        let filled = start + read;
        Ok(Arrived::Bytes { filled, read, more: filled == buffer.len() })
    }

    /// Keeps the beginning of a packet until the rest is there.
    pub(crate) fn keep(&mut self, tail: &[u8]) {
        self.tail.extend_from_slice(tail);
    }

    /// Ends both directions.
    pub(crate) fn hang_up(&self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}
