//! [`Host`]: the set of plugins in force, and the only door to them.

mod gates;
mod settings;
mod status;
mod swap;

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

pub use self::settings::HostSettings;
pub use self::swap::Successor;
use crate::admissions::Admissions;
use crate::apart::Apart;
use crate::authentications::Authentications;
use crate::chain::{Chains, PublishQuestion};
use crate::contract::{
    Action, Answer, Authentication, Candidate, ConnectFacts, Credentials, Denial, Event, Exchange, ExchangeStep, Hook,
    InboundMessage, Outside, Permission, PluginSpec, QoS, Ruling, SubscriptionQuestion, SwapMode, TrialLimits,
};
use crate::engine::PluginEngine;
use crate::error::{LoadError, LoadErrorKind};
use crate::identities::{Identities, Identity};
use crate::load::{Cache, Loaded, Loader};
use crate::plugin::at_once;
use crate::queues::Service;
use crate::seat::Seat;
use crate::trial::Trial;
use crate::verdicts::Verdicts;

/// The plugins in force. Immutable: a reload loads another host beside this one and puts it in its place.
///
/// Questions fail closed: whatever keeps a plugin from answering is a denial with its cause. Notices never wait.
/// All methods may be called from any thread; inline plugins are called on the caller's.
pub struct Host {
    members: Vec<Member>,
    seats: Vec<Seat>,
    chains: Arc<Chains>,
    /// Which hooks any plugin has.
    hooks: [bool; Hook::ALL.len()],
    /// Whether any plugin is for some listeners only.
    is_partial: bool,
    service: OnceLock<Service>,
    /// What all sets of plugins are loaded with that follow one another by swaps.
    common: Arc<Common>,
}

/// What a host has in common with those that follow it by swaps of single plugins.
struct Common {
    loader: Loader,
    outside: Arc<dyn Outside>,
    reuse_max: Duration,
    answers_max: u64,
    trial: TrialLimits,
    engine: Arc<PluginEngine>,
    /// Where sinks run, and calls that can wait.
    runtime: Handle,
}

/// One plugin: the generation in force, and the one that is to follow it, if any.
#[derive(Clone)]
struct Member {
    current: Arc<Loaded>,
    trial: Option<Arc<Trial>>,
}

impl Member {
    fn name(&self) -> &Arc<str> {
        self.current.generation.name()
    }

    /// What has the plugin's place once what is on probation has proved itself.
    fn in_charge(&self) -> &Arc<Loaded> {
        match &self.trial {
            Some(trial) if trial.mode == SwapMode::All => &trial.candidate,
            _ => &self.current,
        }
    }

    /// Every generation that is loaded.
    fn loaded(&self) -> impl Iterator<Item = &Arc<Loaded>> {
        std::iter::once(&self.current).chain(self.trial.as_ref().map(|trial| &trial.candidate))
    }
}

impl Host {
    /// Loads plugins, in the order of their chains. Queues of sinks and observers stay with the host in service until
    /// this one [enters it](Self::enter_service), so a host that is not used after all changes nothing.
    ///
    /// Must be called in a tokio runtime, which also runs the sinks, and every call of a plugin that can wait: it should
    /// not be the one that serves clients.
    ///
    /// # Errors
    /// The first plugin that cannot be loaded, with its file, what was found and what would be accepted.
    pub async fn load(
        settings: HostSettings,
        plugins: Vec<PluginSpec>,
        outside: Arc<dyn Outside>,
        identities: Arc<Identities>,
    ) -> Result<Arc<Self>, LoadError> {
        unique_names(&plugins)?;
        let runtime = Handle::current();
        let cache = settings.cache_directory.as_deref().filter(|_| !plugins.is_empty()).and_then(Cache::open);
        let loader = Loader {
            lasting: Arc::clone(settings.engine.lasting(&runtime)),
            cache: cache.map(Arc::new),
            outside: Arc::clone(&outside),
            identities,
            broker_version: settings.broker_version.into(),
            node: settings.node.into(),
            workers: settings.workers,
            tries_all: false,
            engine: Arc::clone(&settings.engine),
        };
        let mut members = Vec::with_capacity(plugins.len());
        for spec in plugins {
            match Arc::new(loader.clone()).load(spec).await {
                Ok(loaded) => members.push(Member { current: loaded, trial: None }),
                Err(error) => {
                    // Those before it have started.
                    let deadline = (Instant::now() + swap::REJECTED_SHUTDOWN_MAX).into_std();
                    for Member { current, .. } in &members {
                        current.generation.shutdown(deadline).await;
                    }
                    return Err(error);
                }
            }
        }
        let common = Common {
            loader,
            outside,
            reuse_max: settings.reuse_max,
            answers_max: settings.answers_max,
            trial: settings.trial,
            engine: settings.engine,
            runtime,
        };
        Ok(Self::of(members, Arc::new(common)))
    }

    /// The host of these plugins, which has no answers to be used again yet.
    fn of(members: Vec<Member>, common: Arc<Common>) -> Arc<Self> {
        let seat = |member: &Member| Seat::new(Arc::clone(&member.current.generation), member.trial.clone());
        let seats: Vec<Seat> = members.iter().map(seat).collect();
        let decides = |seat: &&Seat| seat.has(Hook::Authz) || seat.has(Hook::AuthzDeliver);
        let stale_max = seats.iter().filter(decides).map(Seat::stale_max).max().unwrap_or_default();
        let verdicts = Arc::new(Verdicts::new(common.reuse_max, common.answers_max).with_stale(stale_max));
        let authentications = Arc::new(Authentications::new(common.reuse_max, common.answers_max));
        let admissions = Admissions::new(common.reuse_max, common.answers_max);
        Arc::new(Self {
            chains: Arc::new(Chains::new(&seats, verdicts, authentications, admissions)),
            hooks: Hook::ALL.map(|hook| seats.iter().any(|seat| seat.has(hook))),
            is_partial: !seats.iter().all(Seat::is_everywhere),
            members,
            seats,
            service: OnceLock::new(),
            common,
        })
    }

    /// Puts these plugins behind the queues of sinks and observers; what waits there is delivered to them. To be called
    /// when a reload puts this host into the place of another. The first message or event does it as well.
    pub fn enter_service(&self) {
        self.service();
    }

    /// Whether any plugin has this hook.
    #[must_use]
    pub fn has(&self, hook: Hook) -> bool {
        self.hooks[hook.index()]
    }

    /// Whether any plugin with this hook is asked about clients of a listener. For its tenants this says nothing: a client
    /// whose tenant no plugin is for is one that no plugin allows.
    #[must_use]
    pub fn is_on(&self, hook: Hook, listener: &str) -> bool {
        self.has(hook) && (!self.is_partial || self.seats.iter().any(|seat| seat.has(hook) && seat.is_on(listener)))
    }

    /// Asks the authentication chain. Its end denies.
    pub async fn authenticate(&self, credentials: Credentials, facts: ConnectFacts) -> Authentication {
        if self.chains.is_inline(Hook::Authn) {
            return self.chains.authenticate(credentials, facts).await;
        }
        let chains = Arc::clone(&self.chains);
        self.apart(async move { chains.authenticate(credentials, facts).await }).await
    }

    /// Whether any plugin says who a client of a listener is.
    #[must_use]
    pub fn authenticates(&self, listener: &str) -> bool {
        self.is_on(Hook::Authn, listener) || self.is_on(Hook::EnhancedAuthn, listener)
    }

    /// Begins an exchange of enhanced authentication with what the client sent first.
    pub async fn start_exchange(&self, candidate: &Candidate, data: Option<Vec<u8>>) -> ExchangeStep {
        if self.chains.is_inline(Hook::EnhancedAuthn) {
            return self.chains.start_exchange(candidate, data).await;
        }
        let (chains, candidate) = (Arc::clone(&self.chains), candidate.clone());
        self.apart(async move { chains.start_exchange(&candidate, data).await }).await
    }

    /// Goes on with an exchange when the client has replied. It may have begun with the host that this one replaced.
    pub async fn proceed(&self, candidate: &Candidate, exchange: Exchange, data: Option<Vec<u8>>) -> ExchangeStep {
        if self.chains.is_inline(Hook::EnhancedAuthn) {
            return self.chains.proceed(candidate, exchange, data).await;
        }
        let (chains, candidate) = (Arc::clone(&self.chains), candidate.clone());
        self.apart(async move { chains.proceed(&candidate, exchange, data).await }).await
    }

    /// The whole authorization of an identity as data, for the broker to evaluate; `None`: ask per action. To be asked
    /// once per identity, before anything else is.
    ///
    /// # Errors
    /// A plugin could not answer: the client must be turned away.
    pub async fn permissions(&self, who: &Arc<Identity>) -> Result<Option<Vec<Permission>>, Denial> {
        if self.chains.is_inline(Hook::Authz) {
            return self.chains.permissions(who).await;
        }
        let (chains, who) = (Arc::clone(&self.chains), Arc::clone(who));
        self.apart(async move { chains.permissions(&who).await }).await
    }

    /// The plugin that [`Host::permissions`] come from: the first authorizer, since behind one that wants to be asked they
    /// are evaluated in the chain.
    #[must_use]
    pub fn permissions_from(&self, who: &Identity) -> Option<Arc<str>> {
        self.chains.first_authorizer(who)
    }

    /// Whether an identity may publish to this topic. Answers at once from the verdict cache, or if every authorizer is
    /// an inline plugin. `now_ms` decides which remembered verdicts are still good. It is of any clock that does not go back,
    /// always the same one, and may have been read for a whole batch of messages.
    #[must_use]
    pub fn authorize_publish(
        &self,
        who: &Arc<Identity>,
        topic: &str,
        qos: QoS,
        retain: bool,
        now_ms: u64,
    ) -> Answer<Ruling> {
        let (chains, question) = (&self.chains, PublishQuestion { topic, qos, retain, now_ms });
        let placed = match chains.known_publish(who, &question) {
            Ok(known) => return Answer::Ready(known),
            Err(placed) => placed,
        };
        if chains.is_inline(Hook::Authz) {
            return Answer::Ready(at_once(chains.authorize_publish(who, &question, placed)));
        }
        let (chains, who, topic) = (Arc::clone(chains), Arc::clone(who), topic.to_owned());
        Answer::Later(self.apart(async move {
            chains.authorize_publish(&who, &PublishQuestion { topic: &topic, retain, qos, now_ms }, placed).await
        }))
    }

    /// Whether an identity may subscribe: one ruling per question, in order. `now_ms` as in [`Host::authorize_publish`].
    #[must_use]
    pub fn authorize_subscribe(
        &self,
        who: &Arc<Identity>,
        questions: Vec<SubscriptionQuestion>,
        now_ms: u64,
    ) -> Answer<Vec<Ruling>> {
        let chains = &self.chains;
        if chains.is_inline(Hook::Authz) {
            return Answer::Ready(at_once(chains.authorize_subscribe(who, &questions, now_ms)));
        }
        let (chains, who) = (Arc::clone(chains), Arc::clone(who));
        Answer::Later(self.apart(async move { chains.authorize_subscribe(&who, &questions, now_ms).await }))
    }

    /// Connection and session of an identity are gone: verdicts are dropped, and plugins hear of it.
    pub fn identity_gone(&self, who: &Identity) {
        self.chains.verdicts.forget(who.id());
        for seat in &self.seats {
            seat.identity_gone(who.id());
        }
    }

    /// What plugins said of a principal holds no longer: it is forgotten, and asked for again.
    pub fn revoke(&self, principal: &str) {
        self.chains.verdicts.revoke(principal);
        self.chains.authentications.revoke(principal);
    }

    /// Whether messages of this topic must be shown to a plugin before they are routed.
    #[must_use]
    pub fn wants_messages(&self, topic: &str) -> bool {
        self.chains.wants_messages(topic)
    }

    /// What becomes of messages before they are routed: one action per message, in order.
    #[must_use]
    pub fn on_publish(&self, batch: Vec<InboundMessage>) -> Answer<Vec<Action>> {
        if self.chains.is_inline(Hook::Messages) {
            return Answer::Ready(at_once(self.chains.on_publish(batch)));
        }
        let chains = Arc::clone(&self.chains);
        Answer::Later(self.apart(async move { chains.on_publish(batch).await }))
    }

    /// Whether any sink wants messages of this topic.
    #[must_use]
    pub fn wants_delivery(&self, topic: &str) -> bool {
        let wants = |seat: &Seat| seat.has(Hook::Sink) && seat.wants(topic);
        self.has(Hook::Sink) && self.seats.iter().any(wants)
    }

    /// Queues a message for every sink that wants it. Never waits: a full queue drops, counts and says so.
    pub fn deliver(&self, message: InboundMessage) {
        self.offer(message, None);
    }

    /// The same for a message that a plugin made; that plugin does not get it, or it could answer itself for ever.
    pub fn deliver_made(&self, message: InboundMessage, maker: &str) {
        self.offer(message, Some(maker));
    }

    fn offer(&self, message: InboundMessage, maker: Option<&str>) {
        let wants = |plugin: &Seat| {
            plugin.wants(&message.message.topic) && maker != Some(&**plugin.name()) && plugin.concerns_message(&message)
        };
        let sinks = &self.service().sinks;
        let mut wanting = sinks.iter().filter(|(plugin, _)| wants(plugin)).map(|(_, sink)| sink);
        let Some(first) = wanting.next() else { return };
        for sink in wanting {
            sink.offer(message.clone());
        }
        first.offer(message);
    }

    /// Whether any plugin observes events.
    #[must_use]
    pub fn wants_events(&self) -> bool {
        self.has(Hook::Events)
    }

    /// Queues an event for every observer. Never waits: a full queue loses events and counts them.
    pub fn notify(&self, event: Event) {
        if let Some((last, others)) = self.service().observers.split_last() {
            others.iter().for_each(|observer| observer.offer(event.clone()));
            last.offer(event);
        }
    }

    /// Ends this host, within `deadline`: `lifecycle.shutdown` for its plugins. If it is the one in service, its sinks
    /// deliver what waits and flush first, and what was appended to files is written; if another one has taken its place,
    /// the queues are that one's.
    pub async fn shutdown(&self, deadline: Duration) {
        let deadline = Instant::now() + deadline;
        let queues = self.common.engine.queues();
        let service = self.service.get();
        if service.is_some_and(|service| queues.are_of(service)) {
            queues.shutdown(deadline).await;
        }
        for loaded in self.members.iter().flat_map(Member::loaded) {
            loaded.generation.shutdown(deadline.into_std()).await;
        }
        if service.is_none_or(|service| queues.are_of(service)) {
            self.common.engine.lasting(&self.common.runtime).finish(deadline).await;
        }
    }

    /// Has the runtime of the plugins do what may wait.
    fn apart<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Pin<Box<Apart<T>>> {
        Box::pin(Apart::on(&self.common.runtime, work))
    }

    fn service(&self) -> &Service {
        self.service.get_or_init(|| self.common.engine.queues().serve(&self.seats, &self.common.runtime))
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.members.iter().map(Member::name)).finish()
    }
}

fn unique_names(plugins: &[PluginSpec]) -> Result<(), LoadError> {
    for (at, spec) in plugins.iter().enumerate() {
        if spec.name.is_empty() || plugins[..at].iter().any(|other| other.name == spec.name) {
            return Err(LoadError {
                plugin: spec.name.clone(),
                origin: spec.source.to_string(),
                kind: LoadErrorKind::Setup("its name must not be empty, and no other plugin may have it".into()),
            });
        }
    }
    Ok(())
}
