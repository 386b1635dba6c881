//! Re-authentication (4.12.1): a connected client proves again who it is, while everything else goes on.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use midge_host::contract::{Candidate, Denial, Exchange};
use midge_protocol::{Auth, ReasonCode};

use super::{Awaited, Driver, with_scratch};
use crate::ending::ConnectionEnd;
use crate::hooks::{Reauthenticated, Regranted, reauthenticate};

/// What a connection holds whose CONNECT named an Authentication Method.
pub(crate) struct Reauthentication {
    candidate: Candidate,
    progress: Progress,
    /// Challenges so far.
    steps: u16,
}

/// How far an exchange has come.
enum Progress {
    /// None is under way.
    Idle,
    /// A plugin is being asked.
    Asked(Awaited<Result<Reauthenticated, Denial>>),
    /// The client is.
    Challenged(Exchange),
}

impl Reauthentication {
    /// For the client that `candidate` describes.
    pub(crate) fn new(candidate: Candidate) -> Self {
        Self { candidate, progress: Progress::Idle, steps: 0 }
    }
}

impl Driver {
    /// Takes an AUTH that its connection let through, and asks. The answer is taken in [`Self::poll_reauthentication`]:
    /// the packets behind this one do not wait for it.
    pub(super) fn reauthenticate(&mut self, auth: &Auth<'_>) {
        let Some(reauthentication) = self.few.reauthentication() else {
            debug_assert!(false, "an AUTH that its connection should not have let through");
            return;
        };
        let exchange = match std::mem::replace(&mut reauthentication.progress, Progress::Idle) {
            Progress::Challenged(exchange) if auth.reason == ReasonCode::ContinueAuthentication => Some(exchange),
            _ => {
                reauthentication.steps = 0;
                None
            }
        };
        let (node, client) = (Arc::clone(&self.node), Arc::clone(&self.client));
        let data = auth.authentication_data.map(<[u8]>::to_vec);
        let asked = reauthenticate(node, client, reauthentication.candidate.clone(), exchange, data);
        reauthentication.progress = Progress::Asked(Box::pin(asked));
    }

    /// Takes a plugin's answer, if one is awaited and there; ready only when the connection is to be closed.
    pub(super) fn poll_reauthentication(&mut self, context: &mut Context<'_>) -> Poll<ConnectionEnd> {
        let Some(Reauthentication { progress: Progress::Asked(answer), .. }) = self.few.reauthentication() else {
            return Poll::Pending;
        };
        let result = match ready!(answer.as_mut().poll(context)) {
            Ok(Reauthenticated::Challenge { data, exchange }) => self.challenge(data.as_deref(), exchange),
            Ok(Reauthenticated::Granted(granted)) => self.renew(*granted),
            Err(denial) => Err(ConnectionEnd::Reauthentication(denial)),
        };
        result.map_or_else(Poll::Ready, |()| Poll::Pending)
    }

    fn challenge(&mut self, data: Option<&[u8]>, exchange: Exchange) -> Result<(), ConnectionEnd> {
        let Some(reauthentication) = self.few.reauthentication() else { return Ok(()) };
        reauthentication.steps += 1;
        if reauthentication.steps > self.node.rates.authentication_steps_max {
            return Err(ConnectionEnd::AuthenticationSteps);
        }
        reauthentication.progress = Progress::Challenged(exchange);
        let now = self.node.clock.now();
        with_scratch(|scratch| {
            let challenged = self.node.broker.challenge(&mut self.connection, data, &mut scratch.effects);
            self.node.conclude(&mut scratch.effects, now);
            challenged.map_err(ConnectionEnd::Refused)
        })
    }

    /// From now on the client is what its new grant says.
    fn renew(&mut self, granted: Regranted) -> Result<(), ConnectionEnd> {
        let Regranted { client, permissions, expires_at, data } = granted;
        if let Some(reauthentication) = self.few.reauthentication() {
            reauthentication.progress = Progress::Idle;
        }
        let now = self.node.clock.now();
        self.link.renew(expires_at, self.node.clock.moment(now));
        // A rate that stays begins no new second: authenticating again is no way round it.
        if client.limits != self.client.limits {
            self.few.set_pace(self.node.pace(&client, now));
        }
        let before = std::mem::replace(&mut self.client, client);
        self.authorize_again();
        self.node.reauthenticated(&before, &self.client, now);
        with_scratch(|scratch| {
            let (broker, effects) = (&self.node.broker, &mut scratch.effects);
            let answered = broker.reauthenticated(&mut self.connection, permissions, data.as_deref(), effects);
            self.node.conclude(&mut scratch.effects, now);
            answered.map_err(ConnectionEnd::Refused)
        })
    }
}
