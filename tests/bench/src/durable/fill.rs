//! A broker that has much to remember, and what it does with that when it starts.

use std::io;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use super::{Publisher, Template, make_sessions};
use crate::client::Client;
use crate::frames::{Inbox, PUBLISH};
use crate::run::rounded;
use crate::{Broker, process};

/// What it is to remember.
#[derive(Args, Debug)]
pub(crate) struct Settings {
    /// Persistent sessions, all offline
    #[arg(long, default_value_t = 10_000)]
    sessions: usize,
    /// Messages that wait for them, in turn
    #[arg(long, default_value_t = 1_000_000)]
    messages: usize,
    /// Retained messages
    #[arg(long, default_value_t = 1_000_000)]
    retained: usize,
    /// Length of each payload
    #[arg(long, default_value_t = 256)]
    payload: usize,
}

/// Fills the broker and says what that took.
pub(crate) fn measure(broker: &Broker, settings: &Settings) -> io::Result<Value> {
    let start = Instant::now();
    make_sessions(broker, &|number| (session(number), topic(number)), settings.sessions)?;
    let sessions_seconds = start.elapsed().as_secs_f64();
    let payload = vec![b'x'; settings.payload];
    let start = Instant::now();
    upload(broker, settings.messages, &|number| Template::new(&topic(number % settings.sessions), false, &payload))?;
    let messages_seconds = start.elapsed().as_secs_f64();
    let start = Instant::now();
    upload(broker, settings.retained, &|number| {
        Template::new(&format!("kept/{}/{}/{}", number / 10_000, number / 100 % 100, number % 100), true, &payload)
    })?;
    Ok(json!({
        "scenario": "fill",
        "sessions": settings.sessions,
        "messages": settings.messages,
        "retained": settings.retained,
        "payload_bytes": settings.payload,
        "sessions_seconds": rounded(sessions_seconds),
        "messages_seconds": rounded(messages_seconds),
        "retained_seconds": rounded(start.elapsed().as_secs_f64()),
        "broker_resident_bytes": broker.pid.map(process::resident_bytes).transpose()?,
        "broker_written_bytes": broker.pid.map(process::written_bytes).transpose()?,
    }))
}

/// Publishes so many messages as fast as they are taken.
pub(super) fn upload(
    broker: &Broker,
    count: usize,
    template: &(impl Fn(usize) -> io::Result<Template> + Sync),
) -> io::Result<()> {
    let send = |first: usize| -> io::Result<()> {
        let mut publisher = Publisher::connect(broker, &format!("bench-loader-{first}"), Instant::now(), |_| ())?;
        let mut bytes = Vec::new();
        for number in (first..count).step_by(LOADERS) {
            publisher.add(&template(number)?, 0, &mut bytes);
            if bytes.len() > BATCH_BYTES {
                publisher.send(&mut bytes)?;
            }
        }
        publisher.send(&mut bytes)?;
        publisher.finish()
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..LOADERS).map(|first| scope.spawn(move || send(first))).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap_or_else(|_| Err(io::Error::other("a thread panicked"))))
    })
}

/// To be started together with the broker.
pub(crate) fn first(broker: &Broker) -> io::Result<Value> {
    let start = Instant::now();
    while TcpStream::connect(broker.address).is_err() {
        if start.elapsed() > START_PATIENCE {
            return Err(io::Error::other("the broker does not serve"));
        }
        thread::sleep(Duration::from_millis(1));
    }
    let open = start.elapsed();
    let resident = broker.pid.map(process::resident_bytes).transpose()?;
    let mut stream = Client::connect_persistent(broker, &session(1))?.into_stream()?;
    let (mut inbox, mut seen) = (Inbox::new(64 * 1024), 0);
    while seen == 0 {
        if !inbox.read(&mut stream, |frame| seen += usize::from(frame.kind() == PUBLISH))? {
            return Err(io::Error::other("the broker closed before it sent anything"));
        }
    }
    Ok(json!({
        "scenario": "first",
        "listening_seconds": rounded(open.as_secs_f64()),
        "broker_resident_bytes_listening": resident,
        "first_message_seconds_after": rounded((start.elapsed() - open).as_secs_f64()),
        "broker_resident_bytes": broker.pid.map(process::resident_bytes).transpose()?,
    }))
}

fn session(number: usize) -> String {
    format!("bench-filled-{number}")
}

fn topic(number: usize) -> String {
    format!("filled/{number}")
}

const LOADERS: usize = 4;
const BATCH_BYTES: usize = 64 * 1024;
const START_PATIENCE: Duration = Duration::from_secs(600);
