//! What must not leave before the store is safe.
//!
//! A QoS 2 message to a session that lasts is only sent once the store knows of it and of its Packet Identifier: a broker
//! that has forgotten either would send it again as another message. The bytes are there at once, in their order, and are
//! held back with all that follows; the batches that brought them say later which ticket they wait for.

use std::collections::VecDeque;

use crate::store::Ticket;

/// Bytes that are held back, in parts that wait for one ticket each.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    pub(crate) bytes: Vec<u8>,
    parts: VecDeque<Part>,
    latest: PartNumber,
}

/// Names a part among those of its session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct PartNumber(u32);

/// Bytes up to the start of the next part.
#[derive(Debug)]
struct Part {
    number: PartNumber,
    start: usize,
    /// Batches that have not yet said what it waits for.
    batches: u32,
    /// Some batch has: those that come later begin a part of their own, or it might never end.
    closed: bool,
    /// The latest ticket named so far.
    ticket: Ticket,
}

impl Hold {
    /// Makes what is appended from now on wait for one more batch. None if it does already: `joined` says which parts the batch
    /// knows.
    pub(crate) fn join(&mut self, joined: impl Fn(PartNumber) -> bool) -> Option<PartNumber> {
        match self.parts.back_mut() {
            Some(part) if !part.closed && joined(part.number) => None,
            Some(part) if !part.closed => {
                part.batches += 1;
                Some(part.number)
            }
            _ => {
                self.latest.0 = self.latest.0.wrapping_add(1);
                let (number, start) = (self.latest, self.bytes.len());
                self.parts.push_back(Part { number, start, batches: 1, closed: false, ticket: Ticket::default() });
                Some(number)
            }
        }
    }

    /// A batch says what its part waits for.
    pub(crate) fn settle(&mut self, number: PartNumber, ticket: Ticket) {
        if let Some(part) = self.parts.iter_mut().find(|part| part.number == number) {
            part.batches -= 1;
            part.closed = true;
            part.ticket = part.ticket.max(ticket);
        }
    }

    /// Takes out what may leave now.
    pub(crate) fn release(&mut self, is_durable: impl Fn(Ticket) -> bool) -> impl Iterator<Item = u8> {
        while self.parts.pop_front_if(|part| part.batches == 0 && is_durable(part.ticket)).is_some() {}
        let free = self.parts.front().map_or(self.bytes.len(), |part| part.start);
        self.parts.iter_mut().for_each(|part| part.start -= free);
        self.bytes.drain(..free)
    }

    /// Whether some batch has not said what it waits for.
    pub(crate) fn is_open(&self) -> bool {
        self.parts.iter().any(|part| part.batches > 0)
    }

    /// Whether nothing is waited for.
    pub(crate) fn is_over(&self) -> bool {
        self.parts.is_empty()
    }

    /// The connection is gone, and its bytes with it. What they waited for, another connection waits for.
    pub(crate) fn forget_bytes(&mut self) {
        self.bytes = Vec::new();
        self.parts.iter_mut().for_each(|part| part.start = 0);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn released(hold: &mut Hold, durable: u64) -> Vec<u8> {
        hold.release(|ticket| ticket.0 <= durable).collect()
    }

    #[test]
    fn bytes_leave_when_every_batch_that_brought_them_is_durable() {
        let mut hold = Hold::default();
        let first = hold.join(|_| false).unwrap();
        hold.bytes.push(1);
        assert_eq!(hold.join(|number| number == first), None, "the batch is in it");
        assert_eq!(hold.join(|_| false), Some(first), "another batch");
        hold.bytes.push(2);
        hold.settle(first, Ticket(7));
        assert_eq!(released(&mut hold, 9), [0_u8; 0], "one batch has not said what it waits for");
        hold.settle(first, Ticket(5));
        assert_eq!(released(&mut hold, 6), [0_u8; 0]);
        assert_eq!(released(&mut hold, 7), [1, 2]);
        assert!(hold.is_over());
    }

    #[test]
    fn batches_that_come_all_the_time_keep_nothing_for_ever() {
        let mut hold = Hold::default();
        let first = hold.join(|_| false).unwrap();
        hold.bytes.push(1);
        hold.settle(first, Ticket(1));
        let second = hold.join(|_| false).unwrap();
        assert_ne!(first, second, "whoever comes later waits by itself");
        hold.bytes.push(2);
        assert_eq!(released(&mut hold, 1), [1]);
        hold.settle(second, Ticket(2));
        assert_eq!(released(&mut hold, 2), [2]);
    }

    #[test]
    fn another_connection_waits_for_what_the_one_before_waited_for() {
        let mut hold = Hold::default();
        let part = hold.join(|_| false).unwrap();
        hold.bytes.push(1);
        hold.forget_bytes();
        hold.bytes.push(2);
        assert_eq!(released(&mut hold, 9), [0_u8; 0]);
        hold.settle(part, Ticket(3));
        assert_eq!(released(&mut hold, 3), [2]);
    }
}
