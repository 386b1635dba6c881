//! Who is this, in several steps?

use std::sync::Arc;
use std::time::Instant;

use super::{Chains, SERVER_UNAVAILABLE, Walk};
use crate::contract::{Candidate, Exchange, ExchangeStep, Hook};
use crate::plugin::{Generation, Proceed, Round, Start, StepAnswer};

impl Chains {
    /// Asks the first plugin that serves the method; the next one only if it failed and its `on_error` says so.
    pub(crate) async fn start_exchange(&self, candidate: &Candidate, data: Option<Vec<u8>>) -> ExchangeStep {
        let mut walk = walk();
        let mut is_served = false;
        for plugin in self.enhanced.iter().filter(|plugin| plugin.serves(&candidate.method)) {
            is_served = true;
            match plugin.call_at(&Start(round(plugin, candidate, data.clone())), &mut walk.now).await {
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
        let is_it = |loaded: &&Arc<Generation>| *loaded.name() == plugin && loaded.serves(&candidate.method);
        let Some(plugin) = self.enhanced.iter().find(is_it) else {
            return ExchangeStep::Denied(walk.nobody());
        };
        let question = Proceed { round: round(plugin, candidate, data), state };
        match plugin.call_at(&question, &mut walk.now).await {
            Ok(answer) => step(&walk, plugin, answer),
            // Nobody else knows the exchange, so there is nobody to go on to.
            Err(error) => ExchangeStep::Denied(walk.broken(plugin, error)),
        }
    }
}

fn walk() -> Walk {
    Walk::begin(Hook::EnhancedAuthn, SERVER_UNAVAILABLE, Instant::now())
}

fn round<'a>(plugin: &Generation, candidate: &'a Candidate, data: Option<Vec<u8>>) -> Round<'a> {
    let state_bytes_max = plugin.limits().state_bytes_max;
    Round { candidate, data, with_password: plugin.shows_password(), state_bytes_max }
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
