//! Stores of earlier releases become stores of this one when they are opened.
//!
//! Each step goes from one layout to the next. It may be cut short at any place and begun again: it does again only what is not
//! done. The layout is written once a step is done and on stable storage.

use std::path::Path;

use fjall::{Keyspace, PersistMode};
use midge_core::SessionNumber;

use crate::OpenError;
use crate::database::Opened;
use crate::layout::{self, LAYOUT, Step};
use crate::record::{self, BadRecord};

/// Changes what one layout has and the next has not.
type Change = fn(&Upgrade<'_>) -> Result<(), OpenError>;

/// Steps, by the layout they begin with. The last ends with [`LAYOUT`].
const STEPS: [(u8, Change); 1] = [(1, |upgrade| upgrade.every_record_has_a_version())];

/// Brings a store to the layout that is written.
pub(crate) fn upgrade(directory: &Path, opened: &mut Opened) -> Result<(), OpenError> {
    for (from, step) in STEPS {
        if opened.layout == from {
            step(&Upgrade { directory, opened })?;
            opened.layout = from + 1;
            opened.write_layout(opened.layout).map_err(|error| OpenError::database(directory, &error))?;
        }
    }
    if opened.layout == LAYOUT {
        return Ok(());
    }
    let directory = directory.to_owned();
    Err(OpenError::Corrupt { directory, detail: format!("layout {}, which no release of Midge wrote", opened.layout) })
}

struct Upgrade<'a> {
    directory: &'a Path,
    opened: &'a Opened,
}

/// A key and value instead of one that was there; none if it stays.
type Changed = Option<(Vec<u8>, Vec<u8>)>;

impl Upgrade<'_> {
    /// In layout 1, Packet Identifiers had no version, received ones no value, and Topic Filters stood in keys alone.
    fn every_record_has_a_version(&self) -> Result<(), OpenError> {
        let spaces = &self.opened.keyspaces;
        self.each("subscriptions", &spaces.subscriptions, |key, value| {
            if value.first() != Some(&1) {
                return Ok(None);
            }
            let session = SessionNumber(layout::number_in(key).ok_or(BadRecord::Damaged)?);
            let filter = std::str::from_utf8(&key[8..]).map_err(|_| BadRecord::Damaged)?;
            let subscription = record::read_subscription_1(filter, value)?;
            Ok(Some((layout::subscription_key(session, filter), record::subscription(&subscription))))
        })?;
        self.each("received", &spaces.received, |key, value| {
            Ok(value.is_empty().then(|| (key.to_owned(), record::presence())))
        })?;
        self.each("deliveries", &spaces.deliveries, |key, value| match layout::delivery_in(key) {
            Some((_, Step::Sent | Step::Released)) if value.len() == 2 => {
                Ok(Some((key.to_owned(), record::packet_id(record::read_packet_id_1(value)?))))
            }
            _ => Ok(None),
        })
    }

    fn each(
        &self,
        name: &str,
        space: &Keyspace,
        change: impl Fn(&[u8], &[u8]) -> Result<Changed, BadRecord>,
    ) -> Result<(), OpenError> {
        let failed = |error| self.opened.explain(self.directory, &error);
        let mut batch = self.opened.batch(Some(PersistMode::Buffer));
        for pair in space.iter() {
            let (old, value) = pair.into_inner().map_err(failed)?;
            let changed = change(&old, &value);
            let Some((key, value)) = changed.map_err(|error| OpenError::record(self.directory, name, &old, error))?
            else {
                continue;
            };
            if old[..] != key[..] {
                batch.remove(space, old);
            }
            batch.insert(space, key, value);
            if batch.len() >= BATCH {
                let full = std::mem::replace(&mut batch, self.opened.batch(Some(PersistMode::Buffer)));
                full.commit().map_err(failed)?;
            }
        }
        batch.commit().map_err(failed)
    }
}

/// How many records are written together.
const BATCH: usize = 10_000;
