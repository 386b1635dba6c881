//! The database under a store: opening it, and committing to it.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use fjall::{AbstractTree, Database, Keyspace, PersistMode};
use xxhash_rust::xxh3::Xxh3;

use crate::error::{OpenError, directory_error};
use crate::gathering::Writes;
use crate::journal::{self, Cut, MARKER_KEY, Marker};
use crate::layout::{self, Keyspaces, LAYOUT, LAYOUT_KEY, Space};
use crate::record::BadRecord;

/// A database that is open.
pub(crate) struct Opened {
    database: Database,
    pub(crate) keyspaces: Keyspaces,
    /// What was cut off its journal.
    pub(crate) cut: Option<Cut>,
    /// The layout it has.
    pub(crate) layout: u8,
}

impl Opened {
    /// Opens the database of a store, or makes one.
    pub(crate) fn open(directory: &Path, cache_bytes: u64) -> Result<Self, OpenError> {
        Self::open_mended(directory, cache_bytes, false)
    }

    /// Opens the database of a store after the disk failed.
    pub(crate) fn reopen(directory: &Path, cache_bytes: u64) -> Result<Self, OpenError> {
        Self::open_mended(directory, cache_bytes, true)
    }

    fn open_mended(directory: &Path, cache_bytes: u64, has_failed: bool) -> Result<Self, OpenError> {
        let data = directory.join("data");
        forget_unfinished(&data).map_err(|error| directory_error(&data, error))?;
        let cut = journal::mend(&data, has_failed)?;
        let failed = |error| OpenError::database(directory, &error);
        let database = Database::builder(&data)
            .cache_size(cache_bytes)
            .manual_journal_persist(true)
            .max_journaling_size(64 << 20)
            .worker_threads(2)
            .open()
            .map_err(failed)?;
        sync_directory(directory).map_err(|error| directory_error(directory, error))?;
        let keyspaces = Keyspaces::open(&database).map_err(failed)?;
        // The database syncs every directory that it makes, but not those that it made them in: a loss of power would take the
        // keyspaces with all that is in them.
        sync_directories(&data).map_err(|error| directory_error(&data, error))?;
        let mut opened = Self { database, keyspaces, cut, layout: LAYOUT };
        opened.layout = opened.read_layout(directory)?;
        Ok(opened)
    }

    fn read_layout(&self, directory: &Path) -> Result<u8, OpenError> {
        let failed = |error| OpenError::database(directory, &error);
        match self.keyspaces.meta.get(LAYOUT_KEY).map_err(failed)?.as_deref() {
            Some(&[found]) if found <= LAYOUT => Ok(found),
            Some(&[found]) => Err(OpenError::Layout { directory: directory.to_owned(), found, known: LAYOUT }),
            Some(_) => Err(OpenError::record(directory, "meta", LAYOUT_KEY, BadRecord::Damaged)),
            None => {
                self.write_layout(LAYOUT).map_err(failed)?;
                Ok(LAYOUT)
            }
        }
    }

    pub(crate) fn write_layout(&self, layout: u8) -> fjall::Result<()> {
        self.keyspaces.meta.insert(LAYOUT_KEY, [layout])?;
        self.database.persist(PersistMode::SyncAll)
    }

    /// The latest commit that is in it.
    pub(crate) fn marker(&self, directory: &Path) -> Result<Marker, OpenError> {
        let found = self.keyspaces.meta.get(MARKER_KEY).map_err(|error| OpenError::database(directory, &error))?;
        let decode = |bytes: &[u8]| Marker::decode(bytes);
        let bad = |error| OpenError::record(directory, "meta", MARKER_KEY, error);
        Ok(found.as_deref().map(decode).transpose().map_err(bad)?.unwrap_or_default())
    }

    /// Makes writes, all or none.
    pub(crate) fn commit(&self, marker: Marker, writes: &Writes, mode: PersistMode) -> fjall::Result<()> {
        self.make_room()?;
        let keyspaces = &self.keyspaces;
        let mut batch = self.batch(Some(mode));
        batch.insert(&keyspaces.meta, MARKER_KEY, marker.encode());
        for session in &writes.cleared {
            let number = layout::session_key(*session);
            for space in [Space::Subscriptions, Space::Received] {
                for found in keyspaces.of(space).prefix(number) {
                    batch.remove(keyspaces.of(space), found.key()?);
                }
            }
        }
        for ((space, key), value) in &writes.writes {
            match value {
                Some(value) => batch.insert(keyspaces.of(*space), &key[..], &value[..]),
                // Not weakly, though almost every key is written once: numbers may be used again after a restart, and what
                // was there under them before would come back. It was measured to cost nothing.
                None => batch.remove(keyspaces.of(*space), &key[..]),
            }
        }
        batch.commit()
    }

    pub(crate) fn batch(&self, mode: Option<PersistMode>) -> fjall::OwnedWriteBatch {
        self.database.batch().durability(mode)
    }

    /// Brings everything that was committed to stable storage.
    pub(crate) fn sync(&self, mode: PersistMode) -> fjall::Result<()> {
        self.database.persist(mode)
    }

    /// The database holds commits back while it tidies up, but does not notice there that tidying up has failed. So they are
    /// held back here, earlier.
    fn make_room(&self) -> fjall::Result<()> {
        let is_crowded = |space: &Keyspace| space.l0_table_count() >= 18 || space.sealed_memtable_count() >= 3;
        while self.keyspaces.all().any(is_crowded) {
            // An error once tidying up has failed.
            self.database.persist(PersistMode::Buffer)?;
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Writes what is in memory to tables, and merges those.
    pub(crate) fn compact<'a>(&self, spaces: impl Iterator<Item = &'a Keyspace>) -> fjall::Result<()> {
        for space in spaces {
            space.rotate_memtable()?;
            while space.sealed_memtable_count() > 0 {
                self.database.persist(PersistMode::Buffer)?;
                std::thread::sleep(Duration::from_millis(1));
            }
            space.major_compact()?;
        }
        Ok(())
    }

    /// Whether the journal has nothing that the tables have not.
    pub(crate) fn is_all_in_tables(&self) -> bool {
        let is_in_tables =
            |space: &Keyspace| space.sealed_memtable_count() == 0 && space.tree.active_memtable().is_empty();
        self.keyspaces.all().all(is_in_tables)
    }

    /// Bytes of what waits in memory to be written to tables.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.database.write_buffer_size()
    }

    pub(crate) fn disk_bytes(&self) -> u64 {
        self.database.disk_space().unwrap_or_default()
    }

    /// The first of its files that is not what was written, if there is one. Reads all of them.
    pub(crate) fn damaged_file(&self) -> Option<std::path::PathBuf> {
        self.keyspaces.all().find_map(|space| {
            let version = space.tree.current_version();
            let tables = version.iter_tables().map(|table| ((*table.path).clone(), table.checksum().into_u128()));
            let blobs = version.blob_files.iter().map(|file| (file.path().to_owned(), file.checksum().into_u128()));
            let mut files = tables.chain(blobs);
            files.find(|(path, checksum)| !digest(path).is_ok_and(|found| found == *checksum)).map(|(path, _)| path)
        })
    }

    /// What to say of an error: which file it is about, where that can be told.
    pub(crate) fn explain(&self, directory: &Path, error: &fjall::Error) -> OpenError {
        match OpenError::database(directory, error) {
            OpenError::Corrupt { directory, detail } => match self.damaged_file() {
                Some(file) => OpenError::Corrupt { directory, detail: format!("{} is damaged", file.display()) },
                None => OpenError::Corrupt { directory, detail },
            },
            error => error,
        }
    }
}

fn digest(path: &Path) -> io::Result<u128> {
    let mut file = File::open(path)?;
    let (mut hasher, mut chunk) = (Xxh3::new(), vec![0; 1 << 16]);
    loop {
        match io::Read::read(&mut file, &mut chunk)? {
            0 => return Ok(hasher.digest128()),
            length => hasher.update(&chunk[..length]),
        }
    }
}

/// A database whose making was cut short cannot be opened. It was promised nothing yet, so it is made anew.
fn forget_unfinished(data: &Path) -> io::Result<()> {
    if !data.exists() || data.join("version").exists() {
        return Ok(());
    }
    let keyspaces = data.join("keyspaces");
    let is_used = keyspaces.exists()
        && std::fs::read_dir(&keyspaces)?.any(|entry| entry.is_ok_and(|entry| entry.file_name() != "0"));
    if is_used {
        Err(io::Error::new(io::ErrorKind::NotFound, "its file `version` is missing"))
    } else {
        std::fs::remove_dir_all(data)
    }
}

/// Makes a directory and all above it, so that they outlive a loss of power.
pub(crate) fn make_directory(directory: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = directory.ancestors().take_while(|path| !path.exists()).collect();
    std::fs::create_dir_all(directory)?;
    for parent in missing.into_iter().chain([directory]).filter_map(Path::parent) {
        // Where that may not be read, the directory was not made just now.
        let _ = sync_directory(parent);
    }
    Ok(())
}

/// Brings the names in a directory and in all below it to stable storage.
fn sync_directories(path: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_directories(&entry.path())?;
        }
    }
    sync_directory(path)
}

/// What is in a directory is on stable storage only once the directory is.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(windows) { Ok(()) } else { File::open(directory)?.sync_all() }
}
