//! PUBACK, PUBREC, PUBREL and PUBCOMP from a client (4.3).

use std::sync::Arc;

use midge_protocol::{Ack, Packet, PacketId, ReasonCode, ReasonProperties};

use super::Broker;
use super::deliver::Held;
use crate::connection::{Acknowledgement, AcknowledgementKind, Connection};
use crate::effects::Effects;
use crate::session::outbound::Outcome;
use crate::store::Change;
use crate::{ProtocolError, Time};

impl Broker {
    /// Takes one step of a QoS 1 or 2 delivery, in either direction, and sends what the step made room for.
    ///
    /// # Errors
    /// [`ProtocolError::WrongAcknowledgement`] if the packet does not fit the `QoS` of what it acknowledges. One for an
    /// unknown Packet Identifier is no error: after a lost connection that is to be expected.
    pub fn acknowledge(
        &self,
        connection: &mut Connection,
        acknowledgement: Acknowledgement,
        now: Time,
        effects: &mut Effects,
    ) -> Result<(), ProtocolError> {
        let Acknowledgement { kind, packet_id, reason } = acknowledgement;
        if kind == AcknowledgementKind::Pubrel {
            self.complete(connection, packet_id, effects);
            return Ok(());
        }
        let session = Arc::clone(&connection.session);
        let mut state = session.lock();
        if !state.belongs_to(connection.number) {
            return Ok(());
        }
        let outcome = match (&mut state.window, kind) {
            (None, _) => Outcome::Unknown,
            (Some(window), AcknowledgementKind::Puback) => window.acknowledge(packet_id),
            (Some(window), AcknowledgementKind::Pubrec) => window.receive(packet_id, reason.is_error()),
            (Some(window), _) => window.complete(packet_id),
        };
        match outcome {
            Outcome::Wrong => return Err(ProtocolError::WrongAcknowledgement(kind.into())),
            Outcome::Unknown if kind == AcknowledgementKind::Pubrec && !reason.is_error() => {
                reply(connection, packet_id, ReasonCode::PacketIdentifierNotFound, Packet::Pubrel, effects);
            }
            Outcome::Unknown => {}
            Outcome::Release(entry) => {
                effects.note_delivery(&session, &state, entry, |session| Change::Released {
                    session,
                    entry,
                    packet_id,
                });
                reply(connection, packet_id, ReasonCode::Success, Packet::Pubrel, effects);
            }
            Outcome::Done(entry) => {
                effects.counters.in_flight -= 1;
                state.full = false;
                effects.note_delivery(&session, &state, entry, |session| Change::Finished { session, entry });
                Held { broker: self, session: &session, state: &mut state, effects, now }.pump();
            }
        }
        Ok(())
    }

    /// PUBREL: the Packet Identifier is free again. Answered in any case [MQTT-4.3.3-11].
    fn complete(&self, connection: &mut Connection, packet_id: PacketId, effects: &mut Effects) {
        let session = Arc::clone(&connection.session);
        let known = {
            let mut state = session.lock();
            if !state.belongs_to(connection.number) {
                return;
            }
            let known = state.received.remove(packet_id);
            if known {
                effects.note(&session, &state, |session| Change::Completed { session, packet_id });
            }
            known
        };
        if known {
            connection.acknowledged();
        }
        let reason = if known { ReasonCode::Success } else { ReasonCode::PacketIdentifierNotFound };
        reply(connection, packet_id, reason, Packet::Pubcomp, effects);
    }
}

fn reply<'a>(
    connection: &Connection,
    packet_id: PacketId,
    reason: ReasonCode,
    packet: impl FnOnce(Ack<'a>) -> Packet<'a>,
    effects: &mut Effects,
) {
    let ack = Ack { packet_id, reason, properties: ReasonProperties::default() };
    effects.reply(connection, &packet(ack));
}
