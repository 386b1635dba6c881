//! What a client may have of what is sent to it.

use std::sync::Arc;

use midge_core::{DeliveryQuestion, Time};
use midge_host::Host;
use midge_host::contract::{self, Answer, Denial};

use super::Client;
use super::convert::qos_to_host;

impl Client {
    /// Whether the client may have these messages: one entry for each, nothing or why not.
    pub(crate) fn ask_deliver(
        &self,
        host: &Arc<Host>,
        questions: &[DeliveryQuestion],
        now: Time,
    ) -> Answer<Vec<Option<Denial>>> {
        let question = |asked: &DeliveryQuestion| contract::DeliveryQuestion {
            topic: asked.message.topic().to_owned(),
            publisher: asked.message.publisher().cloned(),
            qos: qos_to_host(asked.qos),
            retain: asked.retain,
        };
        host.authorize_deliver(&self.identity, questions.iter().map(question).collect(), now.0)
    }
}
