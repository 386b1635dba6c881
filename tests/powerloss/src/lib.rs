//! What a process does to the files of one directory, written down, so that a loss of power can be played afterwards.
//!
//! Preloaded (`LD_PRELOAD`) it puts itself in front of the C library's functions that write, cut and sync files. Writes are
//! noted and done; syncs are noted and **not** done: they take as long as they are told to, at random. Whoever has killed the
//! process knows from the log which bytes of which inode it was promised, and may drop any of the others.
//!
//! Names are not followed: the log has what was in a directory when it was synced. So no call that makes, renames or removes a
//! file can be missed, whether or not it goes through the C library. Every file gets a second name in a directory aside, so
//! that its content outlives its removal and its inode stands for one file only.
//!
//! | variable | |
//! |---|---|
//! | `MIDGE_POWERLOSS_DIRECTORY` | the directory, as an absolute path without links |
//! | `MIDGE_POWERLOSS_LOG` | the log, an empty file |
//! | `MIDGE_POWERLOSS_HELD` | the directory of second names, on the same file system |
//! | `MIDGE_POWERLOSS_SYNC_US_MAX` | the longest a sync takes, in microseconds |

mod follow;
mod record;
mod system;

use std::ffi::{c_char, c_int, c_uint, c_void};

use libc::{off_t, size_t, ssize_t};

/// Opens, then looks at what was opened.
fn opened(file: c_int, flags: c_int) -> c_int {
    follow::forget(file);
    let is_changed = file >= 0 && flags & (libc::O_CREAT | libc::O_TRUNC) != 0;
    let followed = is_changed.then(|| follow::find(file)).flatten();
    if let Some(followed) = followed.filter(|_| flags & libc::O_TRUNC != 0) {
        followed.will_truncate(0);
    }
    file
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: the caller's.
    unsafe { openat(libc::AT_FDCWD, path, flags, mode) }
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: the caller's.
    unsafe { openat(libc::AT_FDCWD, path, flags, mode) }
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openat(directory: c_int, path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: the caller's.
    let file = unsafe { libc::syscall(libc::SYS_openat, directory, path, flags, mode) };
    opened(c_int::try_from(file).unwrap_or(-1), flags)
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openat64(directory: c_int, path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: the caller's.
    unsafe { openat(directory, path, flags, mode) }
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn close(file: c_int) -> c_int {
    follow::forget(file);
    system::close(file) as c_int
}

/// A write that was noted must be done as a whole.
fn written(followed: Option<follow::Followed>, answer: i64, length: usize) -> ssize_t {
    if let Some(followed) = followed.filter(|_| usize::try_from(answer) != Ok(length)) {
        followed.is_lost("a write that was not done as a whole");
    }
    answer as ssize_t
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(file: c_int, start: *const c_void, length: size_t) -> ssize_t {
    let followed = follow::find(file);
    // SAFETY: the caller's.
    let bytes = unsafe { system::bytes(start, length) };
    followed.inspect(|followed| followed.will_write(None, &[bytes]));
    // SAFETY: the caller's.
    written(followed, unsafe { libc::syscall(libc::SYS_write, file, start, length) }, length)
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite(file: c_int, start: *const c_void, length: size_t, offset: off_t) -> ssize_t {
    let followed = follow::find(file);
    // SAFETY: the caller's.
    let bytes = unsafe { system::bytes(start, length) };
    followed.inspect(|followed| followed.will_write(u64::try_from(offset).ok(), &[bytes]));
    // SAFETY: the caller's.
    written(followed, unsafe { libc::syscall(libc::SYS_pwrite64, file, start, length, offset) }, length)
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite64(file: c_int, start: *const c_void, length: size_t, offset: off_t) -> ssize_t {
    // SAFETY: the caller's.
    unsafe { pwrite(file, start, length, offset) }
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn writev(file: c_int, parts: *const libc::iovec, count: c_int) -> ssize_t {
    let followed = follow::find(file);
    let mut length = 0;
    if let Some(followed) = followed {
        // SAFETY: the caller's: so many descriptions of so many readable bytes.
        let parts: Vec<&[u8]> = unsafe {
            let parts = std::slice::from_raw_parts(parts, usize::try_from(count).unwrap_or(0));
            parts.iter().map(|part| system::bytes(part.iov_base, part.iov_len)).collect()
        };
        length = parts.iter().map(|part| part.len()).sum();
        followed.will_write(None, &parts);
    }
    // SAFETY: the caller's.
    written(followed, unsafe { libc::syscall(libc::SYS_writev, file, parts, count) }, length)
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ftruncate(file: c_int, length: off_t) -> c_int {
    follow::find(file).inspect(|followed| followed.will_truncate(length.unsigned_abs()));
    // SAFETY: no pointers.
    unsafe { libc::syscall(libc::SYS_ftruncate, file, length) as c_int }
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ftruncate64(file: c_int, length: off_t) -> c_int {
    // SAFETY: the caller's.
    unsafe { ftruncate(file, length) }
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsync(file: c_int) -> c_int {
    match follow::find(file) {
        Some(followed) => {
            followed.sync();
            0
        }
        // SAFETY: no pointers.
        None => unsafe { libc::syscall(libc::SYS_fsync, file) as c_int },
    }
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdatasync(file: c_int) -> c_int {
    // SAFETY: the caller's.
    unsafe { fsync(file) }
}

/// What copies within the kernel would have to be read to be noted. Whoever is told that it cannot be done here writes instead.
fn is_refused(to: c_int) -> bool {
    let is_followed = follow::find(to).is_some();
    if is_followed {
        system::set_errno(libc::EINVAL);
    }
    is_followed
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn copy_file_range(
    from: c_int,
    from_offset: *mut off_t,
    to: c_int,
    to_offset: *mut off_t,
    length: size_t,
    flags: c_uint,
) -> ssize_t {
    if is_refused(to) {
        return -1;
    }
    // SAFETY: the caller's.
    unsafe { libc::syscall(libc::SYS_copy_file_range, from, from_offset, to, to_offset, length, flags) as ssize_t }
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sendfile64(to: c_int, from: c_int, offset: *mut off_t, length: size_t) -> ssize_t {
    if is_refused(to) {
        return -1;
    }
    // SAFETY: the caller's.
    unsafe { libc::syscall(libc::SYS_sendfile, to, from, offset, length) as ssize_t }
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sendfile(to: c_int, from: c_int, offset: *mut off_t, length: size_t) -> ssize_t {
    // SAFETY: the caller's.
    unsafe { sendfile64(to, from, offset, length) }
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap(
    at: *mut c_void,
    length: size_t,
    protection: c_int,
    flags: c_int,
    file: c_int,
    offset: off_t,
) -> *mut c_void {
    if file >= 0 && flags & libc::MAP_SHARED != 0 && protection & libc::PROT_WRITE != 0 {
        follow::find(file).inspect(|followed| followed.is_lost("writes to mapped memory"));
    }
    // SAFETY: the caller's.
    unsafe { libc::syscall(libc::SYS_mmap, at, length, protection, flags, file, offset) as *mut c_void }
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap64(
    at: *mut c_void,
    length: size_t,
    protection: c_int,
    flags: c_int,
    file: c_int,
    offset: off_t,
) -> *mut c_void {
    // SAFETY: the caller's.
    unsafe { mmap(at, length, protection, flags, file, offset) }
}
