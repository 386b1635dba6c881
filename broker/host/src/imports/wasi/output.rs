//! Standard output and standard error: lines of the plugin's log.

use super::super::PluginState;
use super::super::log;
use crate::bindings::midge::plugin::log::Level;

/// What a guest writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// Standard output: lines of level info.
    Out,
    /// Standard error: lines of level warn.
    Err,
}

impl Stream {
    /// The stream behind a handle; none for one that stands for nothing.
    pub(super) const fn of(rep: u32) -> Option<Self> {
        match rep {
            1 => Some(Self::Out),
            2 => Some(Self::Err),
            _ => None,
        }
    }

    /// What a handle of it carries.
    pub(super) const fn rep(self) -> u32 {
        match self {
            Self::Out => 1,
            Self::Err => 2,
        }
    }

    const fn level(self) -> Level {
        match self {
            Self::Out => Level::Info,
            Self::Err => Level::Warn,
        }
    }
}

/// What was written and is no whole line yet, of both streams.
#[derive(Debug, Default)]
pub(in crate::imports) struct Output {
    out: Vec<u8>,
    err: Vec<u8>,
}

impl Output {
    /// Adds what was written; gives the lines that are whole now. One that is longer than the log takes is cut into several.
    fn add(&mut self, stream: Stream, bytes: &[u8]) -> Vec<String> {
        let begun = match stream {
            Stream::Out => &mut self.out,
            Stream::Err => &mut self.err,
        };
        let mut lines = Vec::new();
        for byte in bytes {
            if *byte != b'\n' {
                begun.push(*byte);
            }
            if *byte == b'\n' || begun.len() >= LINE_BYTES_MAX {
                lines.extend(text(begun));
            }
        }
        lines
    }

    /// What is left at the end of a call, as if it were a line.
    fn rest(&mut self) -> impl Iterator<Item = (Stream, String)> {
        let out = text(&mut self.out).map(|line| (Stream::Out, line));
        out.into_iter().chain(text(&mut self.err).map(|line| (Stream::Err, line)))
    }
}

/// Takes a line out of what was gathered; none if there is nothing to see in it.
fn text(begun: &mut Vec<u8>) -> Option<String> {
    let line = String::from_utf8_lossy(begun).trim_end().to_owned();
    begun.clear();
    (!line.is_empty()).then_some(line)
}

impl PluginState {
    /// Writes to the plugin's log.
    pub(super) fn print(&mut self, stream: Stream, bytes: &[u8]) {
        for line in self.output.add(stream, bytes) {
            self.log_line(stream, &line);
        }
    }

    /// Writes what a call left without a line's end.
    pub(in crate::imports) fn print_rest(&mut self) {
        let rest: Vec<_> = self.output.rest().collect();
        for (stream, line) in rest {
            self.log_line(stream, &line);
        }
    }

    fn log_line(&self, stream: Stream, line: &str) {
        log::line(self, stream.level(), line);
    }
}

/// The longest line; the log cuts longer ones.
const LINE_BYTES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_becomes_lines_however_it_is_cut() {
        let mut output = Output::default();
        assert!(output.add(Stream::Out, b"one").is_empty());
        assert_eq!(output.add(Stream::Err, b"warning\n"), ["warning"]);
        assert_eq!(output.add(Stream::Out, b" line\r\n\n  and\nthe rest"), ["one line", "  and"]);
        assert_eq!(output.rest().collect::<Vec<_>>(), [(Stream::Out, "the rest".to_owned())]);
        assert_eq!(output.rest().count(), 0);
    }

    #[test]
    fn a_line_without_end_is_cut_and_nothing_piles_up() {
        let mut output = Output::default();
        let lines = output.add(Stream::Out, &vec![b'x'; 3 * LINE_BYTES_MAX + 1]);
        assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [LINE_BYTES_MAX; 3]);
        assert_eq!(output.out.len(), 1);
    }
}
