//! A connection that receives, counts and acknowledges.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Instant;

use crate::batch::stamp;
use crate::channel::Channel;
use crate::frames::{Frame, Inbox, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL};
use crate::histogram::Histogram;

/// One subscriber, driven by a thread of its own.
pub(crate) struct Subscriber {
    pub(crate) stream: TcpStream,
    pub(crate) channel: Arc<Channel>,
    /// Which of the channel's subscribers it is.
    pub(crate) number: usize,
    /// Where the latencies of paced messages go: since when, payload length, counts.
    pub(crate) latencies: Option<(Instant, usize, Arc<Histogram>)>,
}

impl Subscriber {
    /// Receives until the stream ends, which is an error.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut inbox = Inbox::new(INBOX_BYTES);
        let mut answers = Vec::new();
        loop {
            let mut messages = 0;
            let now = self.latencies.as_ref().map(|(start, ..)| *start);
            let mut read = |frame: Frame<'_>| {
                if frame.kind() == PUBLISH {
                    messages += 1;
                    if let (Some(start), Some((_, payload_bytes, histogram))) = (now, &self.latencies) {
                        let elapsed = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
                        if let Some(sent) = stamp(frame.contents, *payload_bytes) {
                            histogram.record(elapsed.saturating_sub(sent));
                        }
                    }
                }
                answer(&frame, &mut answers);
            };
            let more = inbox.read(&mut self.stream, &mut read)?;
            if !answers.is_empty() {
                self.stream.write_all(&answers)?;
                answers.clear();
            }
            if messages > 0 {
                self.channel.count_received(self.number, messages);
            }
            if !more {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// PUBACK or PUBREC to a PUBLISH, PUBCOMP to a PUBREL.
fn answer(frame: &Frame<'_>, answers: &mut Vec<u8>) {
    let (kind, id) = match (frame.kind(), frame.qos()) {
        (PUBLISH, 1) => (PUBACK, frame.publish_id()),
        (PUBLISH, 2) => (PUBREC, frame.publish_id()),
        (PUBREL, _) => (PUBCOMP, frame.leading_id()),
        _ => return,
    };
    if let Some([high, low]) = id {
        answers.extend_from_slice(&[kind << 4, 2, high, low]);
    }
}

const INBOX_BYTES: usize = 64 * 1024;
