//! A loss of power, played: of what the broker did to its files only what it synced is sure to be there.
//!
//! `midge-powerloss` is preloaded into the broker and writes down what it does to its data directory. After a kill the directory
//! is made anew: every file has what was in it when it was last synced, every directory the names it had when *it* was last
//! synced. What came later stays or goes, as the [`Mood`] of the round says. So a disk may behave; kinder file systems exist.

mod image;
mod log;
#[path = "../../powerloss/src/record.rs"]
mod record;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::random::Random;
use image::Image;

/// What becomes of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// All of it is gone.
    Nothing,
    /// All of it is there.
    Everything,
    /// Of data some pages, of names some changes.
    Some,
}

/// The disk of one broker.
pub(crate) struct Disk {
    library: PathBuf,
    /// What the broker sees.
    data: PathBuf,
    /// Everything else is in here.
    aside: PathBuf,
    before: Option<Image>,
}

impl Disk {
    /// The disk on which `data` lies; what is needed to play its loss of power is kept in `aside`.
    pub(crate) fn new(library: &Path, data: &Path, aside: &Path) -> io::Result<Self> {
        let library = library.canonicalize()?;
        fs::create_dir_all(data)?;
        fs::create_dir_all(aside)?;
        Ok(Self { library, data: data.canonicalize()?, aside: aside.canonicalize()?, before: None })
    }

    /// Everything there is now is safe. To be called before a broker starts, whose `command` is told what to do.
    pub(crate) fn watch(&mut self, command: &mut Command) -> io::Result<()> {
        let (held, log) = (self.aside.join("held"), self.log());
        remove(&held)?;
        fs::create_dir(&held)?;
        fs::write(&log, b"")?;
        self.before = Some(Image::take(&self.data, &self.aside.join("before"), &held)?);
        command
            .env("LD_PRELOAD", &self.library)
            .env("MIDGE_POWERLOSS_DIRECTORY", &self.data)
            .env("MIDGE_POWERLOSS_LOG", log)
            .env("MIDGE_POWERLOSS_HELD", held)
            .env("MIDGE_POWERLOSS_SYNC_US_MAX", SYNC_US_MAX.to_string());
        Ok(())
    }

    /// The power is lost: makes the directory what it is afterwards. The broker must be gone.
    pub(crate) fn cut(&mut self, random: &mut Random) -> Result<Mood, String> {
        let mood = [Mood::Nothing, Mood::Everything, Mood::Some, Mood::Some][random.below(4) as usize];
        let failed = |error: io::Error| format!("the loss of power cannot be played: {error}");
        let before = self.before.take().ok_or("nothing was watched")?;
        let log = log::read(&self.log()).map_err(failed)?;
        if let Some(lost) = &log.lost {
            return Err(format!("the loss of power cannot be played: {lost}"));
        }
        before.check(&log, &self.data)?;
        let after = self.aside.join("after");
        remove(&after).map_err(failed)?;
        before.restore(&log, &self.data, &after, mood, random).map_err(failed)?;
        remove(&self.data).and_then(|()| fs::rename(&after, &self.data)).map_err(failed)?;
        Ok(mood)
    }

    fn log(&self) -> PathBuf {
        self.aside.join("log")
    }
}

fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Slow enough that much is under way whenever the power is lost.
const SYNC_US_MAX: u64 = 3000;
