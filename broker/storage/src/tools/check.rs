//! Looks for what is not as it should be, and removes it.

use std::path::Path;

use fjall::{Keyspace, PersistMode};
use hashbrown::{HashMap, HashSet};
use midge_core::{BodyId, EntryNumber, SessionNumber};

use super::{Place, Problem, Stopped};
use crate::OpenError;
use crate::journal::{self, Damage};
use crate::layout::{self, LAYOUT, Space, Step};
use crate::lock::Lock;
use crate::plugins;
use crate::record::{self, BadRecord};

/// How a store was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Records that were read.
    pub records: u64,
    /// Problems that were told of.
    pub problems: u64,
    /// Problems that were removed, by [`repair`].
    pub repaired: u64,
}

/// Reads everything in a store and tells of each problem: files and records that are not what was written, deliveries whose
/// message is missing, and whatever belongs to no session. It changes nothing. Where a journal or a file of the database is
/// damaged, that is all it tells.
///
/// # Errors
/// [`OpenError`], where the store cannot be read at all.
pub fn check(directory: &Path, tell: &mut dyn FnMut(&Problem)) -> Result<Checked, OpenError> {
    let mut check = Check { tell, removes: false, checked: Checked::default() };
    check.run(directory)?;
    Ok(check.checked)
}

/// Tells of each problem as [`check`] does, and removes it: a record alone, a damaged journal from the damage on, with all that
/// was committed later. What is lost is lost; keep a copy of the directory. Damaged files of the database it leaves alone.
///
/// # Errors
/// [`OpenError`], where the store cannot be read or written at all.
pub fn repair(directory: &Path, tell: &mut dyn FnMut(&Problem)) -> Result<Checked, OpenError> {
    let mut check = Check { tell, removes: true, checked: Checked::default() };
    check.run(directory)?;
    Ok(check.checked)
}

struct Check<'a> {
    tell: &'a mut dyn FnMut(&Problem),
    removes: bool,
    checked: Checked,
}

type Detail = Option<String>;

impl Check<'_> {
    fn run(&mut self, directory: &Path) -> Result<(), OpenError> {
        if !self.journal(directory)? {
            return Ok(());
        }
        let store = Stopped::open(directory)?;
        if store.opened.layout != LAYOUT {
            return Err(OpenError::Outdated { directory: directory.to_owned(), found: store.opened.layout });
        }
        if let Some(path) = store.opened.damaged_file() {
            let detail = "is not what was written; restore the store from a copy".to_owned();
            self.problem(Problem { place: Place::File { path, offset: None }, detail, is_repairable: false });
            return Ok(());
        }
        self.records(&store)
    }

    /// Whether the journals are whole, or made so.
    fn journal(&mut self, directory: &Path) -> Result<bool, OpenError> {
        if !directory.join("data").is_dir() {
            return Err(OpenError::Missing { directory: directory.to_owned() });
        }
        let _lock = Lock::take(directory)?;
        while let Some(Damage { file, offset }) = journal::examine(&directory.join("data"))?.damage {
            let detail = "is damaged, and commits that were promised follow".to_owned();
            let place = Place::File { path: file.clone(), offset: Some(offset) };
            if !self.problem(Problem { place, detail, is_repairable: true }) {
                return Ok(false);
            }
            journal::cut(&file, offset).map_err(|error| crate::directory_error(&file, error))?;
        }
        Ok(true)
    }

    fn records(&mut self, store: &Stopped) -> Result<(), OpenError> {
        let mut sessions = HashSet::new();
        self.each(store, Space::Sessions, |key, value| {
            sessions.insert(number(key)?);
            record::read_session(value)?;
            Ok(None)
        })?;
        let no_session =
            |key: &[u8]| Ok((!sessions.contains(&number(key)?)).then(|| "its session is missing".to_owned()));
        self.each(store, Space::Subscriptions, |key, value| {
            let filter = record::read_subscription(value)?.filter;
            if layout::subscription_key(SessionNumber(number(key)?), &filter) != key {
                return Err(BadRecord::Damaged);
            }
            no_session(key)
        })?;
        self.each(store, Space::Received, |key, value| {
            record::read_presence(value)?;
            layout::packet_id_in(key).ok_or(BadRecord::Damaged)?;
            no_session(key)
        })?;
        let mut bodies: HashMap<BodyId, bool> = HashMap::new();
        self.each(store, Space::Bodies, |key, value| {
            bodies.insert(BodyId(number(key)?), false);
            record::read_message(value)?;
            Ok(None)
        })?;
        let mut last: Option<(u64, EntryNumber)> = None;
        self.each(store, Space::Deliveries, |key, value| {
            let (entry, step) = layout::delivery_in(key).ok_or(BadRecord::Damaged)?;
            let orphan = no_session(key)?;
            match step {
                Step::Queued => {
                    let body = record::read_delivery(value)?.body;
                    let Some(is_needed) = bodies.get_mut(&body) else {
                        return Ok(Some(format!("its message, body {}, is missing", body.0)));
                    };
                    if orphan.is_none() {
                        *is_needed = true;
                        last = Some((number(key)?, entry));
                    }
                }
                Step::Sent => {
                    record::read_packet_id(value)?;
                    if orphan.is_none() && last != Some((number(key)?, entry)) {
                        return Ok(Some("was sent and never queued".to_owned()));
                    }
                }
                Step::Released => drop(record::read_packet_id(value)?),
            }
            Ok(orphan)
        })?;
        // The bodies once more: they are not counted twice.
        let records = self.checked.records;
        self.each(store, Space::Bodies, |key, _| {
            let is_needed = bodies.get(&BodyId(number(key)?)).is_none_or(|is_needed| *is_needed);
            Ok((!is_needed).then(|| "no delivery needs it".to_owned()))
        })?;
        self.checked.records = records;
        self.each(store, Space::Retained, |key, value| {
            let message = record::read_message(value)?;
            Ok((message.topic().as_bytes() != key).then(|| format!("holds a message of topic {:?}", message.topic())))
        })?;
        self.each(store, Space::Plugins, |key, value| {
            let entry = record::read_plugin_entry(value)?;
            let is_in_place = plugins::key(&entry.store, &entry.key) == key;
            Ok((!is_in_place).then(|| format!("holds {:?} of the store {:?}", entry.key, entry.store)))
        })
    }

    /// Visits every record of a keyspace, and tells of those with a problem.
    fn each(
        &mut self,
        store: &Stopped,
        space: Space,
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<Detail, BadRecord>,
    ) -> Result<(), OpenError> {
        let keyspace: &Keyspace = store.opened.keyspaces.of(space);
        let failed = |error| store.opened.explain(store.directory, &error);
        let mut removed = store.opened.batch(Some(PersistMode::SyncData));
        for pair in keyspace.iter() {
            let (key, value) = pair.into_inner().map_err(failed)?;
            self.checked.records += 1;
            let Some(detail) = visit(&key, &value).unwrap_or_else(|error| Some(error.to_string())) else { continue };
            let place = Place::Record { keyspace: space.name(), key: key.to_vec() };
            if self.problem(Problem { place, detail, is_repairable: true }) {
                removed.remove(keyspace, key);
            }
        }
        removed.commit().map_err(failed)
    }

    /// Tells of a problem; whether it is to be removed.
    fn problem(&mut self, problem: Problem) -> bool {
        (self.tell)(&problem);
        self.checked.problems += 1;
        let is_removed = self.removes && problem.is_repairable;
        self.checked.repaired += u64::from(is_removed);
        is_removed
    }
}

fn number(key: &[u8]) -> Result<u64, BadRecord> {
    layout::number_in(key).ok_or(BadRecord::Damaged)
}
