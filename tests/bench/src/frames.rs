//! Packets counted without being decoded: the generator trusts the broker it measures.

use std::io::{self, Read};

/// One packet: its first byte, and what follows the Remaining Length.
pub(crate) struct Frame<'a> {
    pub(crate) first_byte: u8,
    pub(crate) contents: &'a [u8],
}

impl Frame<'_> {
    /// The packet type (MQTT 2.1.2).
    pub(crate) fn kind(&self) -> u8 {
        self.first_byte >> 4
    }

    /// The QoS of a PUBLISH.
    pub(crate) fn qos(&self) -> u8 {
        (self.first_byte >> 1) & 0b11
    }

    /// The Packet Identifier of anything that begins with it.
    pub(crate) fn leading_id(&self) -> Option<[u8; 2]> {
        self.contents.first_chunk().copied()
    }

    /// The Packet Identifier of a PUBLISH above QoS 0.
    pub(crate) fn publish_id(&self) -> Option<[u8; 2]> {
        let topic = usize::from(u16::from_be_bytes(self.leading_id()?));
        self.contents.get(topic + 2..)?.first_chunk().copied()
    }
}

pub(crate) const PUBLISH: u8 = 3;
pub(crate) const PUBACK: u8 = 4;
pub(crate) const PUBREC: u8 = 5;
pub(crate) const PUBREL: u8 = 6;
pub(crate) const PUBCOMP: u8 = 7;

/// The bytes that have arrived on a connection and were not yet counted.
pub(crate) struct Inbox {
    buffer: Vec<u8>,
    filled: usize,
}

impl Inbox {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { buffer: vec![0; bytes], filled: 0 }
    }

    /// Waits for bytes, then shows every whole packet among them. False at the end of the stream.
    pub(crate) fn read(&mut self, stream: &mut impl Read, mut each: impl FnMut(Frame<'_>)) -> io::Result<bool> {
        let read = stream.read(&mut self.buffer[self.filled..])?;
        if read == 0 {
            return Ok(false);
        }
        self.filled += read;
        let mut done = 0;
        while let Some((frame, length)) = split(&self.buffer[done..self.filled]) {
            each(frame);
            done += length;
        }
        self.buffer.copy_within(done..self.filled, 0);
        self.filled -= done;
        if self.filled == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        Ok(true)
    }
}

/// The packet at the start of the bytes, if all of it is there, and its length.
pub(crate) fn split(bytes: &[u8]) -> Option<(Frame<'_>, usize)> {
    let (first_byte, rest) = bytes.split_first()?;
    let mut length = 0;
    for (place, byte) in rest.iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7F) << (7 * place);
        if byte & 0x80 == 0 {
            let contents = rest.get(place + 1..place + 1 + length)?;
            return Some((Frame { first_byte: *first_byte, contents }, place + 2 + length));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_however_the_bytes_are_cut() {
        let long = [&[0x32, 0xAC, 0x02][..], &[0, 1, b'a', 0x12, 0x34], &[7; 295]].concat();
        let stream = [&[0xD0, 0][..], &long, &[0x40, 2, 0, 9]].concat();
        for size in [1, 2, 3, 100, 1000] {
            let mut inbox = Inbox::new(4);
            let mut found = Vec::new();
            for mut part in stream.chunks(size) {
                while !part.is_empty() {
                    let more = inbox.read(&mut part, |frame| {
                        found.push((frame.kind(), frame.contents.len(), frame.publish_id()));
                    });
                    assert!(more.expect("a slice can be read"));
                }
            }
            assert_eq!(found.len(), 3, "in parts of {size}");
            assert_eq!(found[1], (PUBLISH, 300, Some([0x12, 0x34])));
            assert_eq!((found[0].0, found[2].0), (13, PUBACK));
        }
    }
}
