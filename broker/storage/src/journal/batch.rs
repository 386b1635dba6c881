//! A batch as the database's journal (its format 3) has it.
//!
//! ```text
//! 1, items: u32, sequence number: u64
//!   2, kind: u8, compression: u8, keyspace: u64, key length: u16, value length: u32, stored length: u32, key, stored value
//!   4, keyspace: u64
//! 3, xxh3 of the items: u64, "FJL" 3
//! ```
//! Numbers are little-endian.

use bytes::{Buf, BufMut};
use midge_core::Time;
use xxhash_rust::xxh3::xxh3_64;

use crate::record::{BadRecord, VERSION, versioned};

/// What a batch begins with.
pub(super) const START: u8 = 1;

const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
/// More than is ever between two batches.
const GAP_MAX: u64 = 1 << 32;
const TRAILER: &[u8] = b"FJL\x03";

/// The key of a [`Marker`], in `meta`. Every commit begins with it.
pub(crate) const MARKER_KEY: &[u8] = b"commit";

/// What every commit says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marker {
    /// Commits are numbered one after the other, over restarts.
    pub(crate) number: u64,
    /// Every commit up to this one was on stable storage before this one was written.
    pub(crate) synced: u64,
    /// When it was made, by a clock that never runs backwards.
    pub(crate) time: Time,
}

impl Marker {
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        for number in [self.number, self.synced, self.time.0] {
            bytes.put_u64(number);
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, BadRecord> {
        let mut bytes = versioned(bytes)?;
        let mut number = || bytes.try_get_u64().map_err(|_| BadRecord::Damaged);
        let marker = Self { number: number()?, synced: number()?, time: Time(number()?) };
        if bytes.is_empty() { Ok(marker) } else { Err(BadRecord::Damaged) }
    }
}

/// A batch that is whole.
pub(super) struct Batch {
    pub(super) length: usize,
    /// Where it stands among all writes of the database. The checksum does not cover it.
    pub(super) sequence: u64,
    /// None in the few that are no commits.
    pub(super) marker: Option<Marker>,
}

impl Batch {
    /// Whether it may come after a batch with this sequence number. Each has a larger one, and none is left out but by what the
    /// database writes elsewhere.
    pub(super) fn follows(&self, sequence: Option<u64>) -> bool {
        sequence.is_none_or(|before| (before + 1..before.saturating_add(GAP_MAX)).contains(&self.sequence))
    }
}

/// The batch at the beginning of these bytes; none if there is none, or it is damaged.
pub(super) fn read(bytes: &[u8]) -> Option<Batch> {
    let mut input = bytes;
    if input.try_get_u8().ok()? != START {
        return None;
    }
    let items = input.try_get_u32_le().ok()?;
    let sequence = input.try_get_u64_le().ok()?;
    let body = input;
    let mut marker = None;
    for index in 0..items {
        match input.try_get_u8().ok()? {
            ITEM => {
                let (key, value) = item(&mut input)?;
                if index == 0 && key == MARKER_KEY {
                    marker = Marker::decode(value).ok();
                }
            }
            CLEAR => drop(input.try_get_u64_le().ok()?),
            _ => return None,
        }
    }
    let body = &body[..body.len() - input.len()];
    if input.try_get_u8().ok()? != END || input.try_get_u64_le().ok()? != xxh3_64(body) {
        return None;
    }
    let rest = input.strip_prefix(TRAILER)?;
    Some(Batch { length: bytes.len() - rest.len(), sequence, marker })
}

/// The key and the value, as it is stored.
fn item<'a>(input: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let _kind_and_compression = input.try_get_u16_le().ok()?;
    let _keyspace = input.try_get_u64_le().ok()?;
    let key_length = usize::from(input.try_get_u16_le().ok()?);
    let _value_length = input.try_get_u32_le().ok()?;
    let stored_length = input.try_get_u32_le().ok()? as usize;
    let (key, rest) = input.split_at_checked(key_length)?;
    let (value, rest) = rest.split_at_checked(stored_length)?;
    *input = rest;
    Some((key, value))
}
