//! How much memory the broker has at its highest.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::{Broker, process};

/// Looks again and again at how much memory the broker has.
pub(crate) struct Watch {
    highest: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
}

impl Watch {
    pub(crate) fn start(broker: &Broker) -> io::Result<Self> {
        let watch = Self { highest: Arc::default(), over: Arc::default() };
        let Some(pid) = broker.pid else { return Ok(watch) };
        let (highest, over) = (Arc::clone(&watch.highest), Arc::clone(&watch.over));
        thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                if let Ok(bytes) = process::resident_bytes(pid) {
                    highest.fetch_max(bytes, Ordering::Relaxed);
                }
                thread::sleep(Duration::from_millis(5));
            }
        });
        Ok(watch)
    }

    /// The most since the last look.
    pub(crate) fn take_highest(&self) -> u64 {
        self.highest.swap(0, Ordering::Relaxed)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}
