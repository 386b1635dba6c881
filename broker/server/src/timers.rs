//! Deadlines of connections: a wheel of one-second slots for each shard.
//!
//! A deadline that keeps moving, such as Keep Alive, costs nothing when it moves: a packet stores the second in
//! which it came, and when the slot of the connection comes up it is asked for its new deadline and slotted again.
//! One entry is a weak pointer; there is no timer in a connection's task.
//!
//! The wheel's clock counts the seconds in which the broker ran. After a stop of the whole process (a suspended
//! machine, a debugger) it goes on where it was, so clients are not expired for packets that nobody read.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{MissedTickBehavior, interval};

use crate::clock::Moment;
use crate::driver::Link;

/// Something with deadlines.
pub(crate) trait Expires: Send + Sync {
    /// Called in the second that was asked for, or a little later: does what is due at `now`, and says when to be
    /// called again. `None`: there is nothing left to wait for.
    fn fire(&self, now: u32) -> Option<u32>;
}

/// The wheel of one shard.
pub(crate) struct Timers<E = Link> {
    /// Seconds this wheel has turned.
    now: AtomicU32,
    slots: Box<[Slot<E>]>,
}

impl<E: Expires> Timers<E> {
    /// A wheel at second 1, so that 0 can say "never" where a second is stored.
    pub(crate) fn new() -> Arc<Self> {
        let slots = (0..SLOTS).map(|_| Mutex::default()).collect();
        Arc::new(Self { now: AtomicU32::new(1), slots })
    }

    /// The wheel's second. Cheap enough for every packet.
    pub(crate) fn now(&self) -> u32 {
        self.now.load(Ordering::Relaxed)
    }

    /// The wheel's second of a moment in Unix seconds; one that is past is the next.
    pub(crate) fn second_of(&self, unix_seconds: Option<u64>, at: Moment) -> Option<u32> {
        let seconds_left = unix_seconds?.saturating_sub(at.wall_ms / 1000);
        Some(self.now().saturating_add(u32::try_from(seconds_left).unwrap_or(u32::MAX).max(1)))
    }

    /// Has `entry` fired at second `at`; one that is past fires with the next tick.
    pub(crate) fn watch(&self, at: u32, entry: Weak<E>) {
        let now = self.now();
        // One revolution ahead is as far as a slot can say; what is due later is asked then and slotted again.
        let at = at.clamp(now + 1, now + REACH);
        self.slot(at).lock().push(entry);
    }

    /// Turns the wheel for as long as the runtime lives.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut seconds = interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
        seconds.tick().await;
        loop {
            seconds.tick().await;
            self.turn();
        }
    }

    /// One second further.
    fn turn(&self) {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        let due = std::mem::take(&mut *self.slot(now).lock());
        for entry in due {
            let Some(next) = entry.upgrade().and_then(|live| live.fire(now)) else {
                continue;
            };
            self.watch(next, entry);
        }
    }

    /// Every slot comes up once.
    #[cfg(test)]
    pub(crate) fn turn_around(&self) {
        (0..SLOTS).for_each(|_| self.turn());
    }

    fn slot(&self, second: u32) -> &Slot<E> {
        &self.slots[(second % SLOTS) as usize]
    }
}

/// Who is to be looked at in one second.
type Slot<E> = Mutex<Vec<Weak<E>>>;

/// Slots of the wheel: an entry is looked at every so many seconds at least.
const SLOTS: u32 = 128;
/// So far ahead an entry is fired in the very second it asked for.
pub(crate) const REACH: u32 = SLOTS - 1;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

    use super::*;

    /// Expires `keep_alive` seconds after `last_received`.
    struct Client {
        last_received: AtomicU32,
        keep_alive: u32,
        asked: AtomicU32,
        expired_at: AtomicU32,
    }

    impl Client {
        fn new(keep_alive: u32) -> Arc<Self> {
            Arc::new(Self {
                last_received: AtomicU32::new(1),
                keep_alive,
                asked: AtomicU32::new(0),
                expired_at: AtomicU32::new(0),
            })
        }

        fn watched(timers: &Timers<Self>, keep_alive: u32) -> Arc<Self> {
            let client = Self::new(keep_alive);
            timers.watch(1 + keep_alive, Arc::downgrade(&client));
            client
        }

        fn expired_at(&self) -> u32 {
            self.expired_at.load(Ordering::Relaxed)
        }
    }

    impl Expires for Client {
        fn fire(&self, now: u32) -> Option<u32> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let due = self.last_received.load(Ordering::Relaxed) + self.keep_alive;
            if due > now {
                return Some(due);
            }
            self.expired_at.store(now, Ordering::Relaxed);
            None
        }
    }

    fn turn(timers: &Timers<Client>, seconds: u32) {
        for _ in 0..seconds {
            timers.turn();
        }
    }

    #[test]
    fn a_silent_client_expires_in_its_second_and_is_asked_once() {
        let timers = Timers::new();
        let client = Client::watched(&timers, 10);
        turn(&timers, 9);
        assert_eq!(client.expired_at(), 0);
        turn(&timers, 100);
        assert_eq!(client.expired_at(), 11);
        assert_eq!(client.asked.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_client_that_sends_is_slotted_again() {
        let timers = Timers::new();
        let client = Client::watched(&timers, 10);
        for _ in 0..20 {
            turn(&timers, 5);
            client.last_received.store(timers.now(), Ordering::Relaxed);
        }
        assert_eq!(client.expired_at(), 0);
        turn(&timers, 10);
        assert_eq!(client.expired_at(), 111);
        assert!(client.asked.load(Ordering::Relaxed) <= 21);
    }

    #[test]
    fn a_deadline_beyond_the_wheel_is_kept() {
        let timers = Timers::new();
        let client = Client::watched(&timers, 1000);
        turn(&timers, 999);
        assert_eq!(client.expired_at(), 0);
        turn(&timers, 1);
        assert_eq!(client.expired_at(), 1001);
    }

    #[test]
    fn a_deadline_that_is_past_fires_with_the_next_tick() {
        let timers = Timers::new();
        turn(&timers, 50);
        let client = Client::watched(&timers, 3);
        turn(&timers, 1);
        assert_eq!(client.expired_at(), 52);
    }

    #[test]
    fn a_connection_that_is_gone_leaves_the_wheel() {
        let timers = Timers::new();
        drop(Client::watched(&timers, 1));
        turn(&timers, 2);
        assert!(timers.slots.iter().all(|slot| slot.lock().is_empty()));
    }

    #[tokio::test]
    async fn the_wheel_turns_by_itself() {
        let timers = Timers::<Client>::new();
        tokio::spawn(Arc::clone(&timers).run());
        let turned = async {
            while timers.now() < 2 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), turned).await.unwrap();
    }
}
