//! How fast one client may publish: two token buckets, and the pause that pays a debt.

use std::time::Duration;

use midge_core::Time;

/// The rates of one client. Absent where no limit is set, so an unlimited client pays nothing.
#[derive(Debug)]
pub(crate) struct Pace {
    messages: Bucket,
    bytes: Bucket,
}

impl Pace {
    /// Limits of messages and bytes a second; 0 is no limit. None when neither is limited.
    pub(crate) fn new(messages_per_second: u32, bytes_per_second: u64, now: Time) -> Option<Box<Self>> {
        (messages_per_second > 0 || bytes_per_second > 0).then(|| {
            let messages = Bucket::new(u64::from(messages_per_second), now);
            Box::new(Self { messages, bytes: Bucket::new(bytes_per_second, now) })
        })
    }

    /// Takes what a read batch used and says how long the client is not read, so that its rate is kept: the
    /// sender is slowed through TCP and nothing is dropped.
    pub(crate) fn spend(&mut self, messages: u64, bytes: u64, now: Time) -> Option<Duration> {
        let pause = self.messages.spend(messages, now).max(self.bytes.spend(bytes, now));
        (pause > Duration::ZERO).then_some(pause)
    }
}

/// One second's worth of tokens at most; a batch may overdraw it, and the debt is waited out.
#[derive(Debug)]
struct Bucket {
    per_second: u64,
    /// Thousandths of a token, so that slow rates refill exactly in milliseconds.
    level: i64,
    refilled: Time,
}

impl Bucket {
    fn new(per_second: u64, now: Time) -> Self {
        Self { per_second, level: thousandths(per_second), refilled: now }
    }

    fn spend(&mut self, used: u64, now: Time) -> Duration {
        if self.per_second == 0 {
            return Duration::ZERO;
        }
        let elapsed_ms = now.0.saturating_sub(self.refilled.0);
        let earned = i64::try_from(elapsed_ms.saturating_mul(self.per_second)).unwrap_or(i64::MAX);
        self.level = self.level.saturating_add(earned).min(thousandths(self.per_second));
        self.level = self.level.saturating_sub(thousandths(used));
        self.refilled = now;
        let debt = u64::try_from(-self.level).unwrap_or(0);
        Duration::from_millis(debt.div_ceil(self.per_second))
    }
}

fn thousandths(tokens: u64) -> i64 {
    i64::try_from(tokens.saturating_mul(1000)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_limit_there_is_no_pace() {
        assert!(Pace::new(0, 0, Time(0)).is_none());
    }

    #[test]
    fn a_burst_of_one_second_is_free_and_more_is_waited_out() {
        let mut pace = Pace::new(10, 0, Time(0)).expect("limited");
        assert_eq!(pace.spend(10, 0, Time(0)), None);
        assert_eq!(pace.spend(5, 0, Time(0)), Some(Duration::from_millis(500)));
        assert_eq!(pace.spend(0, 0, Time(500)), None, "the debt is paid");
    }

    #[test]
    fn the_stricter_of_both_rates_decides() {
        let mut pace = Pace::new(1000, 100, Time(0)).expect("limited");
        assert_eq!(pace.spend(1, 200, Time(0)), Some(Duration::from_secs(1)));
    }

    #[test]
    fn idle_time_never_saves_more_than_a_second() {
        let mut pace = Pace::new(10, 0, Time(0)).expect("limited");
        assert_eq!(pace.spend(20, 0, Time(60_000)), Some(Duration::from_secs(1)));
    }
}
