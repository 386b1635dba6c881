//! Disks that can be made to fail. Only root may have them; where they cannot be had, tests say so and pass.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A small disk, until dropped.
pub(crate) struct SmallDisk {
    directory: tempfile::TempDir,
}

impl SmallDisk {
    /// None where this process may not mount.
    pub(crate) fn mount(mebibytes: u32) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let size = format!("size={mebibytes}m");
        let is_mounted = mount(&["-t", "tmpfs", "-o", &size, "tmpfs"], directory.path());
        is_mounted.then_some(Self { directory })
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Takes all the room there is, or gives it back.
    pub(crate) fn fill(&self, filled: bool) {
        let file = self.path().join("filler");
        if !filled {
            return fs::remove_file(file).unwrap();
        }
        let mut file = fs::File::create(file).unwrap();
        for size in [1 << 16, 1] {
            while std::io::Write::write_all(&mut file, &vec![1; size]).is_ok() {}
        }
    }

    pub(crate) fn remount(&self, option: &str) {
        let options = format!("remount,{option}");
        assert!(mount(&["-o", &options], self.path()), "{option}");
    }
}

fn mount(arguments: &[&str], directory: &Path) -> bool {
    let mut mount = Command::new("mount");
    mount.args(arguments).arg(directory).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l"]).arg(self.path()).status();
    }
}

/// A disk whose syncs fail when it is told to: a file system in a sparse file on a small disk. It believes that there is room,
/// and learns that there is none when it brings pages to the device. As with any that breaks, those pages are lost then.
pub(crate) struct BrokenDisk {
    directory: tempfile::TempDir,
    device: SmallDisk,
}

impl BrokenDisk {
    pub(crate) fn mount() -> Option<Self> {
        let disk = Self { directory: tempfile::tempdir().unwrap(), device: SmallDisk::mount(64)? };
        fs::File::create(disk.file()).unwrap().set_len(400 << 20).unwrap();
        let mut make = Command::new("mkfs.ext4");
        make.args(["-q", "-F", "-N", "1024", "-O", "^has_journal"]).arg(disk.file());
        let is_made = make.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        (is_made && disk.attach()).then_some(disk)
    }

    fn file(&self) -> PathBuf {
        self.device.path().join("device")
    }

    fn attach(&self) -> bool {
        mount(&["-o", "loop", &self.file().display().to_string()], self.directory.path())
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn fail(&self, fails: bool) {
        self.device.fill(fails);
    }

    /// Forgets all that is not on the device.
    pub(crate) fn attach_again(&self) {
        let is_detached = Command::new("umount").arg(self.path()).status().unwrap().success();
        assert!(is_detached && self.attach());
    }
}

impl Drop for BrokenDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).stderr(Stdio::null()).status();
    }
}
