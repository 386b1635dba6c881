//! `authz-deliver`: what a client may have of what is sent to it.

use std::time::Duration;

use wasmtime::component::TypedFunc;

use super::access::{AuthzAnswer, Reuse, Vote};
use super::lowered::qos;
use super::notices::one_each;
use super::{HookCall, Lent};
use crate::bindings::exports::midge::plugin::authz_deliver as wit;
use crate::contract::{DeliveryQuestion, Hook, QoS};
use crate::error::HookFailure;
use crate::identities::{Identities, Identity};
use crate::imports::PluginState;
use crate::plugin::Generation;
use crate::plugin::functions::Functions;

/// `authz-deliver.authorize-deliver`.
pub(crate) struct AuthorizeDeliver<'a> {
    pub(crate) who: &'a Identity,
    pub(crate) deliveries: &'a [&'a DeliveryQuestion],
}

impl HookCall for AuthorizeDeliver<'_> {
    type Params = (u64, Vec<wit::Delivery>);
    type Results = (Result<Vec<wit::Ruling>, String>,);
    type Answer = Vec<AuthzAnswer>;

    const HOOK: Hook = Hook::AuthzDeliver;
    const FUNCTION: &'static str = "authorize-deliver";

    fn pick(functions: &Functions) -> Option<&TypedFunc<Self::Params, Self::Results>> {
        functions.authorize_deliver.as_ref()
    }

    fn lower(&self, state: &mut PluginState, _: &mut Lent) -> wasmtime::Result<Self::Params> {
        let identities = state.identities();
        Ok((self.who.id(), self.deliveries.iter().map(|question| lowered(question, identities)).collect()))
    }

    fn lift(&self, (rulings,): Self::Results) -> Result<Vec<AuthzAnswer>, HookFailure> {
        let rulings = rulings.map_err(HookFailure::Backend)?;
        one_each("rulings", rulings.len(), self.deliveries.len())?;
        Ok(rulings.into_iter().map(lift_ruling).collect())
    }

    fn client(&self) -> Option<&str> {
        Some(&self.who.client_id)
    }

    fn is_for(&self, of: &Generation) -> bool {
        of.concerns(Some(self.who))
    }
}

fn lowered(question: &DeliveryQuestion, identities: &Identities) -> wit::Delivery {
    let publisher = question.publisher.as_deref().map(|client_id| wit::Publisher {
        client_id: client_id.to_owned(),
        who: identities.of_client(client_id).map(|identity| identity.id()),
    });
    wit::Delivery { topic: question.topic.clone(), publisher, qos: qos(question.qos), retain: question.retain }
}

fn lift_ruling(ruling: wit::Ruling) -> AuthzAnswer {
    let vote = match ruling.verdict {
        wit::Verdict::Allow => Vote::Allow { max_qos: QoS::ExactlyOnce },
        wit::Verdict::Deny => Vote::Deny { code: NOT_AUTHORIZED, reason: None },
        wit::Verdict::Next => Vote::Next,
    };
    let reuse = Reuse { ttl: Duration::from_millis(ruling.reuse.ttl_ms.into()), covers: ruling.reuse.covers };
    AuthzAnswer { vote, reuse }
}

/// Nobody is told: it is for the log alone.
const NOT_AUTHORIZED: u8 = 0x87;
