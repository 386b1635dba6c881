//! What was read from a client and not carried out.

use std::ops::Deref;

/// The start of a packet, or packets behind one that waits. It holds no memory while it is empty, and a connection that
/// has nothing unread pays one pointer for it.
#[derive(Default)]
pub(crate) struct Unread(Option<Kept>);

/// A vector is three words, and nearly every connection has none.
type Kept = Box<Vec<u8>>;

impl Unread {
    /// Puts what has arrived behind what is there.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.0.get_or_insert_default().extend_from_slice(bytes);
        }
    }

    /// Drops the first bytes, which were carried out. What large packets needed is not kept for small ones.
    pub(crate) fn consume(&mut self, count: usize) {
        let Some(kept) = &mut self.0 else { return };
        if count >= kept.len() {
            self.0 = None;
            return;
        }
        kept.drain(..count);
        if kept.capacity() > CAPACITY_KEPT_MAX && kept.len() < kept.capacity() / 4 {
            kept.shrink_to_fit();
        }
    }
}

impl Deref for Unread {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }
}

impl From<Vec<u8>> for Unread {
    fn from(bytes: Vec<u8>) -> Self {
        Self((!bytes.is_empty()).then(|| Box::new(bytes)))
    }
}

/// A buffer up to this size stays as it is while there is anything in it.
const CAPACITY_KEPT_MAX: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_carried_out_is_dropped_from_the_front() {
        let mut unread = Unread::from(b"one".to_vec());
        unread.append(b", two");
        unread.consume(5);
        assert_eq!(&*unread, b"two");
    }

    #[test]
    fn nothing_unread_is_no_memory() {
        let mut unread = Unread::default();
        unread.append(b"");
        assert!(unread.0.is_none());
        unread.append(b"packet");
        unread.consume(6);
        assert!(unread.0.is_none());
        assert!(Unread::from(Vec::with_capacity(100)).0.is_none());
    }

    #[test]
    fn a_large_packet_leaves_no_large_buffer() {
        let mut unread = Unread::from(vec![0; 1 << 20]);
        unread.consume((1 << 20) - 1);
        assert_eq!(unread.len(), 1);
        assert!(unread.0.is_some_and(|kept| kept.capacity() <= CAPACITY_KEPT_MAX));
    }
}
