//! The client's side of a WebSocket, as little of it as a test needs, so that it can also do everything wrong.

use std::io::{self, Read, Write};
use std::time::Duration;

use super::PATIENCE;
use super::stream::Stream;

/// The bytes inside binary frames.
pub(crate) struct WebSocket<S> {
    stream: S,
    received: Vec<u8>,
    /// The code of the broker's close frame.
    pub(crate) closed: Option<u16>,
}

/// What the upgrade asks for; the defaults are right.
pub(crate) struct Upgrade<'a> {
    pub(crate) path: &'a str,
    pub(crate) subprotocol: Option<&'a str>,
}

impl Default for Upgrade<'_> {
    fn default() -> Self {
        Self { path: "/mqtt", subprotocol: Some("mqtt") }
    }
}

impl<S: Stream> WebSocket<S> {
    /// Asks for a WebSocket; `Err` is the answer, if it is not one.
    pub(crate) fn open(mut stream: S, upgrade: &Upgrade<'_>) -> Result<Self, String> {
        let subprotocol = upgrade.subprotocol.map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n"));
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{}\r\n",
            upgrade.path,
            subprotocol.unwrap_or_default(),
        );
        stream.set_patience(PATIENCE);
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).map_err(|error| error.to_string())?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        // The answer to this key is the example of RFC 6455, section 1.3.
        if head.starts_with("HTTP/1.1 101") && head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") {
            let echoed =
                head.to_lowercase().contains(&format!("sec-websocket-protocol: {}", upgrade.subprotocol.unwrap()));
            assert!(echoed, "the subprotocol is not echoed: {head}");
            return Ok(Self { stream, received: Vec::new(), closed: None });
        }
        Err(head)
    }

    /// Sends one frame, masked with zeros.
    pub(crate) fn frame(&mut self, opcode: u8, payload: &[u8]) -> io::Result<()> {
        let mut frame = vec![0x80 | opcode];
        match payload.len() {
            length @ 0..126 => frame.push(0x80 | length as u8),
            length @ 126..65536 => {
                frame.push(0x80 | 126);
                frame.extend((length as u16).to_be_bytes());
            }
            length => {
                frame.push(0x80 | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        self.stream.write_all(&frame)
    }

    /// Reads one frame: its opcode and payload.
    pub(crate) fn read_frame(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head)?;
        assert_eq!(head[1] & 0x80, 0, "a broker does not mask");
        let length = match head[1] {
            126 => {
                let mut length = [0; 2];
                self.stream.read_exact(&mut length)?;
                usize::from(u16::from_be_bytes(length))
            }
            127 => {
                let mut length = [0; 8];
                self.stream.read_exact(&mut length)?;
                usize::try_from(u64::from_be_bytes(length)).unwrap()
            }
            length => usize::from(length),
        };
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload)?;
        Ok((head[0] & 0x0F, payload))
    }
}

impl<S: Stream> Read for WebSocket<S> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        while self.received.is_empty() {
            match self.read_frame()? {
                (BINARY, payload) => self.received = payload,
                (CLOSE, payload) => {
                    self.closed = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                    let _ = self.frame(CLOSE, &payload);
                    return Ok(0);
                }
                (PING | PONG, _) => {}
                (opcode, _) => panic!("a frame with opcode {opcode}"),
            }
        }
        let length = space.len().min(self.received.len());
        space[..length].copy_from_slice(&self.received[..length]);
        self.received.drain(..length);
        Ok(length)
    }
}

impl<S: Stream> Write for WebSocket<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.frame(BINARY, bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl<S: Stream> Stream for WebSocket<S> {
    fn set_patience(&mut self, patience: Duration) {
        self.stream.set_patience(patience);
    }
}

/// Opcodes of RFC 6455.
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;
