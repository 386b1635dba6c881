//! Says in the log when the disk does not keep up, and when it does again.

use std::time::{Duration, Instant};

use midge_core::{Health, Store};
use midge_storage::Handle;
use tracing::{info, warn};

/// What was said last.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    slow: Option<Slow>,
}

#[derive(Debug)]
struct Slow {
    since: Instant,
    /// When it was last seen to be slow.
    seen: Instant,
    /// Whether it was so slow that messages were refused.
    refused: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Said {
    Behind,
    Refusing,
    KeepsUp { after: Duration },
}

impl Watch {
    /// Looks at the store; to be called about once a second.
    pub(crate) fn look(&mut self, store: &Handle) {
        // A disk that fails is another matter, which the store tells of by itself.
        if store.failure().is_some() {
            return;
        }
        let said = self.judge(store.health(), Instant::now());
        let waiting = || store.statistics().bytes_waiting;
        match said {
            Some(Said::Behind) => warn!(
                bytes_waiting = waiting(),
                "the disk does not keep up: publishers of messages that must survive are slowed down. A faster disk, a larger \
                 store.commit_interval_ms, or another durability for topics that can do without it would help"
            ),
            Some(Said::Refusing) => warn!(
                bytes_waiting = waiting(),
                "the disk is much too slow: messages that must survive are refused with 0x97 until it has caught up"
            ),
            Some(Said::KeepsUp { after }) => info!(?after, "the disk keeps up again"),
            None => {}
        }
    }

    fn judge(&mut self, health: Health, now: Instant) -> Option<Said> {
        let refuses = matches!(health, Health::Refusing(_));
        match (&mut self.slow, health) {
            (None, Health::Good) => None,
            (None, _) => {
                self.slow = Some(Slow { since: now, seen: now, refused: refuses });
                Some(if refuses { Said::Refusing } else { Said::Behind })
            }
            (Some(slow), Health::Good) => {
                // One that comes and goes is one, and one pair of lines.
                (now - slow.seen >= QUIET)
                    .then(|| Said::KeepsUp { after: slow.seen - slow.since })
                    .inspect(|_| self.slow = None)
            }
            (Some(slow), _) => {
                slow.seen = now;
                let worse = refuses && !slow.refused;
                slow.refused |= refuses;
                worse.then_some(Said::Refusing)
            }
        }
    }
}

/// How long it must have kept up to be said to.
const QUIET: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use midge_protocol::ReasonCode;

    use super::*;

    #[test]
    fn a_disk_that_comes_and_goes_is_told_of_once() {
        let mut watch = Watch::default();
        let start = Instant::now();
        let mut look = |second, health| watch.judge(health, start + Duration::from_secs(second));
        assert_eq!(look(0, Health::Good), None);
        assert_eq!(look(1, Health::Behind), Some(Said::Behind));
        assert_eq!(look(2, Health::Good), None);
        assert_eq!(look(3, Health::Behind), None);
        assert_eq!(look(4, Health::Refusing(ReasonCode::QuotaExceeded)), Some(Said::Refusing));
        assert_eq!(look(5, Health::Refusing(ReasonCode::QuotaExceeded)), None);
        assert_eq!(look(6, Health::Behind), None);
        assert_eq!(look(15, Health::Good), None);
        assert_eq!(look(16, Health::Good), Some(Said::KeepsUp { after: Duration::from_secs(5) }));
        assert_eq!(look(17, Health::Good), None);
        assert_eq!(look(18, Health::Refusing(ReasonCode::QuotaExceeded)), Some(Said::Refusing));
    }
}
