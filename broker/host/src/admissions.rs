//! What was said about addresses, for as long as it may be said again.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use parking_lot::Mutex;

use crate::contract::ReuseStatus;

/// What all plugins together said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Admission {
    pub(crate) admit: bool,
}

/// Answers by listener and address. Bounded: when the younger half is full it becomes the older one, and what that held is
/// forgotten.
#[derive(Debug)]
pub(crate) struct Admissions {
    ttl_max: Duration,
    half_max: usize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    younger: Half,
    older: Half,
    hits: u64,
    misses: u64,
}

type Half = HashMap<(Box<str>, IpAddr), (Admission, Instant)>;

impl Admissions {
    pub(crate) fn new(ttl_max: Duration, size_max: u64) -> Self {
        let half_max = usize::try_from(size_max.div_ceil(2)).unwrap_or(usize::MAX);
        Self { ttl_max, half_max, table: Mutex::default() }
    }

    /// What was said, if it still holds.
    pub(crate) fn find(&self, listener: &str, address: IpAddr, now: Instant) -> Option<Admission> {
        let mut table = self.table.lock();
        let key = Key { listener, address };
        let found = table.younger.get(&key).or_else(|| table.older.get(&key));
        let found = found.filter(|(_, until)| now < *until).map(|(admission, _)| *admission);
        *(if found.is_some() { &mut table.hits } else { &mut table.misses }) += 1;
        found
    }

    pub(crate) fn status(&self) -> ReuseStatus {
        let table = self.table.lock();
        ReuseStatus { hits: table.hits, misses: table.misses, size: (table.younger.len() + table.older.len()) as u64 }
    }

    /// Keeps an answer for as long as `ttl` and the operator allow.
    pub(crate) fn keep(&self, listener: &str, address: IpAddr, admission: Admission, ttl: Duration) {
        let ttl = ttl.min(self.ttl_max);
        if ttl.is_zero() || self.half_max == 0 {
            return;
        }
        let mut table = self.table.lock();
        if table.younger.len() >= self.half_max {
            table.older = std::mem::take(&mut table.younger);
        }
        table.older.remove(&Key { listener, address });
        table.younger.insert((listener.into(), address), (admission, Instant::now() + ttl));
    }
}

/// To look with, without a text of its own.
#[derive(Hash)]
struct Key<'a> {
    listener: &'a str,
    address: IpAddr,
}

impl hashbrown::Equivalent<(Box<str>, IpAddr)> for Key<'_> {
    fn equivalent(&self, key: &(Box<str>, IpAddr)) -> bool {
        *self.listener == *key.0 && self.address == key.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YES: Admission = Admission { admit: true };

    #[test]
    fn an_answer_holds_for_its_listener_and_address_and_its_time() {
        let admissions = Admissions::new(Duration::from_secs(60), 10);
        let (here, there): (IpAddr, IpAddr) = ([127, 0, 0, 1].into(), [10, 0, 0, 1].into());
        admissions.keep("a", here, YES, Duration::MAX);
        let now = Instant::now();
        assert_eq!(admissions.find("a", here, now), Some(YES));
        assert_eq!((admissions.find("b", here, now), admissions.find("a", there, now)), (None, None));
        assert_eq!(admissions.find("a", here, now + Duration::from_secs(61)), None, "the operator's longest time");
        admissions.keep("a", there, YES, Duration::ZERO);
        assert_eq!(admissions.find("a", there, now), None);
    }

    #[test]
    fn the_table_is_bounded() {
        let admissions = Admissions::new(Duration::from_secs(60), 10);
        for last in 0..=255 {
            admissions.keep("a", [10, 0, 0, last].into(), YES, Duration::MAX);
        }
        let table = admissions.table.lock();
        assert!(table.younger.len() + table.older.len() <= 10);
    }
}
