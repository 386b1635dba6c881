//! Shows that something takes long: once a second, as a bar where standard output is a terminal, else as a line of the log.

use std::io::{self, IsTerminal, Write};
use std::panic::resume_unwind;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval_at};
use tracing::info;

/// How far something has come.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    pub(super) what: &'static str,
    pub(super) done: u64,
    /// 0 where it is not known.
    pub(super) total: u64,
    pub(super) detail: String,
}

impl Report {
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, ..Self::default() }
    }

    fn percent(&self) -> Option<u64> {
        (self.done.min(self.total) * 100).checked_div(self.total)
    }
}

/// Where it is shown.
pub(super) struct Display {
    started: Instant,
    is_terminal: bool,
    drawn: bool,
}

impl Display {
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), is_terminal: io::stdout().is_terminal(), drawn: false }
    }

    /// Waits for the end of `work`, and shows how it goes.
    pub(super) async fn during<T>(mut self, mut work: JoinHandle<T>, report: impl Fn() -> Report) -> T {
        let mut seconds = interval_at((self.started + SECOND).into(), SECOND);
        seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let done = loop {
            tokio::select! {
                done = &mut work => break done,
                _ = seconds.tick() => self.show(&report()),
            }
        };
        if self.drawn {
            self.draw("");
        }
        done.unwrap_or_else(|panicked| resume_unwind(panicked.into_panic()))
    }

    fn show(&mut self, report: &Report) {
        let seconds = self.started.elapsed().as_secs();
        if self.is_terminal {
            self.drawn = true;
            self.draw(&line(report, seconds));
        } else {
            info!(seconds, percent = report.percent(), detail = report.detail, "{}", report.what);
        }
    }

    /// Replaces the line that the cursor is on.
    fn draw(&self, line: &str) {
        let mut out = io::stdout();
        // A terminal that is gone is no reason to stop.
        let _ = write!(out, "\r\x1b[K{line}").and_then(|()| out.flush());
    }
}

fn line(report: &Report, seconds: u64) -> String {
    let Report { what, detail, .. } = report;
    let bar = report.percent().map_or_else(String::new, |percent| {
        let full = percent as usize * BAR / 100;
        format!(" [{}{}] {percent} %", "#".repeat(full), ".".repeat(BAR - full))
    });
    let detail = if detail.is_empty() { String::new() } else { format!(", {detail}") };
    format!("{what}{bar}, {seconds} s{detail}")
}

const SECOND: Duration = Duration::from_secs(1);

/// Characters of a whole bar.
const BAR: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_full_as_the_work_is_done() {
        let report = |done, total| Report { done, total, ..Report::new("reading") };
        assert_eq!(line(&report(0, 0), 3), "reading, 3 s");
        assert_eq!(line(&report(0, 8), 1), "reading [....................] 0 %, 1 s");
        assert_eq!(line(&report(3, 8), 2), "reading [#######.............] 37 %, 2 s");
        assert_eq!(line(&report(9, 8), 2), "reading [####################] 100 %, 2 s", "a total is an estimate");
        let told = Report { detail: "5 sessions".into(), ..report(8, 8) };
        assert_eq!(line(&told, 4), "reading [####################] 100 %, 4 s, 5 sessions");
    }
}
