//! Bytes in their order: most of them copied together, large payloads shared with whoever else is sent them.

use std::collections::VecDeque;

use bytes::Bytes;

/// Bytes that wait to be written, or are being written.
#[derive(Debug, Default)]
pub(super) struct Rope {
    copied: Vec<u8>,
    /// How much of `copied` was written.
    start: usize,
    /// Mostly none, and then without memory.
    shared: Option<Box<SharedParts>>,
}

/// What stands between the copied bytes.
#[derive(Debug, Default)]
struct SharedParts {
    parts: VecDeque<Shared>,
    /// The sum of their lengths.
    length: usize,
}

#[derive(Debug)]
struct Shared {
    /// How many of the copied bytes come before it.
    at: usize,
    bytes: Bytes,
}

impl Rope {
    pub(super) fn len(&self) -> usize {
        self.copied.len() - self.start + self.shared.as_ref().map_or(0, |shared| shared.length)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.copied.len() == self.start && self.shared.is_none()
    }

    /// Where bytes are appended by copying them.
    pub(super) fn copied(&mut self) -> &mut Vec<u8> {
        &mut self.copied
    }

    /// Appends bytes without copying them.
    pub(super) fn share(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        let shared = self.shared.get_or_insert_default();
        shared.length += bytes.len();
        shared.parts.push_back(Shared { at: self.copied.len(), bytes });
    }

    /// The runs of bytes, none of them empty.
    pub(super) fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let shared = self.shared.iter().flat_map(|shared| &shared.parts);
        let mut from = self.start;
        let pairs = shared.flat_map(move |part| {
            let before = &self.copied[std::mem::replace(&mut from, part.at)..part.at];
            [before, &part.bytes]
        });
        let last = self.shared.as_ref().and_then(|shared| shared.parts.back()).map_or(self.start, |part| part.at);
        pairs.chain([&self.copied[last..]]).filter(|part| !part.is_empty())
    }

    /// Drops so many bytes from the front.
    pub(super) fn advance(&mut self, mut count: usize) {
        while let Some(shared) = &mut self.shared {
            let Some(part) = shared.parts.front_mut() else { break };
            let before = count.min(part.at - self.start);
            self.start += before;
            count -= before;
            let taken = count.min(part.bytes.len());
            if count == 0 || self.start < part.at {
                return;
            }
            count -= taken;
            shared.length -= taken;
            if taken < part.bytes.len() {
                let _ = part.bytes.split_to(taken);
                return;
            }
            shared.parts.pop_front();
            self.shared.take_if(|shared| shared.parts.is_empty());
        }
        self.start += count;
    }

    /// Appends what is left of another rope, which loses its shared parts.
    pub(super) fn append(&mut self, other: &mut Self) {
        if self.start > self.copied.len() / 2 {
            self.copied.drain(..self.start);
            let gone = std::mem::take(&mut self.start);
            self.shared.iter_mut().flat_map(|shared| &mut shared.parts).for_each(|part| part.at -= gone);
        }
        let shift = self.copied.len();
        self.copied.extend_from_slice(&other.copied[other.start..]);
        if let Some(others) = other.shared.take() {
            let shared = self.shared.get_or_insert_default();
            shared.length += others.length;
            let start = other.start;
            let moved = |part: Shared| Shared { at: part.at - start + shift, ..part };
            shared.parts.extend(others.parts.into_iter().map(moved));
        }
    }

    /// Forgets everything, but keeps the buffer of the copied bytes.
    pub(super) fn clear(&mut self) {
        self.copied.clear();
        self.start = 0;
        self.shared = None;
    }

    /// Empty, with room for so many copied bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { copied: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// For how many copied bytes there is room.
    pub(super) fn capacity(&self) -> usize {
        self.copied.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rope(parts: &[(&str, &'static str)]) -> Rope {
        let mut rope = Rope::default();
        for (copied, shared) in parts {
            rope.copied().extend_from_slice(copied.as_bytes());
            rope.share(Bytes::from_static(shared.as_bytes()));
        }
        rope
    }

    fn text(rope: &Rope) -> String {
        let bytes: Vec<u8> = rope.parts().flatten().copied().collect();
        assert_eq!(bytes.len(), rope.len());
        assert_eq!(bytes.is_empty(), rope.is_empty());
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[test]
    fn bytes_keep_their_order_wherever_writing_stops() {
        let all = "onetwothreefourfive";
        for written in 0..=all.len() {
            for more in 0..=all.len() - written {
                let mut rope = rope(&[("one", "two"), ("", "three"), ("four", ""), ("five", "")]);
                rope.advance(written);
                assert_eq!(text(&rope), all[written..]);
                rope.advance(more);
                assert_eq!(text(&rope), all[written + more..]);
            }
        }
    }

    #[test]
    fn what_came_later_stands_behind_what_was_not_written() {
        for first in 0..=9 {
            for second in 0..=9 {
                let (mut left, mut later) =
                    (rope(&[("abc", "DEF"), ("ghi", "")]), rope(&[("123", "456"), ("789", "")]));
                left.advance(first);
                later.advance(second);
                left.append(&mut later);
                assert_eq!(text(&left), "abcDEFghi"[first..].to_owned() + &"123456789"[second..]);
            }
        }
    }

    #[test]
    fn what_is_shared_is_let_go_when_it_is_written() {
        let mut rope = rope(&[("a", "bc")]);
        rope.advance(3);
        assert!(rope.shared.is_none() && rope.is_empty());
    }
}
