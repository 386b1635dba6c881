//! The records of the log, which the preloaded library writes and the crash harness reads.

/// What was done to a file or directory, which its inode stands for: names change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Kind {
    /// The data is about to be written at the offset.
    Write = 1,
    /// The file is about to get the length in `offset`.
    Truncate = 2,
    /// `fsync` or `fdatasync` of a file begins.
    SyncBegins = 3,
    /// It was successful.
    SyncDone = 4,
    /// `fsync` of a directory was successful; the data is what was in it before it began, see `entry`.
    DirectorySynced = 5,
    /// Something was done that cannot be followed; the data says what.
    Lost = 6,
}

impl Kind {
    #[allow(dead_code, reason = "the library only writes")]
    pub(crate) fn from_number(number: u64) -> Option<Self> {
        [Self::Write, Self::Truncate, Self::SyncBegins, Self::SyncDone, Self::DirectorySynced, Self::Lost]
            .into_iter()
            .find(|kind| *kind as u64 == number)
    }
}

/// What precedes the data of each record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) thread: u64,
    pub(crate) inode: u64,
    pub(crate) offset: u64,
    /// Length of the data.
    pub(crate) length: u64,
}

impl Header {
    pub(crate) const BYTES: usize = 40;

    #[allow(dead_code, reason = "the harness only reads")]
    pub(crate) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let fields = [self.kind as u64, self.thread, self.inode, self.offset, self.length];
        for (place, field) in bytes.chunks_exact_mut(8).zip(fields) {
            place.copy_from_slice(&field.to_le_bytes());
        }
        bytes
    }

    #[allow(dead_code, reason = "the library only writes")]
    pub(crate) fn from_bytes(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let mut fields = bytes.chunks_exact(8).filter_map(|place| place.first_chunk().copied()).map(u64::from_le_bytes);
        let mut next = || fields.next();
        let kind = Kind::from_number(next()?)?;
        Some(Self { kind, thread: next()?, inode: next()?, offset: next()?, length: next()? })
    }
}

/// One name in a directory: the inode, whether it is a directory, the length of the name, the name.
#[allow(dead_code, reason = "the harness only reads")]
pub(crate) fn put_entry(inode: u64, is_directory: bool, name: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&inode.to_le_bytes());
    out.push(u8::from(is_directory));
    out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(name);
}

/// Takes the first name from a list of them.
#[allow(dead_code, reason = "the library only writes")]
pub(crate) fn take_entry<'a>(list: &mut &'a [u8]) -> Option<(u64, bool, &'a [u8])> {
    let (inode, rest) = list.split_first_chunk::<8>()?;
    let ([is_directory, length], rest) = rest.split_first_chunk::<2>()?;
    let (name, rest) = rest.split_at_checked(usize::from(*length))?;
    *list = rest;
    Some((u64::from_le_bytes(*inode), *is_directory == 1, name))
}
