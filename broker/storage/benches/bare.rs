//! What it costs to queue messages durably without a broker around the store: the same load as `midge-bench durable`, with the
//! same figures, one line of JSON for each rate. `cargo bench --bench bare -- SECONDS DIRECTORY`.

#![allow(clippy::print_stdout, reason = "a command speaks to the person who typed it")]

use std::collections::VecDeque;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use midge_core::{
    BodyId, Change, ConnectionNumber, DeliveryRecord, Durability, EntryNumber, Message, SessionNumber, SessionRecord,
    Store, Ticket,
};
use midge_protocol::{QoS, TopicName};
use midge_storage::{Event, Progress, Settings, Storage};

/// Batches that wait for their tickets: when each message was due.
type Waiting = Arc<(Mutex<VecDeque<(Ticket, Vec<Duration>)>>, Condvar)>;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let seconds: f64 = arguments.next().map_or(Ok(3.0), |text| text.parse())?;
    let directory = arguments.next().map_or_else(|| std::env::temp_dir().join("midge-bare"), PathBuf::from);
    for rate in [1000, 10_000, 50_000] {
        let directory = directory.join(rate.to_string());
        println!("{}", measure(rate, Duration::from_secs_f64(seconds), &directory)?);
    }
    Ok(())
}

fn measure(rate: u32, length: Duration, directory: &Path) -> Result<serde_json::Value, Box<dyn Error>> {
    let mut storage = Storage::open(Settings {
        directory: directory.to_owned(),
        commit_interval: Duration::ZERO,
        cache_bytes: 64 << 20,
        waiting_bytes_max: 64 << 20,
    })?;
    storage.recover(&Progress::default(), &mut |_| ())?;
    let store = storage.handle();
    let start = Instant::now();
    let waiting = Waiting::default();
    let latencies = Arc::new(Mutex::new(Vec::new()));
    let (told, handle, done) = (Arc::clone(&waiting), storage.handle(), Arc::clone(&latencies));
    storage.start(move |event| {
        if event == Event::Committed {
            committed(&told, &handle, start, &done);
        }
    })?;
    let mut changes: Vec<Change> = (1..=SESSIONS).map(session).collect();
    store.append(&mut changes, Some(Durability::Fsync));

    let before = (cpu_seconds()?, written_bytes()?);
    let (begin, interval) = (start.elapsed(), Duration::from_secs(1) / rate);
    let (mut due, mut number) = (begin, 0);
    while due < begin + length {
        thread::sleep(due.saturating_sub(start.elapsed()));
        let (now, mut batch) = (start.elapsed(), Vec::new());
        while due <= now {
            changes.push(queued(number));
            batch.push(due);
            due += interval;
            number += 1;
        }
        // Told of before it can be durable.
        let mut waiting = waiting.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ticket = store.append(&mut changes, Some(Durability::Fsync));
        waiting.push_back((ticket, batch));
    }
    let (lock, emptied) = &*waiting;
    let mut left = lock.lock().unwrap_or_else(PoisonError::into_inner);
    while !left.is_empty() {
        left = emptied.wait(left).unwrap_or_else(PoisonError::into_inner);
    }
    drop(left);
    let (took, after) = (start.elapsed() - begin, (cpu_seconds()?, written_bytes()?));
    let mut latencies = std::mem::take(&mut *latencies.lock().unwrap_or_else(PoisonError::into_inner));
    latencies.sort_unstable();
    let quantile = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize].as_micros() as f64;
    Ok(serde_json::json!({
        "scenario": format!("durable,{rate}/s"),
        "rate": rate,
        "acknowledged_per_second": (f64::from(number) / took.as_secs_f64()).round(),
        "acknowledged_p50_us": quantile(0.5),
        "acknowledged_p99_us": quantile(0.99),
        "acknowledged_max_us": quantile(1.0),
        "broker_cpu_us_per_message": (after.0 - before.0) * 1e6 / f64::from(number),
        "broker_written_bytes_per_message": ((after.1 - before.1) as f64 / f64::from(number)).round(),
    }))
}

/// Takes off what is durable.
fn committed(waiting: &Waiting, store: &impl Store, start: Instant, latencies: &Mutex<Vec<Duration>>) {
    let (lock, emptied) = &**waiting;
    let mut waiting = lock.lock().unwrap_or_else(PoisonError::into_inner);
    let mut latencies = latencies.lock().unwrap_or_else(PoisonError::into_inner);
    let now = start.elapsed();
    while let Some((_, batch)) = waiting.pop_front_if(|(ticket, _)| store.is_durable(*ticket)) {
        latencies.extend(batch.into_iter().map(|due| now.saturating_sub(due)));
    }
    if waiting.is_empty() {
        emptied.notify_one();
    }
}

fn session(number: u64) -> Change {
    Change::Session {
        session: SessionNumber(number),
        by: ConnectionNumber(number),
        record: SessionRecord {
            client_id: format!("bare-{number}").into(),
            principal: None,
            session_expiry: u32::MAX,
            expires_at: None,
            will: None,
            will_due: None,
        },
    }
}

fn queued(number: u32) -> Change {
    let number = u64::from(number);
    let topic = TopicName::new("durable/bare").expect("a topic");
    Change::Queued {
        session: SessionNumber(number % SESSIONS + 1),
        entry: EntryNumber(number / SESSIONS + 1),
        body: BodyId(number + 1),
        message: Message::new(topic, vec![b'x'; PAYLOAD_BYTES]).with_qos(QoS::AtLeastOnce),
        delivery: DeliveryRecord { qos: QoS::AtLeastOnce, retain: false, subscription_ids: Vec::new(), shared: None },
    }
}

/// CPU seconds of this process, as Linux counts them in hundredths.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = text.rsplit_once(')').ok_or("/proc/self/stat is not as expected")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(ticks as f64 / 100.0)
}

/// Bytes that this process has caused to be written to a disk.
fn written_bytes() -> Result<u64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/self/io")?;
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    Ok(line.ok_or("/proc/self/io is not as expected")?.parse()?)
}

const SESSIONS: u64 = 100;
const PAYLOAD_BYTES: usize = 256;
