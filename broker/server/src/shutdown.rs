//! Stopping: what the operating system asks for, and the time clients get to leave.
//!
//! The order is: listeners stop accepting; every client is sent DISCONNECT with 0x8B (server shutting down); its
//! task writes what is in its outbox and closes; when all are gone, or `drain_ms` is over, or the operator asks a
//! second time, the rest is cut off.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{self, SignalKind};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::listener::Admission;

/// What the operator asks for by signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGTERM or SIGINT: stop.
    Stop,
    /// SIGHUP: read configuration, certificates and plugins again.
    Reload,
}

/// The signals the broker listens to.
pub(crate) struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
    hangup: unix::Signal,
}

impl Signals {
    /// From now on these signals are delivered here instead of ending the process. Needs a runtime.
    ///
    /// # Errors
    /// The operating system does not allow it.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: unix::signal(SignalKind::terminate())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
            hangup: unix::signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Stop,
            _ = self.interrupt.recv() => Signal::Stop,
            _ = self.hangup.recv() => Signal::Reload,
        }
    }

    /// Does something that may take long, unless stopping is asked for meanwhile.
    pub(crate) async fn unless_stopped<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            () = self.stop() => None,
        }
    }

    /// Waits until stopping is asked for; reloading has no meaning any more.
    async fn stop(&mut self) {
        while self.next().await != Signal::Stop {}
    }
}

/// How the clients left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drained {
    /// Every connection is closed and its Will decided.
    Completely,
    /// The time was over with so many still open.
    TimedOut(u32),
    /// The operator asked a second time with so many still open.
    CutShort(u32),
}

/// Stops accepting through `stop`, has `disconnect_all` send every client away, and waits until the last connection of
/// `admission` is gone, for at most `limit`, or until a second signal to stop arrives.
pub(crate) async fn drain(
    stop: &watch::Sender<bool>,
    disconnect_all: impl FnOnce(),
    admission: &Admission,
    signals: &mut Signals,
    limit: Duration,
) -> Drained {
    stop.send_replace(true);
    disconnect_all();
    tokio::select! {
        left = timeout(limit, admission.idle()) => match left {
            Ok(()) => Drained::Completely,
            Err(_) => Drained::TimedOut(admission.open()),
        },
        () = signals.stop() => Drained::CutShort(admission.open()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    /// A signal reaches whoever listens in this process, so only one test does at a time.
    static SIGNALS: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

    /// Both need the process' signals, so they are one test.
    #[tokio::test]
    async fn signals_arrive_as_what_they_mean_and_a_second_stop_is_at_once() {
        let _alone = SIGNALS.lock().await;
        let mut signals = Signals::listen().unwrap();
        let send = |signal: &str| {
            let status =
                std::process::Command::new("kill").args([signal, &std::process::id().to_string()]).status().unwrap();
            assert!(status.success());
        };
        for (name, meaning) in [("-HUP", Signal::Reload), ("-TERM", Signal::Stop), ("-INT", Signal::Stop)] {
            send(name);
            assert_eq!(timeout(LONG, signals.next()).await.unwrap(), meaning);
        }

        let admission = Admission::new(5, 0);
        let _open = admission.one_place();
        let (stop, stopped) = watch::channel(false);
        send("-HUP");
        send("-TERM");
        let drained = drain(&stop, || {}, &admission, &mut signals, LONG);
        assert_eq!(timeout(LONG, drained).await.unwrap(), Drained::CutShort(1));
        assert!(*stopped.borrow());
    }

    #[tokio::test]
    async fn draining_ends_with_the_last_connection() {
        let _alone = SIGNALS.lock().await;
        let mut signals = Signals::listen().unwrap();
        let admission = Admission::new(5, 0);
        let open = std::sync::Mutex::new(vec![admission.one_place(), admission.one_place()]);
        let (stop, _stopped) = watch::channel(false);
        let told = AtomicBool::new(false);
        let disconnect_all = || {
            told.store(true, Ordering::Relaxed);
            open.lock().unwrap().clear();
        };
        assert_eq!(drain(&stop, disconnect_all, &admission, &mut signals, LONG).await, Drained::Completely);
        assert!(told.load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn draining_does_not_wait_for_ever() {
        let _alone = SIGNALS.lock().await;
        let mut signals = Signals::listen().unwrap();
        let admission = Admission::new(5, 0);
        let _open = admission.one_place();
        let (stop, _stopped) = watch::channel(false);
        let drained = drain(&stop, || {}, &admission, &mut signals, Duration::from_millis(20)).await;
        assert_eq!(drained, Drained::TimedOut(1));
    }
}
