//! `authz-unsubscribe` and `authz-will`: what a client may leave, and what it may leave behind.

use wasmtime::component::TypedFunc;

use super::access::Vote;
use super::kept::{KeptQuestion, refusal};
use super::lowered::LoweredMessage;
use super::notices::{one_each, refusal_code};
use super::{HookCall, Lent};
use crate::bindings::exports::midge::plugin::{authz_unsubscribe as wit_unsubscribe, authz_will as wit_will};
use crate::bindings::midge::plugin::types as wit;
use crate::contract::{Hook, Message, QoS};
use crate::error::HookFailure;
use crate::identities::Identity;
use crate::imports::PluginState;
use crate::plugin::Generation;
use crate::plugin::functions::Functions;

/// `authz-unsubscribe.authorize-unsubscribe`.
pub(crate) struct AuthorizeUnsubscribe<'a> {
    pub(crate) who: &'a Identity,
    pub(crate) filters: &'a [&'a str],
}

impl HookCall for AuthorizeUnsubscribe<'_> {
    type Params = (u64, Vec<String>);
    type Results = (Result<Vec<wit_unsubscribe::Verdict>, String>,);
    type Answer = Vec<Vote>;

    const HOOK: Hook = Hook::AuthzUnsubscribe;
    const FUNCTION: &'static str = "authorize-unsubscribe";

    fn pick(functions: &Functions) -> Option<&TypedFunc<Self::Params, Self::Results>> {
        functions.authorize_unsubscribe.as_ref()
    }

    fn lower(&self, _: &mut PluginState, _: &mut Lent) -> wasmtime::Result<Self::Params> {
        Ok((self.who.id(), self.filters.iter().map(|filter| (*filter).to_owned()).collect()))
    }

    fn lift(&self, (verdicts,): Self::Results) -> Result<Vec<Vote>, HookFailure> {
        let verdicts = verdicts.map_err(HookFailure::Backend)?;
        one_each("verdicts", verdicts.len(), self.filters.len())?;
        let vote = |verdict| match verdict {
            wit_unsubscribe::Verdict::Allow => ALLOW,
            wit_unsubscribe::Verdict::Deny(refusal) => deny(refusal),
            wit_unsubscribe::Verdict::Next => Vote::Next,
        };
        Ok(verdicts.into_iter().map(vote).collect())
    }

    fn client(&self) -> Option<&str> {
        Some(&self.who.client_id)
    }

    fn is_for(&self, of: &Generation) -> bool {
        of.concerns(Some(self.who))
    }

    fn kept(&self) -> Option<KeptQuestion> {
        let filters = self.filters.iter().map(|filter| (*filter).to_owned()).collect();
        Some(KeptQuestion::Unsubscribe { who: self.who.id(), filters })
    }

    fn words(votes: &Vec<Vote>) -> String {
        votes.iter().map(words).collect::<Vec<_>>().join("; ")
    }
}

/// `authz-will.authorize-will`.
pub(crate) struct AuthorizeWill<'a> {
    pub(crate) who: &'a Identity,
    pub(crate) will: &'a Message,
    /// Will Delay Interval in seconds.
    pub(crate) delay: u32,
    pub(crate) with_payload: bool,
}

impl HookCall for AuthorizeWill<'_> {
    type Params = (u64, LoweredMessage, u32);
    type Results = (Result<wit_will::Verdict, String>,);
    type Answer = Vote;

    const HOOK: Hook = Hook::AuthzWill;
    const FUNCTION: &'static str = "authorize-will";

    fn pick(functions: &Functions) -> Option<&TypedFunc<Self::Params, Self::Results>> {
        functions.authorize_will.as_ref()
    }

    fn lower(&self, _: &mut PluginState, _: &mut Lent) -> wasmtime::Result<Self::Params> {
        Ok((self.who.id(), LoweredMessage::new(self.will, self.with_payload), self.delay))
    }

    fn lift(&self, (verdict,): Self::Results) -> Result<Vote, HookFailure> {
        Ok(match verdict.map_err(HookFailure::Backend)? {
            wit_will::Verdict::Allow => ALLOW,
            wit_will::Verdict::Deny(refusal) => deny(refusal),
            wit_will::Verdict::Next => Vote::Next,
        })
    }

    fn client(&self) -> Option<&str> {
        Some(&self.who.client_id)
    }

    fn is_for(&self, of: &Generation) -> bool {
        of.concerns(Some(self.who))
    }

    fn kept(&self) -> Option<KeptQuestion> {
        Some(KeptQuestion::Will { who: self.who.id(), will: self.will.clone(), delay: self.delay })
    }

    fn words(vote: &Vote) -> String {
        words(vote)
    }
}

/// There is no QoS to allow.
fn words(vote: &Vote) -> String {
    match vote {
        Vote::Allow { .. } => "allow".to_owned(),
        Vote::Deny { code, reason } => refusal(*code, reason.as_deref()),
        Vote::Next => "next".to_owned(),
    }
}

fn deny(refusal: wit::Refusal) -> Vote {
    Vote::Deny { code: refusal_code(refusal.code), reason: refusal.reason.map(Into::into) }
}

const ALLOW: Vote = Vote::Allow { max_qos: QoS::ExactlyOnce };
