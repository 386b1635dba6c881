//! Enhanced authentication between CONNECT and CONNACK (4.12).

use std::future::poll_fn;
use std::io;
use std::sync::Arc;

use midge_core::{Authenticating, AuthenticationStep, ConnectRequest};
use midge_host::contract::{self, ExchangeStep};
use midge_protocol::Decoded;

use super::{Candidate, read};
use crate::ending::ConnectionEnd;
use crate::hooks::{Admitted, Arrival, candidate, let_in};
use crate::node::Node;

impl Candidate {
    /// Lets a plugin and the client talk until the plugin has decided. Also says what to ask about when the client
    /// authenticates again.
    pub(super) async fn authenticate(
        &mut self,
        node: &Arc<Node>,
        arrival: &Arrival<'_>,
        request: &mut ConnectRequest,
        method: &str,
    ) -> Result<(Admitted, contract::Candidate), ConnectionEnd> {
        let asked = candidate(arrival, request, method);
        let mut steps = 0;
        let mut step = Arc::clone(&node.host()).start_exchange(&asked, request.authentication_data.take()).await;
        loop {
            match step {
                // [MQTT-4.12.0-1]
                ExchangeStep::Unserved => return Err(ConnectionEnd::AuthenticationMethod),
                // [MQTT-4.12.0-4]
                ExchangeStep::Denied(denial) => return Err(ConnectionEnd::Denied(denial)),
                ExchangeStep::Allowed { grant, plugin, data } => {
                    self.check_silence(request)?;
                    request.authentication_data = data;
                    let host = Arc::clone(&node.host());
                    let grant = (*grant, Some(plugin));
                    let admitted = let_in(node, &host, arrival, request, grant).await.map_err(ConnectionEnd::Denied)?;
                    return Ok((admitted, asked));
                }
                ExchangeStep::Challenge { data, exchange } => {
                    steps += 1;
                    if steps > node.rates.authentication_steps_max {
                        return Err(ConnectionEnd::AuthenticationSteps);
                    }
                    let mut challenge = Vec::new();
                    Authenticating::challenge(request, data.as_deref(), &mut challenge)
                        .map_err(ConnectionEnd::Refused)?;
                    self.send(&challenge).await?;
                    node.metrics.sent(challenge.len());
                    let reply = self.reply(node, request).await?;
                    step = Arc::clone(&node.host()).proceed(&asked, exchange, reply).await;
                }
            }
        }
    }

    /// The Authentication Data of the client's AUTH.
    async fn reply(&mut self, node: &Node, request: &ConnectRequest) -> Result<Option<Vec<u8>>, ConnectionEnd> {
        loop {
            if let Decoded::Packet { packet, length } = self.decoder.decode(&self.unread)? {
                let data = match Authenticating::receive(request, packet)? {
                    AuthenticationStep::Continue(auth) => auth.authentication_data.map(<[u8]>::to_vec),
                    AuthenticationStep::Disconnect(goodbye) => {
                        let (reason, session_expiry) = (goodbye.reason, goodbye.session_expiry);
                        return Err(ConnectionEnd::Disconnected { reason, session_expiry });
                    }
                };
                self.unread.drain(..length);
                node.metrics.received_packets(1);
                return Ok(data);
            }
            let read = read(&mut self.owned, &mut self.unread).await?;
            node.metrics.received(read);
            if read == 0 {
                return Err(ConnectionEnd::Closed);
            }
        }
    }

    /// Until CONNACK a client that named a method sends AUTH or DISCONNECT and nothing else [MQTT-3.1.2-30]: what is
    /// here already came too early.
    fn check_silence(&mut self, request: &ConnectRequest) -> Result<(), ConnectionEnd> {
        if let Decoded::Packet { packet, .. } = self.decoder.decode(&self.unread)? {
            Authenticating::receive(request, packet)?;
        }
        Ok(())
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let written = poll_fn(|context| self.owned.poll_write(context, rest)).await?;
            rest = rest.get(written..).filter(|_| written > 0).ok_or(io::ErrorKind::WriteZero)?;
        }
        poll_fn(|context| self.owned.poll_flush(context)).await
    }
}
