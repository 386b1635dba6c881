//! Stores in temporary directories, and what is put into them.

use std::path::Path;
use std::time::Duration;

use midge_core::{
    BodyId, Change, ConnectionNumber, DeliveryRecord, Durability, EntryNumber, Kept, KeptSession, Message,
    SessionNumber, SessionRecord, SubscriptionRecord,
};
use midge_protocol::{PacketId, QoS, TopicName};
use midge_storage::{Progress, Settings, Storage};

/// What an acknowledgement asks for.
pub(crate) const AWAITED: Option<Durability> = Some(Durability::Fsync);

/// What an acknowledgement asks for that need not survive the loss of power.
pub(crate) const SURVIVES_KILL: Option<Durability> = Some(Durability::Os);

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn settings(directory: &Path) -> Settings {
    Settings {
        directory: directory.to_owned(),
        commit_interval: Duration::ZERO,
        cache_bytes: 1 << 20,
        waiting_bytes_max: 1 << 20,
    }
}

/// What a store has, and the store.
pub(crate) fn open(directory: &Path) -> (Storage, Vec<KeptSession>, Vec<Message>) {
    let (mut sessions, mut retained) = (Vec::new(), Vec::new());
    let storage = Storage::open(settings(directory)).unwrap();
    let recovered = storage.recover(&Progress::default(), &mut |found| match found {
        Kept::Session(session) => sessions.push(session),
        Kept::Retained(message) => retained.push(message),
    });
    recovered.unwrap();
    (storage, sessions, retained)
}

pub(crate) fn message(topic: &str) -> Message {
    Message::new(TopicName::new(topic).unwrap(), format!("payload of {topic}")).with_qos(QoS::ExactlyOnce)
}

pub(crate) fn delivery() -> DeliveryRecord {
    DeliveryRecord { qos: QoS::ExactlyOnce, retain: false, subscription_ids: Vec::new(), shared: None }
}

pub(crate) fn queued(session: u64, entry: u64, body: u64, message: &Message) -> Change {
    Change::Queued {
        session: SessionNumber(session),
        entry: EntryNumber(entry),
        body: BodyId(body),
        message: message.clone(),
        delivery: delivery(),
    }
}

pub(crate) fn record(client_id: &str) -> SessionRecord {
    let client_id = client_id.into();
    SessionRecord { client_id, principal: None, session_expiry: 60, expires_at: None, will: None, will_due: None }
}

pub(crate) fn session(session: u64, client_id: &str) -> Change {
    let by = ConnectionNumber(1);
    Change::Session { session: SessionNumber(session), by, record: record(client_id) }
}

pub(crate) fn subscription(filter: &str) -> SubscriptionRecord {
    SubscriptionRecord {
        filter: filter.into(),
        qos: QoS::AtLeastOnce,
        no_local: true,
        retain_as_published: false,
        subscription_id: None,
    }
}

/// Everything a session can have.
pub(crate) fn story(body: &Message) -> Vec<Change> {
    let session_number = SessionNumber(1);
    let id = |id| PacketId::new(id).unwrap();
    vec![
        session(1, "one"),
        Change::Subscribed { session: session_number, subscription: subscription("a/#") },
        Change::Received { session: session_number, packet_id: id(77) },
        queued(1, 1, 10, body),
        queued(1, 2, 10, body),
        queued(1, 3, 10, body),
        queued(1, 4, 10, body),
        Change::Sent { session: session_number, entry: EntryNumber(1), packet_id: id(1) },
        Change::Sent { session: session_number, entry: EntryNumber(2), packet_id: id(2) },
        Change::Released { session: session_number, entry: EntryNumber(1), packet_id: id(1) },
        Change::Finished { session: session_number, entry: EntryNumber(3) },
        Change::Retained(message("kept").with_retain(true)),
        Change::Retained(message("cleared").with_retain(true)),
        Change::RetainedCleared { topic: "cleared".into() },
    ]
}

pub(crate) fn check_story(sessions: &[KeptSession], retained: &[Message]) {
    let [found] = sessions else { panic!("{sessions:?}") };
    assert_eq!(found.record, record("one"));
    assert_eq!(found.subscriptions, [subscription("a/#")]);
    assert_eq!(found.received, [PacketId::new(77).unwrap()]);
    let deliveries: Vec<_> = found
        .deliveries
        .iter()
        .map(|one| (one.entry.0, one.packet_id.map(PacketId::get), one.message.as_ref().map(|kept| kept.body)))
        .collect();
    assert_eq!(deliveries, [(1, Some(1), None), (2, Some(2), Some(BodyId(10))), (4, None, Some(BodyId(10)))]);
    assert_eq!(retained, [message("kept").with_retain(true)]);
}

pub(crate) fn copy_directory(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_directory(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Bytes that cannot be packed.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 1u64;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(next).collect()
}
