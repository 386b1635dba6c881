//! QoS 2 messages from the client: which Packet Identifiers were routed and not yet released.

use midge_protocol::PacketId;

/// The Packet Identifiers between PUBLISH and PUBREL (4.3.3). They outlive the connection.
///
/// A sorted vector: few at a time, mostly at the end, and no memory when there are none.
#[derive(Debug, Default)]
pub(crate) struct ReceivedIds(Vec<PacketId>);

impl ReceivedIds {
    pub(crate) fn contains(&self, id: PacketId) -> bool {
        self.0.binary_search(&id).is_ok()
    }

    /// Whether it was new.
    pub(crate) fn insert(&mut self, id: PacketId) -> bool {
        match self.0.binary_search(&id) {
            Ok(_) => false,
            Err(at) => {
                self.0.insert(at, id);
                true
            }
        }
    }

    /// Whether it was there.
    pub(crate) fn remove(&mut self, id: PacketId) -> bool {
        let Ok(at) = self.0.binary_search(&id) else { return false };
        self.0.remove(at);
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
        true
    }
}
