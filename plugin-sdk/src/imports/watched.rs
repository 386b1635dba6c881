//! A granted file that is read again when it changes.

use super::files::{read, version};

/// What a granted text file means, kept up to date: [`get`](Self::get) reads the file again when it has changed. When it
/// no longer makes sense the log says why, once, and the old meaning stays.
pub struct Watched<T> {
    path: String,
    parse: fn(&str) -> Result<T, String>,
    /// The version read last, whether it made sense or not.
    version: u64,
    /// Whether the log has been told that the file is gone.
    is_gone: bool,
    value: T,
}

impl<T> Watched<T> {
    /// Reads the file for the first time.
    ///
    /// # Errors
    /// When it is not granted, cannot be read, is not UTF-8 or makes no sense; a good answer to
    /// [`Lifecycle::init`](crate::Lifecycle::init).
    pub fn open(path: impl Into<String>, parse: fn(&str) -> Result<T, String>) -> Result<Self, String> {
        let path = path.into();
        let version = version(&path).map_err(|why| why.about(&path))?;
        let value = load(&path, parse)?;
        Ok(Self { path, parse, version, is_gone: false, value })
    }

    /// What the file means, as far as is known.
    pub fn get(&mut self) -> &T {
        match version(&self.path) {
            Ok(version) if version != self.version => {
                (self.version, self.is_gone) = (version, false);
                self.reload();
            }
            Ok(_) => self.is_gone = false,
            Err(_) if self.is_gone => {}
            Err(why) => {
                self.is_gone = true;
                crate::error!("what was read before stays in force: {}", why.about(&self.path));
            }
        }
        &self.value
    }

    fn reload(&mut self) {
        match load(&self.path, self.parse) {
            Ok(value) => {
                self.value = value;
                crate::info!(file = self.path; "the file has changed and was read again");
            }
            Err(why) => crate::error!("what was read before stays in force: {why}"),
        }
    }
}

fn load<T>(path: &str, parse: fn(&str) -> Result<T, String>) -> Result<T, String> {
    let bytes = read(path).map_err(|why| why.about(path))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{path}: not UTF-8"))?;
    // Editors of one platform begin files with a byte order mark.
    parse(text.strip_prefix('\u{feff}').unwrap_or(&text)).map_err(|why| format!("{path}: {why}"))
}
