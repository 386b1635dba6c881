//! The database's journal, looked at before the database does.
//!
//! What was committed last stands only in the journal. A crash may leave its end half written: that is cut, for nobody was
//! promised it. Damage before commits that were promised is another matter: the database would cut those as well, silently, so
//! here it is an error. To tell one from the other, every commit carries a [`Marker`].

mod batch;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

pub(crate) use batch::{MARKER_KEY, Marker};

use crate::OpenError;
use crate::database::sync_directory;
use crate::error::{directory_error, is_full};

/// What a start cut off the journal's end: a commit that a crash left half written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The journal.
    pub file: PathBuf,
    /// Where it ends now.
    pub offset: u64,
    /// How much there was after that.
    pub bytes: u64,
}

/// A place in a journal that is not what was written, with commits after it that are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    pub(crate) file: PathBuf,
    pub(crate) offset: u64,
}

/// What the journals of a database were found to be.
#[derive(Debug, Default)]
pub(crate) struct Examined {
    /// The first damage, if there is any.
    pub(crate) damage: Option<Damage>,
    /// A half-written end of the last journal.
    pub(crate) torn: Option<Cut>,
    /// The last journal, and where it ends.
    last: Option<(PathBuf, u64)>,
}

/// Reads all journals, and changes nothing.
pub(crate) fn examine(directory: &Path) -> Result<Examined, OpenError> {
    let mut examined = Examined::default();
    let files = journals(directory).map_err(|error| directory_error(directory, error))?;
    let (mut latest, mut sequence) = (None, None);
    for (index, file) in files.iter().enumerate() {
        let bytes = std::fs::read(file).map_err(|error| directory_error(file, error))?;
        let is_last = index + 1 == files.len();
        let mut end = 0;
        while let Some(batch) = batch::read(&bytes[end..]).filter(|batch| batch.follows(sequence)) {
            end += batch.length;
            sequence = Some(batch.sequence);
            latest = batch.marker.map(|marker| marker.number).or(latest);
        }
        let rest = &bytes[end..];
        let offset = end as u64;
        // Journals are made longer than they are, with zeros.
        if rest.iter().any(|byte| *byte != 0) {
            // The next journal is only begun once this one is on stable storage, and a batch that is whole but out of line was not
            // left so by a crash.
            if !is_last || batch::read(rest).is_some() || was_promised(rest, latest) {
                examined.damage = Some(Damage { file: file.clone(), offset });
                return Ok(examined);
            }
            examined.torn = Some(Cut { file: file.clone(), offset, bytes: rest.len() as u64 });
        }
        if is_last {
            examined.last = Some((file.clone(), offset));
        }
    }
    Ok(examined)
}

/// Makes the journals fit to be opened: cuts a half-written end, and brings the rest to stable storage.
///
/// After a sync that failed, the operating system may hold what it calls written and is not, and does not write it when it is
/// written to the same file once more (ext4 was seen to lose it then). So what is read back is written to a new file. That is
/// done at every start, for who was told of a failure may have started again. Where there is no room for it, `is_needed` says
/// whether that is an error.
pub(crate) fn mend(directory: &Path, is_needed: bool) -> Result<Option<Cut>, OpenError> {
    let examined = examine(directory)?;
    if let Some(Damage { file, offset }) = examined.damage {
        return Err(OpenError::Damaged { file, offset });
    }
    if let Some((file, end)) = examined.last {
        let mended = match rewrite(&file, end) {
            Err(error) if !is_needed && is_full(error.kind()) => cut(&file, end),
            mended => mended,
        };
        mended.map_err(|error| directory_error(&file, error))?;
    }
    Ok(examined.torn)
}

/// Ends a journal here.
pub(crate) fn cut(file: &Path, end: u64) -> io::Result<()> {
    let journal = File::options().write(true).open(file)?;
    journal.set_len(end)?;
    journal.sync_all()
}

/// Replaces a journal by a copy that ends here.
fn rewrite(file: &Path, end: u64) -> io::Result<()> {
    let copy = file.with_extension("jnl.copy");
    let copied = copy_to(file, &copy, end);
    if copied.is_err() {
        // What is left of it takes room for nothing.
        let _ = std::fs::remove_file(&copy);
    }
    copied
}

fn copy_to(file: &Path, copy: &Path, end: u64) -> io::Result<()> {
    let mut to = File::create(copy)?;
    io::copy(&mut File::open(file)?.take(end), &mut to)?;
    to.sync_all()?;
    std::fs::rename(copy, file)?;
    file.parent().map_or(Ok(()), sync_directory)
}

/// Empties all journals, where the tables have everything.
pub(crate) fn empty(directory: &Path) -> io::Result<()> {
    // The newest last: damage before it would be noticed.
    journals(directory)?.iter().try_for_each(|file| cut(file, 0))
}

/// Whether what cannot be read was promised: a commit after it says that everything up to some number was on stable storage,
/// and that is not.
fn was_promised(rest: &[u8], latest: Option<u64>) -> bool {
    let mut missing = latest.map(|latest| latest + 1);
    let mut at = 1;
    while let Some(next) = rest.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == batch::START)) {
        at += next;
        let Some(batch) = batch::read(&rest[at..]) else {
            at += 1;
            continue;
        };
        if let Some(marker) = batch.marker {
            let missing = *missing.get_or_insert(marker.number.saturating_sub(1));
            if marker.number > missing && marker.synced >= missing {
                return true;
            }
        }
        at += batch.length;
    }
    false
}

/// Journals, oldest first.
fn journals(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let number = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".jnl")?.parse::<u64>().ok());
        found.extend(number.map(|number| (number, path)));
    }
    found.sort_unstable();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

#[cfg(test)]
mod tests;
