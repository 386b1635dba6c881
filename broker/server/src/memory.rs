//! The memory of the whole broker, and what happens before there is no more.
//!
//! Over three quarters of `limits.memory_bytes_max`, who publishes waits until subscribers have taken some of what there is; over
//! nine tenths nobody new is let in either. Both end by themselves when memory has become free: given back to the operating
//! system, or kept by the allocator for what comes next.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tracing::{info, warn};

use crate::metrics::resident_bytes;

/// How much of the memory that the broker may use it does use.
#[derive(Debug)]
pub(crate) struct Memory {
    /// 0: no limit.
    budget: u64,
    used: AtomicU64,
    pressure: AtomicU8,
    mark: Mutex<Mark>,
    /// How many bytes clients had sent when it was looked at last because of them.
    seen: AtomicU64,
    /// So many bytes more, and it is to be looked at again.
    step: u64,
}

/// What was seen earlier, so that what the allocator keeps for the next messages is not mistaken for messages.
#[derive(Debug, Default)]
struct Mark {
    /// Resident memory.
    resident: u64,
    /// Bytes of messages that were counted in it.
    counted: u64,
}

/// How short of memory the broker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Pressure {
    /// Not at all.
    None,
    /// Publishers wait.
    Tight,
    /// And nobody new is let in.
    Full,
}

impl Memory {
    pub(crate) fn new(budget: u64) -> Self {
        let step = if budget == 0 { u64::MAX } else { budget / STEPS };
        let (used, seen, mark) = (AtomicU64::new(0), AtomicU64::new(0), Mutex::default());
        Self { budget, used, pressure: AtomicU8::new(Pressure::None as u8), mark, seen, step }
    }

    /// Whether publishers have to wait. Cheap enough for every batch.
    pub(crate) fn is_tight(&self) -> bool {
        self.pressure() >= Pressure::Tight
    }

    /// Whether nobody new is let in.
    pub(crate) fn is_full(&self) -> bool {
        self.pressure() == Pressure::Full
    }

    pub(crate) fn pressure(&self) -> Pressure {
        match self.pressure.load(Ordering::Relaxed) {
            0 => Pressure::None,
            1 => Pressure::Tight,
            _ => Pressure::Full,
        }
    }

    /// The most that may be used; 0: no limit.
    pub(crate) fn budget(&self) -> u64 {
        self.budget
    }

    /// What was used at the last look.
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether clients have sent so much since the last time that it should be looked again; `received` is all that they have
    /// sent. Of several threads one is told.
    pub(crate) fn is_due(&self, received: u64) -> bool {
        let seen = self.seen.load(Ordering::Relaxed);
        received.saturating_sub(seen) > self.step
            && self.seen.compare_exchange(seen, received, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Says in the log if there is a limit that nobody can keep.
    pub(crate) fn announce(&self) {
        if self.budget > 0 && resident_bytes().is_none() {
            info!(
                "limits.memory_bytes_max has no effect: this operating system does not say (in /proc/self/status) how much memory \
                 the broker uses"
            );
        }
    }

    /// Looks at the process, of whose memory so many bytes are counted as messages, and says when to look again. None: never,
    /// there is no limit, or nobody who could tell.
    pub(crate) fn look(&self, counted: u64) -> Option<Duration> {
        if self.budget == 0 {
            return None;
        }
        let resident = resident_bytes()?;
        let used = self.mark.lock().used(resident, counted, self.budget / FALLS);
        self.turn(used);
        Some(if used < self.budget / 2 { SELDOM } else { OFTEN })
    }

    /// Draws the consequence of a look, and says what changed.
    fn turn(&self, used: u64) {
        self.used.store(used, Ordering::Relaxed);
        let before = self.pressure();
        let after = judge(before, used, self.budget);
        if self.pressure.swap(after as u8, Ordering::Relaxed) == after as u8 {
            return;
        }
        let (used_bytes, budget_bytes) = (used, self.budget);
        match after {
            Pressure::None => info!(used_bytes, budget_bytes, "there is memory again: publishers go on"),
            Pressure::Tight if before == Pressure::Full => {
                info!(used_bytes, budget_bytes, "there is memory for new clients again; publishers still wait");
            }
            Pressure::Tight => warn!(
                used_bytes,
                budget_bytes,
                "memory is short: publishers wait until subscribers have taken what waits for them. If it does not end by itself, \
                 raise limits.memory_bytes_max, or lower limits.queued_bytes_max, limits.outbox_bytes_max or \
                 limits.retained_bytes_max"
            ),
            Pressure::Full => warn!(
                used_bytes,
                budget_bytes,
                "memory is very short: new clients are refused with 0x97 (MQTT 3: server unavailable). Raise \
                 limits.memory_bytes_max, or lower what one client may use"
            ),
        }
    }
}

impl Mark {
    /// How much of the resident memory is used. What messages took at the mark, and do not take any more, is free, whether or not
    /// the allocator has given it back. Where there is more of everything all the same, it was not as free as that. A fall of
    /// `fall` or more is where to begin anew.
    fn used(&mut self, resident: u64, counted: u64, fall: u64) -> u64 {
        let taken = self.counted.saturating_sub(counted).min(self.resident);
        let (risen, fallen) = (resident.saturating_sub(self.resident), self.resident.saturating_sub(resident));
        let free = taken.saturating_sub(fallen).saturating_sub(risen.saturating_mul(DOUBT)).min(resident);
        if free == 0 || fallen >= fall {
            *self = Self { resident, counted: counted + free };
        }
        resident - free
    }
}

/// How short memory is. It is so until there is clearly more, so that it does not come and go with each message.
fn judge(before: Pressure, used: u64, budget: u64) -> Pressure {
    let is_over =
        |percent: u64, lasts: bool| used > budget / 100 * if lasts { percent - LASTS_PERCENT } else { percent };
    if is_over(FULL_PERCENT, before == Pressure::Full) {
        Pressure::Full
    } else if is_over(TIGHT_PERCENT, before >= Pressure::Tight) {
        Pressure::Tight
    } else {
        Pressure::None
    }
}

const TIGHT_PERCENT: u64 = 75;
const FULL_PERCENT: u64 = 90;
/// It is looked at again whenever clients have sent this part of the budget.
const STEPS: u64 = 128;
/// What the memory has risen by is so many times more than was free in the wrong place.
const DOUBT: u64 = 8;
/// A fall by this part of the budget is one.
const FALLS: u64 = 16;
/// So far below its beginning each ends.
const LASTS_PERCENT: u64 = 3;
const SELDOM: Duration = Duration::from_millis(250);
const OFTEN: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_rises_at_three_quarters_and_nine_tenths_and_falls_a_little_later() {
        let memory = Memory::new(1000);
        let mut seen = Vec::new();
        for resident in [700, 750, 760, 740, 730, 910, 890, 860, 740, 720, 2000, 0] {
            memory.turn(resident);
            seen.push(memory.pressure());
        }
        use Pressure::{Full, None, Tight};
        assert_eq!(seen, [None, None, Tight, Tight, Tight, Full, Full, Tight, Tight, None, Full, None]);
    }

    #[test]
    fn what_messages_took_is_free_until_there_is_more_of_everything() {
        let mut mark = Mark::default();
        let mut used = |resident, counted| mark.used(resident, counted, 60);
        assert_eq!(used(300, 0), 300);
        assert_eq!(used(700, 400), 700, "messages came");
        assert_eq!(used(700, 100), 400, "they went, and their memory stays with the allocator");
        assert_eq!(used(710, 100), 490, "some of it was not what was needed");
        assert_eq!(used(700, 300), 600, "others come in their place");
        assert_eq!(used(700, 100), 400);
        assert_eq!(used(500, 100), 400, "most of what was free was given back");
        assert_eq!(used(350, 0), 300, "and most of the rest");
        assert_eq!(used(400, 0), 400, "something else came, that is not counted");
        // A message that is counted for each of a thousand sessions that wait for it is not free a thousand times.
        assert_eq!(used(405, 5000), 405);
        assert_eq!(used(405, 0), 0);
        assert_eq!(used(460, 0), 460);
    }

    #[test]
    fn without_a_limit_nobody_looks() {
        let memory = Memory::new(0);
        assert_eq!(memory.look(0), None);
        assert!(!memory.is_due(u64::MAX - 1) && !memory.is_tight() && !memory.is_full());
    }
}
