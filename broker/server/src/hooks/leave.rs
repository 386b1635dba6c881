//! What a client may leave: subscriptions, and a Will.

use std::sync::Arc;

use midge_core::{Permissions, Will};
use midge_host::Host;
use midge_host::contract::{Answer, Denial, Hook, Message};
use midge_protocol::{PacketKind, ReasonCode, Unsubscribe};

use super::Client;
use super::convert::message_to_host;
use crate::ending::refusal_code;
use crate::node::Node;

impl Client {
    /// Why subscriptions stay that the client wants to end, by filter; empty where nobody is to be asked.
    pub(crate) fn ask_unsubscribe(
        self: &Arc<Self>,
        node: &Arc<Node>,
        host: &Arc<Host>,
        unsubscribe: &Unsubscribe<'_>,
    ) -> Answer<Vec<Option<ReasonCode>>> {
        if !host.is_on(Hook::AuthzUnsubscribe, &self.identity.listener) {
            return Answer::Ready(Vec::new());
        }
        let filters: Vec<String> = unsubscribe.filters.iter().map(|&filter| filter.to_owned()).collect();
        match host.authorize_unsubscribe(&self.identity, filters.clone()) {
            Answer::Ready(denials) => Answer::Ready(self.refusals(node, &filters, denials)),
            Answer::Later(denials) => {
                let (node, client) = (Arc::clone(node), Arc::clone(self));
                Answer::Later(Box::pin(async move { client.refusals(&node, &filters, denials.await) }))
            }
        }
    }

    fn refusals(&self, node: &Node, filters: &[String], denials: Vec<Option<Denial>>) -> Vec<Option<ReasonCode>> {
        let refusal = |(filter, denial): (&String, Option<Denial>)| {
            denial.map(|denial| {
                node.unsubscribe_denied(self, filter, &denial);
                refusal_code(PacketKind::Unsuback, denial.code)
            })
        };
        filters.iter().zip(denials).map(refusal).collect()
    }

    /// Whether the client may leave this Will: its topic as for any PUBLISH, then whatever plugins have to say to it.
    ///
    /// # Errors
    /// Who said no, and why.
    pub(super) async fn authorize_will(
        &self,
        node: &Node,
        host: &Arc<Host>,
        permissions: Option<&Permissions>,
        will: &Will,
    ) -> Result<(), Denial> {
        let Will { message, delay, message_expiry } = will;
        let (topic, qos, retain, now) = (message.topic(), message.qos(), message.retain(), node.clock.now());
        let ruling = self.authorize_publish(host, permissions, topic, qos, retain, now);
        ruling.resolve().await.map_err(|denial| *denial)?;
        if host.is_on(Hook::AuthzWill, &self.identity.listener) {
            let message = Message { message_expiry: *message_expiry, ..message_to_host(message, now) };
            host.authorize_will(&self.identity, message, *delay).await?;
        }
        Ok(())
    }
}
