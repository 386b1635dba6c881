//! QoS 2 messages from the client: which Packet Identifiers were routed and not yet released.

use midge_protocol::PacketId;

/// The Packet Identifiers between PUBLISH and PUBREL (4.3.3). They outlive the connection.
///
/// A sorted vector: few at a time, mostly at the end, and no memory but a pointer when there are none, as in most sessions.
#[derive(Debug, Default)]
pub(crate) struct ReceivedIds(Option<Sorted>);

type Sorted = Box<Vec<PacketId>>;

impl ReceivedIds {
    pub(crate) fn contains(&self, id: PacketId) -> bool {
        self.0.as_ref().is_some_and(|ids| ids.binary_search(&id).is_ok())
    }

    /// Whether it was new.
    pub(crate) fn insert(&mut self, id: PacketId) -> bool {
        let ids = self.0.get_or_insert_default();
        match ids.binary_search(&id) {
            Ok(_) => false,
            Err(at) => {
                ids.insert(at, id);
                true
            }
        }
    }

    /// Whether it was there.
    pub(crate) fn remove(&mut self, id: PacketId) -> bool {
        let Some(ids) = &mut self.0 else { return false };
        let Ok(at) = ids.binary_search(&id) else { return false };
        ids.remove(at);
        self.0.take_if(|ids| ids.is_empty());
        true
    }
}
