//! Packets from clients: what the oracle hears, and what the broker is told.

use std::sync::Arc;

use midge_core::{AcknowledgementKind, Connection, Decision, Ending, Inbound, Opening, Received};
use midge_protocol::{
    Connect, Decoded, Packet, PacketId, ProtocolVersion, QoS, ReasonCode, Subscribe, SubscriptionId, Unsubscribe,
};

use super::{Server, Task, number, ruling};
use crate::oracle::{Connecting, Publication, Verdict, Will};
use crate::pipe::Writer;

impl Server {
    /// Takes every complete packet: one read batch.
    pub(super) fn read(&mut self, task: &mut Task) -> Verdict {
        let input = std::mem::take(&mut task.input);
        let mut rest = input.as_slice();
        while !task.over {
            let decoded =
                task.decoder.decode(rest).map_err(|malformed| format!("refused as malformed: {malformed}"))?;
            let Decoded::Packet { packet, length } = decoded else { break };
            let (encoded, behind) = rest.split_at(length);
            rest = behind;
            match task.connection.take() {
                None => self.open(task, packet)?,
                Some(connection) => self.take(task, connection, packet, encoded)?,
            }
        }
        task.input = rest.to_vec();
        self.effects.flush(&self.broker);
        self.hear(None)
    }

    fn open(&mut self, task: &mut Task, packet: Packet<'_>) -> Verdict {
        let Packet::Connect(connect) = &packet else { return Err(format!("{} came first", packet.kind())) };
        let connecting = self.connecting(task, connect)?;
        let mut request =
            Opening::receive(packet, &self.broker).map_err(|error| format!("CONNECT refused: {error}"))?;
        request.overrides = task.accepting.overrides;
        let peer = Arc::new(Writer { pipe: Arc::clone(&task.accepting.pipe), inline: task.accepting.inline });
        let present = self.oracle.connect(connecting);
        let connection = self.broker.connect(request, peer, self.now, &mut self.effects);
        let connection = connection.map_err(|refusal| format!("CONNECT refused: {refusal}"))?;
        self.hear(None)?;
        if connection.session_present() != present {
            return Err(format!("Session Present has to be {present} for {} [MQTT-3.2.2-2]", task.name()));
        }
        task.connection = Some(connection);
        // The owner looks at its session's output once of its own accord, and from then on when woken.
        task.bell.ring();
        Ok(())
    }

    fn connecting(&self, task: &Task, connect: &Connect<'_>) -> Result<Connecting, String> {
        let (limits, overrides) = (self.broker.limits(), &task.accepting.overrides);
        let properties = &connect.properties;
        let asked = session_expiry(connect);
        let expiry_max = overrides.session_expiry.unwrap_or(u32::MAX).min(limits.session_expiry_max);
        Ok(Connecting {
            name: task.name(),
            wire: task.wire(),
            version: connect.version,
            clean_start: connect.clean_start,
            expiry: asked.min(expiry_max),
            expiry_max,
            queue_max: overrides.queued_messages.unwrap_or(u32::MAX).min(limits.queued_messages_max) as usize,
            packet_bytes_max: properties.maximum_packet_size.map_or(usize::MAX, |maximum| maximum.get() as usize),
            will: will(connect)?,
        })
    }

    fn take(&mut self, task: &mut Task, mut connection: Connection, packet: Packet<'_>, encoded: &[u8]) -> Verdict {
        let (now, name) = (self.now, task.name());
        let received = connection.receive(&packet).map_err(|error| format!("{name} broke a rule: {error}"))?;
        // A connection that lost its session serves nobody any more.
        let current = self.oracle.is_current(name, task.wire());
        let mut routed = None;
        match received {
            Received::Publish(mut inbound) => {
                inbound.keep_encoded(encoded, connection.version());
                routed = self.publish(task, &mut connection, &inbound, current)?;
            }
            Received::Acknowledgement(acknowledgement) => {
                if acknowledgement.kind == AcknowledgementKind::Pubrel && current {
                    self.oracle.release(name, acknowledgement.packet_id.get());
                }
                let done = self.broker.acknowledge(&mut connection, acknowledgement, now, &mut self.effects);
                done.map_err(|error| format!("{name} broke a rule: {error}"))?;
            }
            Received::Subscribe(subscribe) => self.subscribe(task, &mut connection, subscribe, current),
            Received::Unsubscribe(unsubscribe) => self.unsubscribe(task, &mut connection, unsubscribe, current),
            Received::Ping => self.broker.pong(&mut connection, &mut self.effects),
            Received::Authenticate(_) => return Err("nobody authenticates here".into()),
            Received::Disconnect(disconnect) => {
                let with_will = disconnect.reason == ReasonCode::DisconnectWithWill;
                let ending = Ending::Disconnected { with_will, session_expiry: disconnect.session_expiry };
                task.connection = Some(connection);
                task.over = true;
                return self.close(task, ending);
            }
        }
        task.connection = Some(connection);
        self.hear(routed)
    }

    /// Says which publication it was, if it was to be routed.
    fn publish(
        &mut self,
        task: &Task,
        connection: &mut Connection,
        inbound: &Inbound<'_>,
        current: bool,
    ) -> Result<Option<usize>, String> {
        let name = task.name();
        let refused = inbound.topic.starts_with("refused");
        // Clients do not publish to the broker's own topics [MQTT-4.7.2-1].
        let reserved = inbound.topic.starts_with('$');
        let id = inbound.publish.packet_id.map_or(0, PacketId::get);
        let new = inbound.publish.qos < QoS::ExactlyOnce || (current && self.oracle.is_new(name, id));
        if current && new == inbound.repeated {
            return Err(format!("{name} sent QoS 2 message {id}, which is new: {new} [MQTT-4.3.3-10]"));
        }
        self.oracle.told.received[inbound.publish.qos as usize] += 1;
        let mut routed = None;
        if refused || reserved {
            self.oracle.release(name, id);
        } else if new {
            let (number, padding) = number(inbound.publish.payload)?;
            routed = Some(self.oracle.publish(Publication {
                number,
                padding,
                topic: inbound.topic.to_string(),
                publisher: name,
                qos: inbound.publish.qos,
                retain: inbound.publish.retain,
                expiry: inbound.publish.properties.message_expiry,
            }));
        }
        let refusal = Decision::Refuse { reason: ReasonCode::NotAuthorized, text: Some("refused by rule") };
        let decision = if refused { refusal } else { Decision::Accept };
        self.broker.publish(connection, inbound, decision, self.now, &mut self.effects);
        Ok(routed)
    }

    fn subscribe(&mut self, task: &Task, connection: &mut Connection, subscribe: &Subscribe<'_>, current: bool) {
        let rulings: Vec<Result<QoS, ReasonCode>> =
            subscribe.filters.iter().map(|asked| ruling(asked.filter)).collect();
        if current {
            let id = subscribe.subscription_id.map(SubscriptionId::get);
            for (asked, ruling) in subscribe.filters.iter().zip(&rulings) {
                if let Ok(granted) = ruling {
                    let mut options = asked.options;
                    options.qos = options.qos.min(*granted);
                    self.oracle.subscribe(task.name(), asked.filter, options, id);
                }
            }
        }
        self.broker.subscribe(connection, subscribe, &rulings, self.now, &mut self.effects);
    }

    fn unsubscribe(&mut self, task: &Task, connection: &mut Connection, unsubscribe: &Unsubscribe<'_>, current: bool) {
        if current {
            for filter in &unsubscribe.filters {
                self.oracle.unsubscribe(task.name(), filter);
            }
        }
        self.broker.unsubscribe(connection, unsubscribe, &[], self.now, &mut self.effects);
    }
}

/// Before version 5 a session that is not clean lasts for ever (3.1.2.11.2).
fn session_expiry(connect: &Connect<'_>) -> u32 {
    match (connect.version, connect.clean_start) {
        (ProtocolVersion::V5, _) => connect.properties.session_expiry.unwrap_or(0),
        (_, true) => 0,
        (_, false) => u32::MAX,
    }
}

fn will(connect: &Connect<'_>) -> Result<Option<Will>, String> {
    let Some(will) = &connect.will else { return Ok(None) };
    let (number, padding) = number(will.payload)?;
    Ok(Some(Will {
        number,
        padding,
        topic: will.topic.to_owned(),
        qos: will.qos,
        retain: will.retain,
        delay: will.delay.unwrap_or(0),
        expiry: will.properties.message_expiry,
    }))
}
