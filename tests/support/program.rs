//! Programs that nobody here wrote: installed below `target/`, run to their end, and no longer than they may.

use std::fs;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

/// How a program ended.
pub(crate) struct Ended {
    /// Whether it succeeded, in time.
    pub(crate) well: bool,
    /// What it wrote.
    pub(crate) said: String,
    /// Its status, and whether it was too late.
    pub(crate) how: String,
}

/// Runs `command` to a successful end within `at_most`; otherwise says what it printed.
pub(crate) fn finish(command: &mut Command, at_most: Duration) -> String {
    let Ended { well, said, how } = end_of(command, at_most);
    assert!(well, "{command:?} {how}:\n{said}");
    said
}

/// Runs `command` to its end; it and what it started are killed after `at_most`.
pub(crate) fn end_of(command: &mut Command, at_most: Duration) -> Ended {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().unwrap_or_else(|error| {
        panic!("{command:?}: {error}; on Debian: apt-get install mosquitto-clients python3-venv nodejs npm openssl gcc")
    });
    let group = Pid::from_child(&child);
    let (done, ended) = channel::<()>();
    thread::scope(|scope| {
        let guard = scope.spawn(move || {
            let late = ended.recv_timeout(at_most) == Err(RecvTimeoutError::Timeout);
            if late {
                let _ = kill_process_group(group, Signal::KILL);
            }
            late
        });
        let (out, error) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let read = |pipe: Box<dyn Read + Send>| scope.spawn(move || lossy(pipe));
        let (out, error) = (read(Box::new(out)), read(Box::new(error)));
        let status = child.wait().unwrap();
        let (out, error) = (out.join().unwrap(), error.join().unwrap());
        drop(done);
        let late = guard.join().unwrap();
        let how = format!("ended with {status}{}", if late { ", too late" } else { "" });
        Ended { well: status.success() && !late, said: format!("{out}{error}"), how }
    })
}

fn lossy(mut pipe: impl Read) -> String {
    let mut bytes = Vec::new();
    let _ = pipe.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A program that runs until it is dropped, with what it started.
pub(crate) struct Background(Child);

impl Background {
    pub(crate) fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        Self(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.wait();
    }
}

/// A directory below `target/` that `install` filled, now or in an earlier run. What is installed is part of its name.
pub(crate) fn installed(name: &str, what: &str, install: impl FnOnce(&Path)) -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs").join(name);
    let done = home.join("installed");
    if fs::read_to_string(&done).is_ok_and(|known| known == what) {
        return home;
    }
    let _ = fs::remove_dir_all(&home);
    fs::create_dir_all(&home).unwrap();
    install(&home);
    fs::write(done, what).unwrap();
    home
}

/// How long an installation may take.
pub(crate) const INSTALL_MAX: Duration = Duration::from_secs(300);
