//! Guests made from text, and what tests need to load and ask them. No guest toolchain is involved.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use midge_host::contract::{
    BreakerState, ConnectFacts, Credentials, Hook, HookStatus, InboundMessage, Message, Outside, PluginSource,
    PluginSpec, Protocol, QoS, Redirection, Ruling,
};
use midge_host::{EngineSettings, Host, HostSettings, Identities, Identity, IdentityFacts, LoadError, PluginEngine};

/// Which parts of `guest.wat` a component is built from.
#[derive(Clone, Debug)]
pub struct Guest {
    parts: Vec<&'static str>,
    init: char,
    shutdown: char,
    permissions: char,
    broken: char,
    url: String,
}

impl Guest {
    /// A guest with these parts: hooks, `http` to put it into the waiting lane, and `wasi`.
    pub fn new(parts: &[&'static str]) -> Self {
        Self {
            parts: parts.to_vec(),
            init: 'a',
            shutdown: 'a',
            permissions: 'p',
            broken: '-',
            url: "http://127.0.0.1:9/".into(),
        }
    }

    /// What `lifecycle.init` does.
    pub fn init(mut self, how: char) -> Self {
        self.init = how;
        self
    }

    /// How `lifecycle.shutdown` goes wrong, if it does.
    pub fn shutdown(mut self, how: char) -> Self {
        self.shutdown = how;
        self
    }

    /// The first letter of client ids that get permissions.
    pub fn permissions(mut self, letter: char) -> Self {
        self.permissions = letter;
        self
    }

    /// A letter that makes this guest trap, whatever it means to others.
    pub fn broken(mut self, letter: char) -> Self {
        self.broken = letter;
        self
    }

    /// What a waiting guest waits for.
    pub fn url(mut self, url: &str) -> Self {
        url.clone_into(&mut self.url);
        self
    }

    /// The core module.
    pub fn module(&self) -> Vec<u8> {
        let mut open = Vec::new();
        let mut text = String::new();
        for line in include_str!("guest.wat").lines() {
            if let Some(part) = line.trim().strip_prefix(";;[") {
                open.push(self.parts.contains(&part));
            } else if line.trim() == ";;]" {
                open.pop();
            } else if open.iter().all(|is_in| *is_in) {
                text.push_str(line);
                text.push('\n');
            }
        }
        let text = text
            .replace("@INIT@", &u32::from(self.init).to_string())
            .replace("@SHUTDOWN@", &u32::from(self.shutdown).to_string())
            .replace("@PERMISSIONS@", &u32::from(self.permissions).to_string())
            .replace("@BROKEN@", &u32::from(self.broken).to_string())
            .replace("@URL@", &self.url)
            .replace("@URL_LENGTH@", &self.url.len().to_string());
        wat::parse_str(text).unwrap()
    }

    /// The component.
    pub fn build(&self) -> Vec<u8> {
        let mut world = String::from("package test:guest; world guest { import midge:plugin/types@0.1.0; ");
        for part in &self.parts {
            match *part {
                "wasi" => world.push_str(WASI),
                "http" => world.push_str("import midge:plugin/http@0.1.0; "),
                hook => world.push_str(&format!("export midge:plugin/{hook}@0.1.0; ")),
            }
        }
        world.push('}');
        componentize(self.module(), &world)
    }

    /// The component as a plugin.
    pub fn spec(&self, name: &str) -> PluginSpec {
        spec(name, self.build())
    }
}

/// What a guest with the part `wasi` imports.
const WASI: &str = "import wasi:cli/environment@0.2.3; import wasi:filesystem/preopens@0.2.3; \
                    import wasi:sockets/tcp-create-socket@0.2.3; import wasi:clocks/wall-clock@0.2.3; \
                    import wasi:random/random@0.2.3; import wasi:cli/stdout@0.2.3; \
                    import wasi:clocks/monotonic-clock@0.2.3; ";

/// Wraps a core module for a world that may use Midge's contract.
pub fn componentize(mut module: Vec<u8>, world: &str) -> Vec<u8> {
    let mut resolve = wit_parser::Resolve::default();
    let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    resolve.push_dir(contract).unwrap();
    resolve.push_str("wasi.wit", include_str!("wasi.wit")).unwrap();
    let package = resolve.push_str("guest.wit", world).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let encoding = wit_component::StringEncoding::UTF8;
    wit_component::embed_component_metadata(&mut module, &resolve, world, encoding).unwrap();
    let mut encoder = wit_component::ComponentEncoder::default();
    encoder.module(&module).unwrap().encode().unwrap()
}

/// Bytes as a plugin.
pub fn spec(name: &str, bytes: Vec<u8>) -> PluginSpec {
    let origin = format!("test:{name}");
    let bytes = Cow::Owned(bytes);
    PluginSpec::new(name, PluginSource::Bytes { origin, bytes })
}

/// Loads plugins without a cache.
pub async fn load(plugins: Vec<PluginSpec>) -> Result<Arc<Host>, LoadError> {
    load_with(HostSettings { workers: 2, ..settings() }, plugins).await
}

/// Loads plugins.
pub async fn load_with(settings: HostSettings, plugins: Vec<PluginSpec>) -> Result<Arc<Host>, LoadError> {
    Host::load(settings, plugins, Arc::new(Nobody), Arc::default()).await
}

/// Settings of tests: a small engine of their own.
pub fn settings() -> HostSettings {
    let engine = EngineSettings { instances_max: 20, ..EngineSettings::default() };
    HostSettings::new(Arc::new(PluginEngine::new(engine).unwrap()), None)
}

/// An outside world that does nothing.
#[derive(Debug)]
pub struct Nobody;

impl Outside for Nobody {
    fn publish(&self, _: &str, _: Message) -> Result<(), String> {
        Ok(())
    }

    fn disconnect(&self, _: &str, _: &str, _: u8, _: bool) -> bool {
        false
    }

    fn redirect(&self, _: &str, _: &str, _: &Redirection) -> bool {
        false
    }

    fn revoke(&self, _: &str, _: &str) {}
}

/// An identity.
pub fn identity(client_id: &str) -> Arc<Identity> {
    identity_in(&Identities::new(), client_id)
}

/// An identity of a table.
pub fn identity_in(identities: &Identities, client_id: &str) -> Arc<Identity> {
    identities.register(IdentityFacts {
        client_id: client_id.into(),
        principal: "alice".into(),
        tenant: None,
        attributes: Box::default(),
        listener: "tcp".into(),
        peer: ([127, 0, 0, 1], 1).into(),
        protocol: Protocol::V5,
    })
}

/// Credentials with a user name.
pub fn credentials(username: &str) -> (Credentials, ConnectFacts) {
    let credentials = Credentials {
        client_id: format!("client-of-{username}"),
        username: Some(username.into()),
        password: Some(b"secret".to_vec()),
        certificate_cn: None,
        listener: "tcp".into(),
        peer: "127.0.0.1:1".into(),
        protocol: Protocol::V311,
        tls: false,
    };
    (credentials, ConnectFacts::default())
}

/// A message of nobody.
pub fn message(topic: &str) -> InboundMessage {
    InboundMessage { who: None, received_at: 0, message: Message::new(topic, "payload", QoS::AtMostOnce, false) }
}

/// Asks about a publish at QoS 0.
pub async fn publish(host: &Host, who: &Arc<Identity>, topic: &str) -> Ruling {
    let asked = host.authorize_publish(who, topic, QoS::AtMostOnce, false, 0).resolve();
    within(asked).await
}

/// A deadline on everything.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("the host answers in time")
}

/// The counters of a plugin's hook.
pub fn counters(host: &Host, plugin: &str, hook: Hook) -> HookStatus {
    let plugins = host.plugins();
    let status = plugins.into_iter().find(|status| status.name == plugin).unwrap();
    status.hooks.into_iter().find(|status| status.hook == hook).unwrap()
}

/// Whether a plugin's hook is called.
pub fn breaker(host: &Host, plugin: &str, hook: Hook) -> BreakerState {
    counters(host, plugin, hook).breaker
}
