//! What connections hold in memory, to the byte: all that the broker allocates on the one thread that drives them is counted,
//! TLS and the runtime's own parts included. What an allocator adds is measured end to end, in `tests/footprint.rs`.

#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

mod client;

use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::*;
use crate::config::Listener;
use crate::runtime::Shard;

use client::{Client, Opener};

const PATIENCE: Duration = Duration::from_secs(30);

/// A broker that does everything on the thread of its test.
struct House {
    shard: Shard,
    admission: Admission,
    address: SocketAddr,
    _stop: watch::Sender<bool>,
}

impl House {
    fn open(listener: Listener) -> Self {
        let mut config = Config::default();
        config.listeners = vec![listener];
        // Nobody waits for who does not read.
        config.limits.slow_down_max = Duration::ZERO;
        let shard = Shard::alone();
        let plugins = Plugins::new(&config, &[], None).unwrap();
        let host = shard.block_on(plugins.load(&config)).unwrap();
        let node = Arc::new(node(&config, host, &plugins, None, Clock::start(Time(0))));
        let admission = Admission::new(config.limits.connections_max, 0);
        let listeners = Listeners::bind(&config, 1, &admission, &node.metrics).unwrap();
        let address = listeners.each().next().unwrap().address();
        let (stop, stopping) = watch::channel(false);
        let serve = move |accepted| handshake::serve(Arc::clone(&node), accepted);
        listeners.serve(std::slice::from_ref(&shard), &stopping, &serve).unwrap();
        Self { shard, admission, address, _stop: stop }
    }

    /// Drives the broker until its clients, on a thread of their own, have done their work. Returns what that made of them,
    /// and the bytes that the broker holds more since.
    fn during<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> (T, i64) {
        let (done, finished) = oneshot::channel();
        let worker = thread::spawn(move || done.send(work()).is_ok());
        let mut result = None;
        let counted = allocation_counter::measure(|| {
            result = self.shard.block_on(async {
                let result = timeout(PATIENCE, finished).await.unwrap().ok();
                settle().await;
                result
            });
        });
        assert!(worker.join().unwrap());
        (result.unwrap(), counted.bytes_current)
    }

    /// Drives the broker until its last connection is gone, and the wheel has forgotten them all. Returns the bytes that it
    /// holds more since.
    fn until_empty(&self) -> i64 {
        let counted = allocation_counter::measure(|| {
            self.shard.block_on(async {
                timeout(PATIENCE, self.admission.idle()).await.unwrap();
                settle().await;
            });
            self.shard.timers().turn_around();
        });
        counted.bytes_current
    }

    /// Connects clients, each with a subscription of its own.
    fn connect(&self, numbers: std::ops::Range<usize>, open: &Opener) -> (Vec<Client>, i64) {
        let (address, open) = (self.address, open.clone());
        self.during(move || numbers.map(|number| Client::subscribed(open(address), number)).collect())
    }
}

/// Lets tasks end what they have begun: who was answered may still be in the middle of a step.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

fn anywhere() -> Listener {
    Listener::new("here", (Ipv4Addr::LOCALHOST, 0).into())
}

/// What each of 256 connections holds, and what is left of each when all are gone. Before that others were here, so that
/// everything is there that is kept from one to the next.
fn each(house: &House, open: &Opener) -> (i64, i64) {
    drop(house.connect(0..320, open));
    house.until_empty();
    let (first, before) = house.connect(0..64, open);
    let (clients, held) = house.connect(64..320, open);
    let (each, all) = (clients.len(), clients.len() + first.len());
    drop((first, clients));
    let left = before + held + house.until_empty();
    (held / each as i64, left / all as i64)
}

#[test]
fn an_idle_connection_with_a_subscription_holds_little_and_leaves_nothing() {
    let (held, left) = each(&House::open(anywhere()), &client::tcp());
    eprintln!("plain TCP: {held} bytes, {left} left");
    assert!(held <= 1400, "{held} bytes");
    assert!(left <= 16, "{left} bytes are left of each");
}

#[test]
fn tls_adds_what_rustls_keeps_and_no_buffers_of_ours() {
    let directory = tempfile::TempDir::new().unwrap();
    let (settings, open) = client::tls(directory.path());
    let mut listener = anywhere();
    listener.tls = Some(settings);
    let (held, left) = each(&House::open(listener), &open);
    eprintln!("TLS: {held} bytes, {left} left");
    assert!(held <= 10 * 1024, "{held} bytes");
    assert!(left <= 16, "{left} bytes are left of each");
}

#[test]
fn what_a_burst_needed_is_given_back_when_it_is_over() {
    let house = House::open(anywhere());
    let open = client::narrow();
    let (mut clients, _) = house.connect(0..READERS, &open);
    let address = house.address;
    // Nobody reads: what does not fit into the sockets, some MiB each, waits in the outboxes, up to one.
    let (mut clients, at_the_peak) = house.during(move || {
        let mut publisher = Client::subscribed(open(address), READERS);
        for number in 0..READERS * 200 {
            publisher.publish(&client::topic(number % READERS), 50_000);
        }
        publisher.ping();
        clients.push(publisher);
        clients
    });
    assert!(at_the_peak > 8 << 20, "{at_the_peak} bytes make no burst");
    let (clients, released) = house.during(move || {
        clients.iter_mut().for_each(Client::ping);
        clients
    });
    let left = at_the_peak + released;
    assert!(left < 1 << 20, "{left} bytes are left of {at_the_peak}");
    drop(clients);
}

const READERS: usize = 16;
