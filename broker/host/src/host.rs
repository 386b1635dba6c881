//! [`Host`]: the set of plugins in force, and the only door to them.

mod gates;

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::admissions::Admissions;
use crate::apart::Apart;
use crate::authentications::Authentications;
use crate::chain::{Chains, PublishQuestion};
use crate::contract::{
    Action, Answer, Authentication, CacheStatus, Candidate, ConnectFacts, Credentials, Denial, Event, Exchange,
    ExchangeStep, Hook, InboundMessage, Message, Outside, Permission, PluginSpec, PluginStatus, QoS, Redirection,
    ReuseStatus, Ruling, SubscriptionQuestion,
};
use crate::engine::PluginEngine;
use crate::error::{HookError, LoadError, LoadErrorKind};
use crate::identities::{Identities, Identity};
use crate::load::{Cache, Loaded, Loader};
use crate::plugin::{Generation, at_once};
use crate::queues::Service;
use crate::verdicts::Verdicts;

/// What a host is loaded with, beside its plugins.
#[derive(Clone, Debug)]
pub struct HostSettings {
    /// The engine, one per process; a reload uses it again.
    pub engine: Arc<PluginEngine>,
    /// Where compiled components are kept; `None` compiles them at each start. Made if need be, for this user alone.
    pub cache_directory: Option<PathBuf>,
    /// Threads that make calls: inline plugins have an instance for each. Default: the number of processors.
    pub workers: usize,
    /// The broker's version, as plugins see it. Default: this crate's.
    pub broker_version: String,
    /// The node's name, as plugins see it. Default `midge`.
    pub node: String,
    /// Longest time an answer is reused, whatever its plugin says. Default 5 min; zero turns reuse off.
    pub reuse_max: Duration,
    /// Answers kept for reuse: verdicts of all identities, and as many of authenticators. Default 1,000,000.
    pub answers_max: u64,
}

impl HostSettings {
    /// The defaults.
    #[must_use]
    pub fn new(engine: Arc<PluginEngine>, cache_directory: impl Into<Option<PathBuf>>) -> Self {
        Self {
            engine,
            cache_directory: cache_directory.into(),
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            broker_version: env!("CARGO_PKG_VERSION").to_owned(),
            node: "midge".to_owned(),
            reuse_max: Duration::from_secs(300),
            answers_max: 1_000_000,
        }
    }
}

/// The plugins in force. Immutable: a reload loads another host beside this one and puts it in its place.
///
/// Questions fail closed: whatever keeps a plugin from answering is a denial with its cause. Notices never wait.
/// All methods may be called from any thread; inline plugins are called on the caller's.
pub struct Host {
    plugins: Vec<Loaded>,
    chains: Arc<Chains>,
    generations: Vec<Arc<Generation>>,
    /// Which hooks any plugin has.
    hooks: [bool; Hook::ALL.len()],
    service: OnceLock<Service>,
    engine: Arc<PluginEngine>,
    /// Where sinks run, and calls that can wait.
    runtime: Handle,
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
        let verdicts = Arc::new(Verdicts::new(settings.reuse_max, settings.answers_max));
        let authentications = Arc::new(Authentications::new(settings.reuse_max, settings.answers_max));
        let admissions = Admissions::new(settings.reuse_max, settings.answers_max);
        let runtime = Handle::current();
        let cache = settings.cache_directory.as_deref().filter(|_| !plugins.is_empty()).and_then(Cache::open);
        let loader = Arc::new(Loader {
            lasting: Arc::clone(settings.engine.lasting(&runtime)),
            cache,
            outside: Arc::new(Revoking {
                verdicts: Arc::clone(&verdicts),
                authentications: Arc::clone(&authentications),
                outside,
            }),
            identities,
            broker_version: settings.broker_version.into(),
            node: settings.node.into(),
            workers: settings.workers,
            engine: Arc::clone(&settings.engine),
        });
        let mut loaded = Vec::with_capacity(plugins.len());
        for spec in plugins {
            loaded.push(Arc::clone(&loader).load(spec).await?);
        }
        let generations: Vec<_> = loaded.iter().map(|loaded| Arc::clone(&loaded.generation)).collect();
        Ok(Arc::new(Self {
            chains: Arc::new(Chains::new(&generations, verdicts, authentications, admissions)),
            plugins: loaded,
            hooks: Hook::ALL.map(|hook| generations.iter().any(|plugin| plugin.has(hook))),
            generations,
            service: OnceLock::new(),
            engine: settings.engine,
            runtime,
        }))
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

    /// Asks the authentication chain. Its end denies.
    pub async fn authenticate(&self, credentials: Credentials, facts: ConnectFacts) -> Authentication {
        if self.chains.is_inline(Hook::Authn) {
            return self.chains.authenticate(credentials, facts).await;
        }
        let chains = Arc::clone(&self.chains);
        self.apart(async move { chains.authenticate(credentials, facts).await }).await
    }

    /// Whether any plugin says who a client is.
    #[must_use]
    pub fn authenticates(&self) -> bool {
        self.has(Hook::Authn) || self.has(Hook::EnhancedAuthn)
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
    pub fn permissions_from(&self) -> Option<Arc<str>> {
        self.chains.first_authorizer()
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
        for loaded in &self.plugins {
            loaded.generation.identity_gone(who.id());
        }
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
        let wants = |plugin: &Arc<Generation>| plugin.has(Hook::Sink) && plugin.wants(topic);
        self.has(Hook::Sink) && self.generations.iter().any(wants)
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
        let wants = |plugin: &Generation| plugin.wants(&message.message.topic) && maker != Some(&**plugin.name());
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

    /// Asks plugins that have `lifecycle` how they are; those that are well are not in the list.
    pub async fn unhealthy(&self) -> Vec<HookError> {
        let mut unhealthy = Vec::new();
        for loaded in &self.plugins {
            unhealthy.extend(loaded.generation.health().await.err());
        }
        unhealthy
    }

    /// What there is to say about each plugin, in order.
    #[must_use]
    pub fn plugins(&self) -> Vec<PluginStatus> {
        self.plugins.iter().map(|loaded| self.status(loaded)).collect()
    }

    /// The verdict cache.
    #[must_use]
    pub fn cache(&self) -> CacheStatus {
        self.chains.verdicts.status()
    }

    /// Answers of authenticators that are kept to be used again.
    #[must_use]
    pub fn authentications(&self) -> ReuseStatus {
        self.chains.authentications.status()
    }

    /// Ends this host, within `deadline`: `lifecycle.shutdown` for its plugins. If it is the one in service, its sinks
    /// deliver what waits and flush first, and what was appended to files is written; if another one has taken its place,
    /// the queues are that one's.
    pub async fn shutdown(&self, deadline: Duration) {
        let deadline = Instant::now() + deadline;
        let queues = self.engine.queues();
        let service = self.service.get();
        if service.is_some_and(|service| queues.are_of(service)) {
            queues.shutdown(deadline).await;
        }
        for plugin in &self.generations {
            plugin.shutdown(deadline.into_std()).await;
        }
        if service.is_none_or(|service| queues.are_of(service)) {
            self.engine.lasting(&self.runtime).finish(deadline).await;
        }
    }

    /// Has the runtime of the plugins do what may wait.
    fn apart<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Pin<Box<Apart<T>>> {
        Box::pin(Apart::on(&self.runtime, work))
    }

    fn service(&self) -> &Service {
        self.service.get_or_init(|| self.engine.queues().serve(&self.generations, &self.runtime))
    }

    fn status(&self, loaded: &Loaded) -> PluginStatus {
        let mut status = loaded.generation.status();
        status.queues = self.engine.queues().status(loaded.generation.name());
        status.imports = loaded.shared.status();
        status.custom = loaded.shared.custom_metrics();
        status
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.plugins.iter().map(|loaded| loaded.generation.name())).finish()
    }
}

/// Lets go of remembered answers before the broker looks at a principal's subscriptions again.
struct Revoking {
    verdicts: Arc<Verdicts>,
    authentications: Arc<Authentications>,
    outside: Arc<dyn Outside>,
}

impl Outside for Revoking {
    fn publish(&self, plugin: &str, message: Message) -> Result<(), String> {
        self.outside.publish(plugin, message)
    }

    fn disconnect(&self, plugin: &str, client_id: &str, code: u8, keep_session: bool) -> bool {
        self.outside.disconnect(plugin, client_id, code, keep_session)
    }

    fn redirect(&self, plugin: &str, client_id: &str, to: &Redirection) -> bool {
        self.outside.redirect(plugin, client_id, to)
    }

    fn revoke(&self, plugin: &str, principal: &str) {
        self.verdicts.revoke(principal);
        self.authentications.revoke(principal);
        self.outside.revoke(plugin, principal);
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
