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

/// Reads the lines of a file that has one entry in each, without the spaces around them; empty ones and those that begin with `#`
/// are comments.
///
/// # Errors
/// What `add` says of every line that it does not take, with the line's number.
pub fn lines<'a>(text: &'a str, mut add: impl FnMut(&'a str) -> Result<(), String>) -> Result<(), String> {
    let entries = (1..).zip(text.lines().map(str::trim)).filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let wrong = entries.filter_map(|(number, line)| add(line).err().map(|why| format!("line {number}: {why}")));
    let wrong: Vec<String> = wrong.collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}

fn load<T>(path: &str, parse: fn(&str) -> Result<T, String>) -> Result<T, String> {
    let bytes = read(path).map_err(|why| why.about(path))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{path}: not UTF-8"))?;
    // Editors of one platform begin files with a byte order mark.
    parse(text.strip_prefix('\u{feff}').unwrap_or(&text)).map_err(|why| format!("{path}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_that_is_not_taken_is_named_and_comments_are_none() {
        let mut taken = Vec::new();
        let text = "# one\n\n  two \r\nbad 3\n\t# four\nfive\nbad 6";
        let said = lines(text, |line| {
            if let Some(number) = line.strip_prefix("bad ") {
                return Err(format!("{number} is bad"));
            }
            taken.push(line);
            Ok(())
        });
        assert_eq!(said, Err("line 4: 3 is bad; line 7: 6 is bad".to_owned()));
        assert_eq!(taken, ["two", "five"]);
        assert_eq!(lines("", |line| Err(line.to_owned())), Ok(()));
    }
}
