//! System calls as they are, without the names this library puts itself in front of.

use std::ffi::{CStr, c_int, c_long, c_void};

/// What a call says, and `errno` as it is for whoever called us.
pub(crate) type Answer = c_long;

pub(crate) fn write(file: c_int, bytes: &[u8]) -> Answer {
    // SAFETY: the kernel reads `bytes.len()` bytes from a slice that lives throughout the call.
    unsafe { libc::syscall(libc::SYS_write, file, bytes.as_ptr(), bytes.len()) }
}

/// Opens for reading and writing as `flags` say.
pub(crate) fn open(path: &CStr, flags: c_int) -> c_int {
    // SAFETY: `path` is a string that ends with a zero and lives throughout the call.
    let file = unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, 0o600) };
    c_int::try_from(file).unwrap_or(-1)
}

pub(crate) fn close(file: c_int) -> Answer {
    // SAFETY: no pointers.
    unsafe { libc::syscall(libc::SYS_close, file) }
}

pub(crate) fn position(file: c_int) -> Option<u64> {
    // SAFETY: no pointers.
    let offset = unsafe { libc::syscall(libc::SYS_lseek, file, 0, libc::SEEK_CUR) };
    u64::try_from(offset).ok()
}

pub(crate) fn is_appending(file: c_int) -> bool {
    // SAFETY: no pointers.
    let flags = unsafe { libc::syscall(libc::SYS_fcntl, file, libc::F_GETFL) };
    flags >= 0 && flags & c_long::from(libc::O_APPEND) != 0
}

pub(crate) fn status(file: c_int) -> Option<libc::stat> {
    // SAFETY: all zeros is a value of this plain structure.
    let mut status: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills a structure of the type that libc declares for this very call.
    let answer = unsafe { libc::fstat(file, &raw mut status) };
    (answer == 0).then_some(status)
}

/// The path behind a descriptor, as far as it fits.
pub(crate) fn path_of(file: c_int, space: &mut [u8]) -> &[u8] {
    let link = proc_link(file);
    // SAFETY: `link` ends with a zero; the kernel writes at most `space.len()` bytes.
    let length = unsafe { libc::readlink(link.as_ptr().cast(), space.as_mut_ptr().cast(), space.len()) };
    space.get(..usize::try_from(length).unwrap_or(0)).unwrap_or_default()
}

/// Another name for an open file.
pub(crate) fn link_to(file: c_int, path: &CStr) {
    let link = proc_link(file);
    // SAFETY: both strings end with a zero.
    unsafe {
        libc::linkat(libc::AT_FDCWD, link.as_ptr().cast(), libc::AT_FDCWD, path.as_ptr(), libc::AT_SYMLINK_FOLLOW)
    };
}

fn proc_link(file: c_int) -> Vec<u8> {
    format!("/proc/self/fd/{file}\0").into_bytes()
}

pub(crate) fn thread() -> u64 {
    // SAFETY: no pointers.
    unsafe { libc::syscall(libc::SYS_gettid) }.unsigned_abs()
}

/// Every name in a directory but the two dots: inode, whether it is a directory, name.
pub(crate) fn list(path: &CStr, mut each: impl FnMut(u64, bool, &[u8])) {
    // SAFETY: `path` ends with a zero; the stream is closed below and used by nobody else.
    let stream = unsafe { libc::opendir(path.as_ptr()) };
    if stream.is_null() {
        return;
    }
    loop {
        // SAFETY: an open stream of our own.
        let entry = unsafe { libc::readdir64(stream) };
        if entry.is_null() {
            break;
        }
        // SAFETY: not null, and valid until the next call; the name ends with a zero.
        let (inode, kind, name) =
            unsafe { ((*entry).d_ino, (*entry).d_type, CStr::from_ptr((*entry).d_name.as_ptr())) };
        if name != c"." && name != c".." {
            each(inode, kind == libc::DT_DIR, name.to_bytes());
        }
    }
    // SAFETY: open, and not used again.
    unsafe { libc::closedir(stream) };
}

/// `errno` as it is now, to be put back.
pub(crate) fn errno() -> c_int {
    // SAFETY: the pointer is valid for the thread's life.
    unsafe { *libc::__errno_location() }
}

pub(crate) fn set_errno(value: c_int) {
    // SAFETY: the pointer is valid for the thread's life.
    unsafe { *libc::__errno_location() = value }
}

pub(crate) fn sleep(microseconds: u64) {
    let seconds = libc::time_t::try_from(microseconds / 1_000_000).unwrap_or(0);
    let pause = libc::timespec { tv_sec: seconds, tv_nsec: (microseconds % 1_000_000 * 1000) as c_long };
    // SAFETY: a valid structure; nothing is written to a null remainder.
    unsafe { libc::nanosleep(&raw const pause, std::ptr::null_mut()) };
}

/// The memory of one `iovec`.
///
/// # Safety
/// As `writev` demands of it: so many readable bytes.
pub(crate) unsafe fn bytes<'a>(start: *const c_void, length: usize) -> &'a [u8] {
    if start.is_null() || length == 0 {
        return &[];
    }
    // SAFETY: the caller's.
    unsafe { std::slice::from_raw_parts(start.cast(), length) }
}
