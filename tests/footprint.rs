//! What connections cost the process, its allocator's share included, and that bursts do not add up. To the byte it is counted
//! in `broker/server/src/start/footprint.rs`; here it is the real binary, and the system's word for it.
#![cfg(target_os = "linux")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use midge_protocol::{ProtocolVersion, QoS};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;

use crate::support::pki::Pki;
use crate::support::{Client, PATIENCE, Server, stream};

/// Thousands of connections write no thousands of lines.
const QUIET: &str = "[log]\nfilter = \"warn\"\n";

#[test]
fn an_idle_connection_with_a_subscription_costs_no_more_than_4_kib() {
    let server = Server::with(QUIET);
    let each = each(&server, 500..2500, |number| {
        let mut client = Client::open(server.address(), ProtocolVersion::V311);
        client.say_hello(&format!("idle-{number}"), |_| {});
        client
    });
    assert!(each <= 4096, "{each} bytes");
}

#[test]
fn with_tls_it_costs_no_more_than_16_kib() {
    let directory = TempDir::new().unwrap();
    let pki = Pki::in_directory(&directory);
    let config =
        "[[listener]]\naddress = \"127.0.0.1:0\"\ntls = { certificate = \"server.pem\", key = \"server.key\" }\n";
    let server = Server::beside(directory, &format!("{config}{QUIET}"));
    let trusting = pki.client(None);
    let each = each(&server, 200..800, |number| {
        let stream = stream::tls(server.address(), Arc::clone(&trusting));
        let mut client = Client::over(Box::new(stream), ProtocolVersion::V311);
        client.say_hello(&format!("idle-{number}"), |_| {});
        client
    });
    assert!(each <= 16 * 1024, "{each} bytes");
}

/// What each of these clients costs, once there are those before them.
fn each(server: &Server, numbers: std::ops::Range<usize>, connect: impl Fn(usize) -> Client) -> u64 {
    allow_open_files(numbers.end as u64 + 1000);
    let subscribed = |number: usize| {
        let mut client = connect(number);
        client.subscribe(&format!("idle/{number}/state"), QoS::AtMostOnce);
        client
    };
    let _first: Vec<_> = (0..numbers.start).map(subscribed).collect();
    let before = held(server);
    let clients: Vec<_> = numbers.map(subscribed).collect();
    let each = held(server).saturating_sub(before) / clients.len() as u64;
    eprintln!("{each} bytes a connection");
    each
}

/// What the broker let go of, its allocator may keep: for whoever comes next.
#[test]
fn bursts_of_connections_do_not_add_up() {
    let server = Server::with(QUIET);
    allow_open_files(3500);
    let burst = || {
        let visitor = |number: usize| {
            let mut client = Client::connect(&server, ProtocolVersion::V5, &format!("visitor-{number}"));
            client.subscribe(&format!("visit/{number}/+"), QoS::AtLeastOnce);
            client
        };
        let visitors: Vec<_> = (0..2500).map(visitor).collect();
        let at_the_peak = held(&server);
        drop(visitors);
        falls_to(0, || server.metric("midge_connections", &[]) as u64);
        at_the_peak
    };
    let before = held(&server);
    let first = burst() - before;
    for _ in 0..3 {
        let again = burst().saturating_sub(before);
        assert!(again < first * 3, "{} KiB, {} the first time", again / 1024, first / 1024);
    }
}

/// Memory of the process that is in use and no file's, in bytes.
fn held(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().strip_suffix("kB").unwrap().trim().parse::<u64>().unwrap() * 1024
}

/// Waits until so much is left of it, or less.
fn falls_to(most: u64, of: impl Fn() -> u64) {
    let deadline = Instant::now() + PATIENCE;
    while of() > most {
        assert!(Instant::now() < deadline, "it stays at {}, above {most}", of());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// As many as the test needs, if the system lets this process and the brokers that it starts have them.
fn allow_open_files(count: u64) {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.current.map(|current| current.max(count));
    setrlimit(Resource::Nofile, Rlimit { current, ..limit }).expect("the tests may open some thousand files");
}
