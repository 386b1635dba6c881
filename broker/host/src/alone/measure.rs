//! What calls cost: each function many times, with the typed calls that a broker makes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Alone;
use super::people::{CLIENT_ID, LISTENER, PEER};
use crate::contract::{
    Candidate, ConnectFacts, Credentials, Delivery, Event, Hook, InboundMessage, Message, Protocol, QoS,
    SubscriptionQuestion,
};
use crate::error::{HookFailure, LoadError};
use crate::identities::Identity;
use crate::plugin::{
    Asked, Authenticate, AuthorizePublish, AuthorizeSubscribe, Deliver, HookCall, OnEvents, OnPublish, Permissions,
    Round, Start,
};

/// What calls of one function took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// The hook.
    pub hook: Hook,
    /// The function.
    pub function: &'static str,
    /// Messages, or events, in one call; 1 where a call is one question.
    pub items: usize,
    /// How many calls were measured.
    pub calls: usize,
    /// How many of them failed.
    pub failed: usize,
    /// How the last of these failed.
    pub failure: Option<HookFailure>,
    /// Half of the calls took no longer, in nanoseconds.
    pub p50_ns: u64,
    /// 99 of 100 calls took no longer, in nanoseconds.
    pub p99_ns: u64,
}

impl Alone {
    /// Calls each function of a hook again and again: at most `calls` times, and not for much longer than `at_most`. What it asks is
    /// always the same: user `alice` with password `secret`, the topic `bench/topic`, a payload of 200 bytes. Functions that are
    /// no question, such as `flush`, are left out.
    ///
    /// # Errors
    /// The plugin does not start.
    pub async fn measure(&mut self, hook: Hook, calls: usize, at_most: Duration) -> Result<Vec<Measured>, LoadError> {
        let run = Run { calls: calls.max(1), at_most };
        let has =
            |alone: &Self, name: &str| alone.functions.iter().any(|known| known.hook == hook && known.name == name);
        let mut rows = Vec::new();
        let facts = Arc::new(ConnectFacts::default());
        let credentials = Arc::new(credentials());
        let who = self.who();
        match hook {
            Hook::Authn if has(self, "authenticate") => {
                let call = Authenticate::new(credentials, facts, true);
                rows.push(self.repeat(&call, 1, &run).await?);
            }
            Hook::EnhancedAuthn if has(self, "start") => {
                let candidate = Candidate { method: "BENCH".into(), credentials, facts, principal: None };
                let state_bytes_max = self.nursery.blueprint.limits.state_bytes_max;
                let data = Some(b"n,,n=alice,r=bench".to_vec());
                let call = Start(Round { candidate: &candidate, data, with_password: true, state_bytes_max });
                rows.push(self.repeat(&call, 1, &run).await?);
            }
            Hook::Authz => {
                let (who, qos) = (&*who, QoS::AtLeastOnce);
                rows.push(self.repeat(&Permissions { who }, 1, &run).await?);
                let call = AuthorizePublish { who, topic: TOPIC, qos, retain: false };
                rows.push(self.repeat(&call, 1, &run).await?);
                let one = SubscriptionQuestion { filter: TOPIC.into(), qos, no_local: false, share: None };
                rows.push(self.repeat(&AuthorizeSubscribe { who, subscriptions: &[&one] }, 1, &run).await?);
            }
            Hook::Messages => {
                let (message, plugin) = (message(), Arc::clone(&self.about.name));
                for items in BATCHES {
                    let batch = vec![Asked { who: Some(&who), received_at: 0, message: &message }; items];
                    let call = OnPublish { batch: &batch, plugin: &plugin, with_payload: true };
                    rows.push(self.repeat(&call, items, &run).await?);
                }
            }
            Hook::Sink => {
                for items in BATCHES {
                    let inbound = InboundMessage { who: Some(Arc::clone(&who)), received_at: 0, message: message() };
                    let batch = vec![Delivery { sequence: 1, attempt: 0, inbound }; items];
                    rows.push(self.repeat(&Deliver { batch: &batch, with_payload: true }, items, &run).await?);
                }
            }
            Hook::Events => {
                let node: Arc<str> = "midge".into();
                for items in BATCHES {
                    let batch = vec![event(); items];
                    rows.push(self.repeat(&OnEvents { batch: &batch, node: &node }, items, &run).await?);
                }
            }
            _ => {}
        }
        Ok(rows)
    }

    /// Makes one call after the other. An instance that a call did not leave whole is replaced, outside of what is measured.
    async fn repeat<C: HookCall>(&mut self, call: &C, items: usize, run: &Run) -> Result<Measured, LoadError> {
        let limits = self.nursery.blueprint.limits.clone();
        let (cpu, wait) = (limits.cpu_of(C::HOOK), limits.wait_of(C::HOOK));
        let began = Instant::now();
        let mut measured = Measured {
            hook: C::HOOK,
            function: C::FUNCTION,
            items,
            calls: 0,
            failed: 0,
            failure: None,
            p50_ns: 0,
            p99_ns: 0,
        };
        let mut taken: Vec<u64> = Vec::with_capacity(run.calls);
        let warm_up = run.calls / 10;
        for number in 0..run.calls + warm_up {
            if self.instance.is_none() {
                self.start().await?;
            }
            let Some(mut instance) = self.instance.take() else { break };
            let before = Instant::now();
            let deadline = before + wait;
            let called = tokio::time::timeout_at(deadline.into(), instance.call(call, cpu, deadline)).await;
            let took = before.elapsed();
            let failure = called.unwrap_or(Err(HookFailure::WaitTimeout)).err();
            // What it orders is nobody's here.
            instance.orders.clear();
            if failure.as_ref().is_none_or(crate::plugin::spares_instance) {
                self.instance = Some(instance);
            }
            let is_late = began.elapsed() > run.at_most;
            if number < warm_up && !is_late {
                continue;
            }
            taken.push(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
            if failure.is_some() {
                measured.failed += 1;
                measured.failure = failure;
            }
            if is_late {
                break;
            }
        }
        taken.sort_unstable();
        let at = |percent: usize| taken.get((taken.len() * percent / 100).min(taken.len().saturating_sub(1))).copied();
        measured.calls = taken.len();
        (measured.p50_ns, measured.p99_ns) = (at(50).unwrap_or(0), at(99).unwrap_or(0));
        Ok(measured)
    }

    fn who(&mut self) -> Arc<Identity> {
        self.people.default()
    }
}

struct Run {
    calls: usize,
    at_most: Duration,
}

fn credentials() -> Credentials {
    Credentials {
        client_id: CLIENT_ID.to_owned(),
        username: Some("alice".to_owned()),
        password: Some(b"secret".to_vec()),
        certificate_cn: None,
        listener: LISTENER.into(),
        peer: PEER.to_owned(),
        protocol: Protocol::V5,
        tls: false,
    }
}

fn message() -> Message {
    Message::new(TOPIC, vec![b'x'; 200], QoS::AtLeastOnce, false)
}

fn event() -> Event {
    Event {
        kind: "client.connected".into(),
        at_ms: 0,
        client_id: Some(CLIENT_ID.to_owned()),
        principal: Some("alice".to_owned()),
        topic: None,
        reason_code: Some(0),
        count: 1,
        detail: String::new(),
    }
}

const TOPIC: &str = "bench/topic";
/// Messages in one call: alone, and as many as a broker sends at most unless configured.
const BATCHES: [usize; 2] = [1, 64];
