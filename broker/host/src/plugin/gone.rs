//! Identities that are gone, for every instance to hear of.
//!
//! Each instance may have cached something under an identity's number, so each must be told. Telling all of them at
//! once would mean waiting for busy ones; instead an instance catches up before its next call.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// A list that grows at one end and forgets at the other.
#[derive(Debug, Default)]
pub(crate) struct GoneIdentities {
    list: Mutex<List>,
    /// Where the list ends. Read without the lock before every call, and mostly nothing has come since.
    end: AtomicU64,
}

impl GoneIdentities {
    /// Notes that an identity is gone.
    pub(crate) fn push(&self, id: u64) {
        let mut list = self.list.lock();
        if list.ids.len() == KEPT {
            list.ids.pop_front();
            list.forgotten += 1;
        }
        list.ids.push_back(id);
        self.end.store(list.end(), Ordering::Release);
    }

    /// Where the list ends: what a new instance has read up to.
    pub(crate) fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    /// What came after `read`, and moves `read` on. `None`: too much was missed; the instance must be replaced.
    pub(crate) fn after(&self, read: &mut u64) -> Option<Vec<u64>> {
        if *read == self.end() {
            return Some(Vec::new());
        }
        let list = self.list.lock();
        let missed = usize::try_from(read.checked_sub(list.forgotten)?).ok()?;
        let ids: Vec<u64> = list.ids.range(missed.min(list.ids.len())..).copied().collect();
        *read = list.end();
        Some(ids)
    }
}

#[derive(Debug, Default)]
struct List {
    ids: VecDeque<u64>,
    forgotten: u64,
}

impl List {
    fn end(&self) -> u64 {
        self.forgotten + self.ids.len() as u64
    }
}

/// An instance that lags further behind is replaced, which costs less than catching up.
const KEPT: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reader_hears_of_each_identity_once() {
        let gone = GoneIdentities::default();
        let mut read = gone.end();
        gone.push(7);
        gone.push(8);
        assert_eq!(gone.after(&mut read), Some(vec![7, 8]));
        assert_eq!(gone.after(&mut read), Some(vec![]));
        gone.push(9);
        assert_eq!(gone.after(&mut read), Some(vec![9]));
    }

    #[test]
    fn a_reader_that_lags_too_far_behind_is_told() {
        let gone = GoneIdentities::default();
        let mut read = gone.end();
        for id in 0..=KEPT as u64 {
            gone.push(id);
        }
        assert_eq!(gone.after(&mut read), None);
    }
}
