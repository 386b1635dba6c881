//! Who is this, in several steps?

use std::sync::Arc;
use std::time::Instant;

use super::{Chains, SERVER_UNAVAILABLE, Walk};
use crate::contract::{Candidate, Exchange, ExchangeStep, Hook};
use crate::plugin::{Generation, Proceed, Round, Start, StepAnswer};
use crate::seat::Seat;

impl Chains {
    /// Asks the first plugin that serves the method; the next one only if it failed and its `on_error` says so.
    pub(crate) async fn start_exchange(&self, candidate: &Candidate, data: Option<Vec<u8>>) -> ExchangeStep {
        let mut walk = walk();
        let mut is_served = false;
        let client_id = &*candidate.credentials.client_id;
        for seat in self.enhanced.iter().filter(|seat| is_for(seat, candidate)) {
            is_served = true;
            let question = |plugin| Start(Round::new(plugin, candidate, data.clone()));
            let (plugin, answer) = seat.ask(client_id, question, &mut walk.now).await;
            match answer {
                Ok(answer) => return step(&walk, plugin, answer),
                Err(error) => {
                    if let Some(denial) = walk.failed(plugin, error) {
                        return ExchangeStep::Denied(denial);
                    }
                }
            }
        }
        if is_served { ExchangeStep::Denied(walk.nobody()) } else { ExchangeStep::Unserved }
    }

    /// Asks the plugin that made the challenge, as it is loaded now.
    pub(crate) async fn proceed(
        &self,
        candidate: &Candidate,
        exchange: Exchange,
        data: Option<Vec<u8>>,
    ) -> ExchangeStep {
        let mut walk = walk();
        let Exchange { plugin, state } = exchange;
        let client_id = &*candidate.credentials.client_id;
        let is_it = |seat: &&Seat| *seat.name() == plugin && is_for(seat, candidate);
        let Some(seat) = self.enhanced.iter().find(is_it) else {
            return ExchangeStep::Denied(walk.nobody());
        };
        let question = |plugin| Proceed { round: Round::new(plugin, candidate, data.clone()), state: state.clone() };
        let (plugin, answer) = seat.ask(client_id, question, &mut walk.now).await;
        match answer {
            Ok(answer) => step(&walk, plugin, answer),
            // Nobody else knows the exchange, so there is nobody to go on to.
            Err(error) => ExchangeStep::Denied(walk.broken(plugin, error)),
        }
    }
}

/// Whether a plugin is asked about a client, and serves its method.
fn is_for(seat: &Seat, candidate: &Candidate) -> bool {
    let serving = seat.serving(&candidate.credentials.client_id);
    serving.is_on(&candidate.credentials.listener) && serving.serves(&candidate.method)
}

fn walk() -> Walk {
    Walk::begin(Hook::EnhancedAuthn, SERVER_UNAVAILABLE, Instant::now())
}

fn step(walk: &Walk, plugin: &Generation, answer: StepAnswer) -> ExchangeStep {
    match answer {
        StepAnswer::Challenge { data, state } => {
            ExchangeStep::Challenge { data, exchange: Exchange { plugin: Arc::clone(plugin.name()), state } }
        }
        StepAnswer::Allow { grant, data } => ExchangeStep::Allowed { grant, plugin: Arc::clone(plugin.name()), data },
        StepAnswer::Deny(refused) => ExchangeStep::Denied(walk.turned_away(plugin, refused)),
    }
}
