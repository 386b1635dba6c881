//! May this identity end a subscription, or leave this Will?

use std::time::Instant;

use super::{Chains, IMPLEMENTATION_SPECIFIC, SERVER_UNAVAILABLE, Walk};
use crate::contract::{Denial, Hook, Message};
use crate::identities::Identity;
use crate::plugin::{AuthorizeUnsubscribe, AuthorizeWill, Generation, Vote};

impl Chains {
    /// One entry per filter: nothing, or why its subscription stays.
    pub(crate) async fn authorize_unsubscribe(&self, who: &Identity, filters: &[String]) -> Vec<Option<Denial>> {
        let mut walk = Walk::begin(Hook::AuthzUnsubscribe, IMPLEMENTATION_SPECIFIC, Instant::now());
        let mut rulings: Vec<Option<Option<Denial>>> = filters.iter().map(|_| None).collect();
        for seat in self.unsubscribe.iter().filter(|seat| seat.concerns_identity(who)) {
            let open: Vec<usize> = (0..filters.len()).filter(|&at| rulings[at].is_none()).collect();
            if open.is_empty() {
                break;
            }
            let asked: Vec<&str> = open.iter().map(|&at| filters[at].as_str()).collect();
            let question = |_: &Generation| AuthorizeUnsubscribe { who, filters: &asked };
            let (plugin, answer) = seat.ask(&who.client_id, question, &mut walk.now).await;
            match answer {
                Ok(votes) => {
                    for (at, vote) in open.into_iter().zip(votes) {
                        match vote {
                            Vote::Allow { .. } => rulings[at] = Some(None),
                            Vote::Deny { code, reason } => {
                                rulings[at] = Some(Some(walk.refused(plugin, code, reason)));
                            }
                            Vote::Next => {}
                        }
                    }
                }
                Err(error) => {
                    if let Some(denial) = walk.failed(plugin, error) {
                        open.into_iter().for_each(|at| rulings[at] = Some(Some(denial.clone())));
                    }
                }
            }
        }
        rulings.into_iter().map(|ruling| ruling.unwrap_or_else(|| Some(walk.nobody()))).collect()
    }

    /// Whether a Will may be left.
    ///
    /// # Errors
    /// Who said no, and why.
    pub(crate) async fn authorize_will(&self, who: &Identity, will: &Message, delay: u32) -> Result<(), Denial> {
        let mut walk = Walk::begin(Hook::AuthzWill, SERVER_UNAVAILABLE, Instant::now());
        for seat in self.will.iter().filter(|seat| seat.concerns_identity(who)) {
            let question =
                |plugin: &Generation| AuthorizeWill { who, will, delay, with_payload: plugin.shows_payload() };
            let (plugin, answer) = seat.ask(&who.client_id, question, &mut walk.now).await;
            match answer {
                Ok(Vote::Allow { .. }) => return Ok(()),
                Ok(Vote::Deny { code, reason }) => return Err(walk.refused(plugin, code, reason)),
                Ok(Vote::Next) => {}
                Err(error) => {
                    if let Some(denial) = walk.failed(plugin, error) {
                        return Err(denial);
                    }
                }
            }
        }
        Err(walk.nobody())
    }
}
