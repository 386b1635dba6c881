//! What the session's output asks its connection's task to do.

use std::task::{Context, Poll};

use midge_core::{CloseReason, Work};
use midge_protocol::{Disconnect, Packet, ProtocolVersion};

use super::{Server, Task};
use crate::oracle::Verdict;

impl Server {
    /// Does what the session's output asks for, until it is pending.
    pub(super) fn write(&mut self, task: &mut Task) -> Verdict {
        if let Some((chunk, mut written)) = task.held.take()
            && let Some(connection) = &task.connection
        {
            written += task.accepting.pipe.write_from(&chunk, written);
            if written < chunk.len() {
                task.held = Some((chunk, written));
            } else {
                connection.session().give_back(connection.number(), chunk, written);
                task.bell.ring();
            }
        }
        // Even while the socket is full the session may want the connection closed.
        while task.bell.answer() {
            let Some(connection) = task.connection.as_mut() else { return Ok(()) };
            let waker = task.bell.waker();
            let work = connection.session().poll_output(connection.number(), &mut Context::from_waker(&waker));
            let Poll::Ready(work) = work else {
                let reason = connection.session().close_requested(connection.number());
                let closes = task.held.is_some() && reason.is_some();
                return if closes { reason.map_or(Ok(()), |reason| self.turn_away(task, reason)) } else { Ok(()) };
            };
            task.bell.ring();
            match work {
                Work::Write(chunk) => {
                    let written = task.accepting.pipe.write_from(&chunk, 0);
                    if written < chunk.len() {
                        task.held = Some((chunk, written));
                    } else {
                        connection.session().give_back(connection.number(), chunk, written);
                    }
                }
                Work::Drained => {
                    self.broker.drained(connection, self.now, &mut self.effects);
                    self.effects.flush(&self.broker);
                    self.hear(None)?;
                }
                Work::Load(bodies) => {
                    let fetched = self.broker.fetch(&bodies);
                    self.broker.loaded(connection, fetched, self.now, &mut self.effects);
                    self.effects.flush(&self.broker);
                    self.hear(None)?;
                }
                Work::Authorize(_) => return Err("no simulated broker asks about deliveries".to_owned()),
                Work::Close(reason) => return self.turn_away(task, reason),
            }
        }
        Ok(())
    }

    /// DISCONNECT with the reason (3.14), unless the client has part of a packet or speaks version 3.
    pub(super) fn say_farewell(&self, task: &Task, reason: CloseReason) -> Verdict {
        let Some(connection) = &task.connection else { return Ok(()) };
        let is_cut_off = task.held.is_some() || connection.session().is_cut_off(connection.number());
        if connection.version() == ProtocolVersion::V5 && !is_cut_off {
            let mut bytes = Vec::new();
            let disconnect = Packet::Disconnect(Disconnect::new(reason.reason_code()));
            disconnect.encode(ProtocolVersion::V5, &mut bytes).map_err(|error| error.to_string())?;
            task.accepting.pipe.write(&bytes);
        }
        Ok(())
    }

    /// A client that does not read its answers is not read either.
    pub(super) fn is_overfull(&self, task: &Task) -> bool {
        let output = |connection: &midge_core::Connection| connection.session().output_bytes(connection.number());
        task.connection.as_ref().map_or(0, output) > self.broker.limits().outbox_bytes_max
    }
}
