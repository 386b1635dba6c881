//! Colours, for a terminal whose owner wants them.

use std::fmt::Display;
use std::io::IsTerminal;

/// How one stream is written to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    is_coloured: bool,
}

impl Style {
    /// The style of a stream: plain unless it is a terminal, and plain wherever `NO_COLOR` is set.
    pub(super) fn of(stream: &impl IsTerminal) -> Self {
        let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { is_coloured: stream.is_terminal() && !is_refused }
    }

    /// What is as it should be.
    pub(super) fn good(self, text: impl Display) -> String {
        self.in_colour(32, text)
    }

    /// What is not as it should be.
    pub(super) fn bad(self, text: impl Display) -> String {
        self.in_colour(31, text)
    }

    /// What wants a look.
    pub(super) fn warning(self, text: impl Display) -> String {
        self.in_colour(33, text)
    }

    /// What matters less.
    pub(super) fn dim(self, text: impl Display) -> String {
        self.in_colour(2, text)
    }

    fn in_colour(self, code: u8, text: impl Display) -> String {
        if self.is_coloured { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
}
