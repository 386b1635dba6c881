//! One session with much to fetch: what that weighs while it is away and when it comes back.

use std::io::{self, Write};
use std::time::Instant;

use clap::Args;
use serde_json::{Value, json};

use super::fill::upload;
use super::{Template, make_sessions};
use crate::client::Client;
use crate::frames::{Inbox, PUBACK, PUBLISH};
use crate::run::rounded;
use crate::watch::Watch;
use crate::{Broker, process};

/// What waits for it.
#[derive(Args, Debug)]
pub(crate) struct Settings {
    /// How many messages
    #[arg(long, default_value_t = 1_000_000)]
    messages: usize,
    /// Length of each payload
    #[arg(long, default_value_t = 256)]
    payload: usize,
}

/// Leaves the messages, fetches them, and says what that took.
pub(crate) fn measure(broker: &Broker, settings: &Settings) -> io::Result<Value> {
    let resident = || broker.pid.map(process::resident_bytes).transpose();
    make_sessions(broker, &|_| (CLIENT_ID.to_owned(), TOPIC.to_owned()), 1)?;
    let before = resident()?;
    let payload = vec![b'x'; settings.payload];
    let watch = Watch::start(broker)?;
    let start = Instant::now();
    upload(broker, settings.messages, &|_| Template::new(TOPIC, false, &payload))?;
    let load_seconds = start.elapsed().as_secs_f64();
    let (loaded, highest_loading) = (resident()?, watch.take_highest());

    let start = Instant::now();
    let mut stream = Client::connect_persistent(broker, CLIENT_ID)?.into_stream()?;
    let (mut inbox, mut seen, mut first) = (Inbox::new(64 * 1024), 0, None);
    while seen < settings.messages {
        let mut answers = Vec::new();
        let more = inbox.read(&mut stream, |frame| {
            if let Some([high, low]) = (frame.kind() == PUBLISH).then(|| frame.publish_id()).flatten() {
                seen += 1;
                answers.extend_from_slice(&[PUBACK << 4, 2, high, low]);
            }
        })?;
        first = first.or_else(|| (seen > 0).then(|| start.elapsed()));
        stream.write_all(&answers)?;
        if !more {
            return Err(io::Error::other(format!("the broker closed after {seen} of {} messages", settings.messages)));
        }
    }
    Ok(json!({
        "scenario": "backlog",
        "messages": settings.messages,
        "payload_bytes": settings.payload,
        "load_seconds": rounded(load_seconds),
        "first_message_seconds": first.map(|first| rounded(first.as_secs_f64())),
        "fetch_seconds": rounded(start.elapsed().as_secs_f64()),
        "broker_resident_bytes_before": before,
        "broker_resident_bytes_highest_loading": highest_loading,
        "broker_resident_bytes_loaded": loaded,
        "broker_resident_bytes_highest_fetching": watch.take_highest(),
        "broker_resident_bytes_fetched": resident()?,
    }))
}

const CLIENT_ID: &str = "bench-backlog";
const TOPIC: &str = "backlog";
