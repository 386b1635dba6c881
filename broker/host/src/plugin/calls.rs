//! The functions of the contract, one type each: how a call's arguments go in and how its answer comes out.

mod access;
mod admin;
mod admission;
mod deliver;
mod exchange;
mod kept;
mod leave;
mod lifecycle;
mod lowered;
mod notices;
mod ticker;

use wasmtime::component::{ComponentNamedList, Lift, Lower, Resource, TypedFunc};

pub(crate) use access::{
    Authenticate, AuthnAnswer, AuthnVote, AuthorizePublish, AuthorizeSubscribe, AuthzAnswer, IdentityGone, Permissions,
    Refused, Reuse, Vote,
};
pub(crate) use admin::Handle;
pub(crate) use admission::{Admit, AdmitAnswer};
pub(crate) use deliver::AuthorizeDeliver;
pub(crate) use exchange::{Methods, Proceed, Round, Start, StepAnswer};
pub(crate) use kept::KeptQuestion;
pub(crate) use leave::{AuthorizeUnsubscribe, AuthorizeWill};
pub(crate) use lifecycle::{Environment, Health, Init, Registration, Shutdown};
pub(crate) use notices::{Asked, Deliver, Flush, OnEvents, OnPublish};
pub(crate) use ticker::Tick;

use super::Generation;
use super::functions::Functions;
use crate::contract::Hook;
use crate::error::HookFailure;
use crate::imports::{Connect, PluginState};

/// One call of one function.
///
/// Arguments are owned, but share what is large: topics and payloads are counted references.
pub(crate) trait HookCall: Sync {
    type Params: ComponentNamedList + Lower + Send + Sync + 'static;
    type Results: ComponentNamedList + Lift + Send + Sync + 'static;
    type Answer: Send;

    const HOOK: Hook;
    const FUNCTION: &'static str;

    /// The function in an instance.
    fn pick(functions: &Functions) -> Option<&TypedFunc<Self::Params, Self::Results>>;

    /// Prepares the arguments. What is lent to the guest for this call goes into `lent`.
    ///
    /// # Errors
    /// The instance holds too many resources.
    fn lower(&self, state: &mut PluginState, lent: &mut Lent) -> wasmtime::Result<Self::Params>;

    /// Reads the answer.
    ///
    /// # Errors
    /// The guest said `err`, or answered what the contract forbids.
    fn lift(&self, results: Self::Results) -> Result<Self::Answer, HookFailure>;

    /// The client that caused the call: who makes a plugin trap again and again is not let near it.
    fn client(&self) -> Option<&str> {
        None
    }

    /// Whether the configuration of a generation has it asked this, where that goes by whom it is about.
    fn is_for(&self, _: &Generation) -> bool {
        true
    }

    /// The question with nothing borrowed, to be put to a shadow later; none for what no shadow is asked.
    fn kept(&self) -> Option<KeptQuestion> {
        None
    }

    /// What an answer to a question that can be kept says, in words that are the same where the answers are.
    fn words(_: &Self::Answer) -> String {
        String::new()
    }
}

/// A resource lent for one call.
pub(crate) type Lent = Option<Resource<Connect>>;
