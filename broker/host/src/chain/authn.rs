//! Who is this?

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Chains, SERVER_UNAVAILABLE, Walk, remembered_refusal};
use crate::authentications::{Decision, Found};
use crate::contract::{Authentication, ConnectFacts, Credentials, Denial, DenialCause, Hook};
use crate::plugin::{Authenticate, AuthnAnswer, AuthnVote, Generation, Refused};

impl Chains {
    pub(crate) async fn authenticate(&self, credentials: Credentials, facts: ConnectFacts) -> Authentication {
        let turn = match self.authentications.find(&credentials).await {
            Found::Decision(decision) => return remembered(decision),
            Found::Question(turn) => turn,
        };
        let mut walk = Walk::begin(Hook::Authn, SERVER_UNAVAILABLE, Instant::now());
        let (credentials, facts) = (Arc::new(credentials), Arc::new(facts));
        // A decision is reused only as long as each plugin that was asked would say the same.
        let mut reuse = Duration::MAX;
        let (client_id, listener) = (&*credentials.client_id, &*credentials.listener);
        for seat in self.authn.iter().filter(|seat| seat.serving(client_id).is_on(listener)) {
            let question = |plugin: &Generation| {
                Authenticate::new(Arc::clone(&credentials), Arc::clone(&facts), plugin.shows_password())
            };
            let (plugin, answer) = seat.ask(client_id, question, &mut walk.now).await;
            match answer {
                Ok(AuthnAnswer { vote, reuse_for }) => {
                    reuse = reuse.min(reuse_for);
                    let plugin_name = || Arc::clone(plugin.name());
                    match vote {
                        AuthnVote::Allow(grant) => {
                            if !reuse.is_zero() {
                                let grant = Arc::new((*grant).clone());
                                turn.keep(Decision::Allow { grant, plugin: plugin_name() }, reuse);
                            }
                            return Authentication::Allowed { grant, plugin: plugin_name() };
                        }
                        AuthnVote::Deny(refused) => {
                            turn.keep(Decision::Deny { refused: refused.clone(), plugin: plugin_name() }, reuse);
                            return Authentication::Denied(walk.turned_away(plugin, refused));
                        }
                        AuthnVote::Next => {}
                    }
                }
                Err(error) => {
                    reuse = Duration::ZERO;
                    if let Some(denial) = walk.failed(plugin, error) {
                        return Authentication::Denied(denial);
                    }
                }
            }
        }
        Authentication::Denied(walk.nobody())
    }
}

fn remembered(decision: Decision) -> Authentication {
    match decision {
        Decision::Allow { grant, plugin } => {
            Authentication::Allowed { grant: Box::new(Arc::unwrap_or_clone(grant)), plugin }
        }
        Decision::Deny { refused: Refused { code, reason, elsewhere }, plugin } => {
            let refusal = remembered_refusal(Hook::Authn, code, reason, Some(plugin));
            let cause = elsewhere.map_or(DenialCause::Refused, DenialCause::Redirected);
            Authentication::Denied(Denial { cause, ..refusal })
        }
    }
}
