//! Guests, files and clients that mean harm: what they cost is their own.
//!
//! The guests are those of `tests/guests`; `hostile` commits what a user name, a topic or its configuration names.

mod access;
mod denials;
mod figures;
mod floods;
mod input;
mod messages;
mod refused;
mod reload;
mod smuggling;

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use midge_protocol::{ProtocolVersion, QoS, ReasonCode};

use crate::support::{Client, Server};

/// A component of `tests/guests`.
pub(crate) fn guest(name: &str) -> PathBuf {
    component(&std::env::var_os("MIDGE_TEST_GUESTS").map_or_else(|| built("guests"), PathBuf::from), name)
}

/// A component of `plugins`.
pub(crate) fn bundled(name: &str) -> PathBuf {
    component(&built("plugins"), name)
}

/// Where `cargo xtask plugins` puts components.
fn built(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target").join(kind)
}

fn component(directory: &Path, name: &str) -> PathBuf {
    let file = directory.join(format!("{name}.wasm"));
    assert!(file.exists(), "{} is missing; build it with: cargo xtask plugins", file.display());
    file
}

/// The `[[plugin]]` of a guest, named as the guest is, with more keys.
pub(crate) fn plugin(name: &str, more: &str) -> String {
    format!("[[plugin]]\nname = {name:?}\npath = {:?}\n{more}\n", guest(name))
}

/// How long an innocent message may take while others misbehave. The machine may be busy; the broker may not.
const PROMPT: Duration = Duration::from_secs(5);

/// Two innocent clients, one of which tells the other things with QoS 1.
pub(crate) struct Conversation {
    speaker: Client,
    listener: Client,
    said: u32,
}

impl Conversation {
    /// Clients with user names, so that a plugin is asked about them where one authenticates.
    fn start(server: &Server) -> Self {
        let mut listener = named(server, "listener");
        assert_eq!(listener.subscribe("chat/#", QoS::AtLeastOnce), ReasonCode::granted(QoS::AtLeastOnce));
        Self { speaker: named(server, "speaker"), listener, said: 0 }
    }

    /// Clients without credentials, whom nobody is asked about.
    pub(crate) fn start_anonymous(server: &Server) -> Self {
        let mut listener = Client::connect(server, ProtocolVersion::V5, "listener");
        assert_eq!(listener.subscribe("chat/#", QoS::AtLeastOnce), ReasonCode::granted(QoS::AtLeastOnce));
        Self { speaker: Client::connect(server, ProtocolVersion::V5, "speaker"), listener, said: 0 }
    }

    /// One message from end to end, promptly.
    pub(crate) fn exchange(&mut self) {
        let began = Instant::now();
        let text = self.said.to_string();
        assert!(!self.speaker.publish("chat/number", &text, QoS::AtLeastOnce).is_error(), "message {text}");
        assert_eq!(self.listener.take().text(), text);
        assert!(began.elapsed() < PROMPT, "message {text} took {:?}", began.elapsed());
        self.said += 1;
    }

    /// Talks for as long as `crime` takes, and says how long each message took.
    pub(crate) fn latencies_during<T: Send>(&mut self, crime: impl FnOnce() -> T + Send) -> (T, Latencies) {
        let mut latencies = Vec::new();
        let done = thread::scope(|scope| {
            let crime = scope.spawn(crime);
            while !crime.is_finished() {
                let began = Instant::now();
                self.exchange();
                latencies.push(began.elapsed());
            }
            crime.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        latencies.sort_unstable();
        (done, Latencies(latencies))
    }

    /// Talks for as long as `crime` takes, and once after it.
    pub(crate) fn during<T: Send>(&mut self, crime: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let crime = scope.spawn(crime);
            while !crime.is_finished() {
                self.exchange();
            }
            self.exchange();
            crime.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

/// How long messages took, shortest first.
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(crate) fn p99(&self) -> Duration {
        self.0.get(self.0.len() * 99 / 100).copied().unwrap_or_default()
    }

    pub(crate) fn worst(&self) -> Duration {
        self.0.last().copied().unwrap_or_default()
    }
}

/// A client of version 5 whose client id and user name are this.
fn named(server: &Server, name: &str) -> Client {
    Client::connect_with(server, ProtocolVersion::V5, name, |connect| connect.username = Some(name)).0
}

/// What CONNACK says to a client id with a user name, and the client.
pub(crate) fn ask(server: &Server, version: ProtocolVersion, client_id: &str, username: &str) -> (Client, ReasonCode) {
    let mut client = Client::open(server.address(), version);
    let mut hello = crate::support::client::connect(version, client_id);
    hello.username = Some(username);
    client.send(&midge_protocol::Packet::Connect(Box::new(hello)));
    let reason = client.connack(|connack| connack.reason);
    (client, reason)
}

/// How often a call of a plugin's hook ended so.
fn calls(server: &Server, plugin: &str, hook: &str, outcome: &str) -> f64 {
    server.metric("midge_plugin_calls_total", &[("plugin", plugin), ("hook", hook), ("outcome", outcome)])
}
