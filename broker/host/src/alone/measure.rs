//! What calls cost: each function many times, with the typed calls that a broker makes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::Alone;
use super::people::{CLIENT_ID, LISTENER, PEER};
use crate::contract::{
    Candidate, ConnectFacts, Credentials, Delivery, DeliveryQuestion, Event, Hook, InboundMessage, Message,
    PageRequest, Protocol, QoS, SubscriptionQuestion,
};
use crate::error::{HookFailure, LoadError};
use crate::identities::Identity;
use crate::plugin::{
    Admit, Asked, Authenticate, AuthorizeDeliver, AuthorizePublish, AuthorizeSubscribe, AuthorizeUnsubscribe,
    AuthorizeWill, Deliver, Handle, Health, HookCall, Methods, OnEvents, OnPublish, Permissions, Proceed, Round, Start,
    StepAnswer, Tick, spares_instance,
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
    /// always the same: user `alice` with password `secret`, the topic `bench/topic`, a payload of 200 bytes, the address of this
    /// machine, `GET /`. Functions that are no question, such as `flush`, are left out.
    ///
    /// # Errors
    /// The plugin does not start.
    pub async fn measure(&mut self, hook: Hook, calls: usize, at_most: Duration) -> Result<Vec<Measured>, LoadError> {
        let run = Run { calls: calls.max(1), at_most };
        let mut rows = Vec::new();
        match hook {
            Hook::Lifecycle => rows.push(self.repeat(&Health, 1, &run).await?),
            Hook::Authn => {
                let call = Authenticate::new(Arc::new(credentials()), Arc::new(ConnectFacts::default()), true);
                rows.push(self.repeat(&call, 1, &run).await?);
            }
            Hook::EnhancedAuthn => self.measure_exchange(&run, &mut rows).await?,
            Hook::Authz => self.measure_access(&run, &mut rows).await?,
            Hook::Messages | Hook::Sink | Hook::Events => self.measure_batches(hook, &run, &mut rows).await?,
            Hook::Ticker => rows.push(self.repeat(&Tick, 1, &run).await?),
            Hook::AuthzUnsubscribe => {
                let who = self.who();
                let call = AuthorizeUnsubscribe { who: &who, filters: &[TOPIC] };
                rows.push(self.repeat(&call, 1, &run).await?);
            }
            Hook::AuthzWill => {
                let (who, will) = (self.who(), message());
                let call = AuthorizeWill { who: &who, will: &will, delay: 0, with_payload: true };
                rows.push(self.repeat(&call, 1, &run).await?);
            }
            Hook::AuthzDeliver => {
                let (who, publisher) = (self.who(), Some(CLIENT_ID.into()));
                let one = DeliveryQuestion { topic: TOPIC.into(), publisher, qos: QoS::AtLeastOnce, retain: false };
                for items in BATCHES {
                    let call = AuthorizeDeliver { who: &who, deliveries: &vec![&one; items] };
                    rows.push(self.repeat(&call, items, &run).await?);
                }
            }
            Hook::Admission => {
                let call = Admit { listener: LISTENER, address: ADDRESS };
                rows.push(self.repeat(&call, 1, &run).await?);
            }
            Hook::Admin => {
                let bytes_max = self.nursery.blueprint.limits.admin_bytes_max;
                let call = Handle { request: &page(), bytes_max };
                rows.push(self.repeat(&call, 1, &run).await?);
            }
        }
        Ok(rows)
    }

    /// An exchange of two steps: its beginning, and the reply to the challenge, where there is one.
    async fn measure_exchange(&mut self, run: &Run, rows: &mut Vec<Measured>) -> Result<(), LoadError> {
        let (methods, _) = self.once(&Methods).await?;
        let method = methods.ok().flatten().and_then(|methods| methods.into_iter().next());
        let candidate = Candidate {
            method: method.as_deref().unwrap_or("BENCH").into(),
            credentials: Arc::new(credentials()),
            facts: Arc::new(ConnectFacts::default()),
            principal: None,
        };
        let state_bytes_max = self.nursery.blueprint.limits.state_bytes_max;
        let round = |data: &[u8]| Round {
            candidate: &candidate,
            data: Some(data.to_vec()),
            with_password: true,
            state_bytes_max,
        };
        let start = Start(round(b"n,,n=alice,r=bench"));
        rows.push(self.repeat(&start, 1, run).await?);
        if let (Ok(Some(StepAnswer::Challenge { state, .. })), _) = self.once(&start).await? {
            rows.push(self.repeat(&Proceed { round: round(b"secret"), state }, 1, run).await?);
        }
        Ok(())
    }

    async fn measure_access(&mut self, run: &Run, rows: &mut Vec<Measured>) -> Result<(), LoadError> {
        let (identity, qos) = (self.who(), QoS::AtLeastOnce);
        let who: &Identity = &identity;
        rows.push(self.repeat(&Permissions { who }, 1, run).await?);
        rows.push(self.repeat(&AuthorizePublish { who, topic: TOPIC, qos, retain: false }, 1, run).await?);
        let one = SubscriptionQuestion { filter: TOPIC.into(), qos, no_local: false, share: None };
        rows.push(self.repeat(&AuthorizeSubscribe { who, subscriptions: &[&one] }, 1, run).await?);
        Ok(())
    }

    /// The hooks that take batches, alone and as many as a broker sends at most unless configured.
    async fn measure_batches(&mut self, hook: Hook, run: &Run, rows: &mut Vec<Measured>) -> Result<(), LoadError> {
        let (who, plugin, node) = (self.who(), Arc::clone(&self.about.name), Arc::<str>::from("midge"));
        let message = message();
        for items in BATCHES {
            rows.push(match hook {
                Hook::Messages => {
                    let batch = vec![Asked { who: Some(&who), received_at: 0, message: &message }; items];
                    let call = OnPublish { batch: &batch, plugin: &plugin, with_payload: true };
                    self.repeat(&call, items, run).await?
                }
                Hook::Sink => {
                    let who = Some(Arc::clone(&who));
                    let inbound = InboundMessage { who, received_at: 0, message: message.clone() };
                    let batch = vec![Delivery { sequence: 1, attempt: 0, inbound }; items];
                    self.repeat(&Deliver { batch: &batch, with_payload: true }, items, run).await?
                }
                _ => self.repeat(&OnEvents { batch: &vec![event(); items], node: &node }, items, run).await?,
            });
        }
        Ok(())
    }

    /// Makes one call after the other. An instance that a call did not leave whole is replaced, outside of what is measured.
    async fn repeat<C: HookCall>(&mut self, call: &C, items: usize, run: &Run) -> Result<Measured, LoadError> {
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
            let (answer, took) = self.once(call).await?;
            let is_late = began.elapsed() > run.at_most;
            if number < warm_up && !is_late {
                continue;
            }
            taken.push(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
            if let Err(failure) = answer {
                measured.failed += 1;
                measured.failure = Some(failure);
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

    /// One call, and how long it took. There is an instance before; afterwards only if the call left it whole.
    async fn once<C: HookCall>(
        &mut self,
        call: &C,
    ) -> Result<(Result<Option<C::Answer>, HookFailure>, Duration), LoadError> {
        if self.instance.is_none() {
            self.start().await?;
        }
        let Some(mut instance) = self.instance.take() else { unreachable!("an instance was made just now") };
        let limits = &self.nursery.blueprint.limits;
        let (cpu, wait) = (limits.cpu_of(C::HOOK), limits.wait_of(C::HOOK));
        let before = Instant::now();
        let deadline = before + wait;
        let called = tokio::time::timeout_at(deadline.into(), instance.call(call, cpu, deadline)).await;
        let took = before.elapsed();
        let answer = called.unwrap_or(Err(HookFailure::WaitTimeout));
        // What it orders is nobody's here.
        instance.orders.clear();
        if answer.as_ref().err().is_none_or(spares_instance) {
            self.instance = Some(instance);
        }
        Ok((answer, took))
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

fn page() -> PageRequest {
    let text = str::to_owned;
    PageRequest { method: text("GET"), path: text("/"), query: String::new(), headers: Vec::new(), body: Bytes::new() }
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
const ADDRESS: &str = "127.0.0.1";
/// Messages in one call: alone, and as many as a broker sends at most unless configured.
const BATCHES: [usize; 2] = [1, 64];
