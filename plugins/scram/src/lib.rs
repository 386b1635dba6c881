//! Midge's bundled plugin `scram`: enhanced authentication with SCRAM-SHA-256 (RFC 5802, RFC 7677), with channel binding
//! where TLS offers it.
//!
//! The client proves that it knows the password without showing it, and the broker proves that it knows what is stored of
//! it. The exchange: `client-first` in CONNECT, `server-first` in AUTH, `client-final` in AUTH, `server-final` in CONNACK.

mod keys;
mod message;
mod table;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use midge_plugin_sdk::files::Watched;
use midge_plugin_sdk::{
    Candidate, Connect, EnhancedAuthenticator, Environment, Grant, Lifecycle, Refusal, Step, config, now, plugin,
    random,
};
use serde::Deserialize;

use message::{Binding, ClientFinal, ClientFirst};
use table::{Entry, Table, prepare};

/// The plugin's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The user file; it must be granted as well.
    file: String,
    /// Whether exchanges are bound to their TLS connection.
    #[serde(default)]
    channel_binding: ChannelBinding,
    /// How long a client may stay without authenticating again.
    #[serde(default)]
    lifetime_s: Option<u64>,
}

/// Whether exchanges are bound to their TLS connection.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ChannelBinding {
    /// Where client and connection can.
    #[default]
    Offer,
    /// Always: who cannot is refused.
    Require,
    /// Never.
    Off,
}

struct Scram {
    table: Watched<Table>,
    channel_binding: ChannelBinding,
    lifetime_s: Option<u64>,
}

/// What is remembered between the challenge and the client's last word. The broker keeps it, and the client never sees it.
struct State<'a> {
    /// `client-first-message`.
    client_first: &'a str,
    /// `server-first-message`.
    server_first: &'a str,
}

impl<'a> State<'a> {
    fn parse(state: &'a [u8]) -> Option<Self> {
        let mut parts = std::str::from_utf8(state).ok()?.split('\0');
        let (version, client_first, server_first) = (parts.next()?, parts.next()?, parts.next()?);
        (version == STATE_VERSION && parts.next().is_none()).then_some(Self { client_first, server_first })
    }

    /// Neither message has a NUL in it.
    fn bytes(&self) -> Vec<u8> {
        [STATE_VERSION, self.client_first, self.server_first].join("\0").into_bytes()
    }
}

impl Lifecycle for Scram {
    fn init(_: &Environment) -> Result<Self, String> {
        let Config { file, channel_binding, lifetime_s } = config()?;
        Ok(Self { table: Watched::open(file, Table::parse)?, channel_binding, lifetime_s })
    }
}

impl EnhancedAuthenticator for Scram {
    fn methods(&self) -> Vec<String> {
        let methods: &[&str] = match self.channel_binding {
            ChannelBinding::Offer => &[PLUS, PLAIN],
            ChannelBinding::Require => &[PLUS],
            ChannelBinding::Off => &[PLAIN],
        };
        methods.iter().map(|method| (*method).to_owned()).collect()
    }

    fn start(&mut self, client: &Candidate, data: Option<&[u8]>, connect: &Connect) -> Result<Step, String> {
        let nonce = STANDARD.encode(random(NONCE_BYTES));
        Ok(self.challenge(client, data.unwrap_or_default(), connect, &nonce).unwrap_or_else(Step::refuse))
    }

    fn proceed(&mut self, _: &Candidate, state: &[u8], data: Option<&[u8]>, connect: &Connect) -> Result<Step, String> {
        let state = State::parse(state).ok_or("an exchange that another version of this plugin began")?;
        Ok(self.judge(&state, data.unwrap_or_default(), connect).unwrap_or_else(Step::refuse))
    }
}

impl Scram {
    /// Answers `client-first`.
    fn challenge(&mut self, client: &Candidate, data: &[u8], connect: &Connect, nonce: &str) -> Result<Step, Refusal> {
        let first = ClientFirst::parse(data).map_err(damaged)?;
        self.check_binding(client.method == PLUS, first.binding, connect)?;
        let user = prepare(&first.user).ok_or_else(|| damaged("a user name that SASLprep (RFC 4013) forbids"))?;
        let table = self.table.get();
        let decoy;
        let Entry { salt, iterations, .. } = match table.find(&user) {
            Some(entry) => entry,
            // Who does not exist fails later, like a wrong password: nobody learns names.
            None => {
                decoy = table.decoy(&user);
                &decoy
            }
        };
        let server_first = format!("r={}{nonce},s={},i={iterations}", first.nonce, STANDARD.encode(salt));
        let state = State { client_first: first.message, server_first: &server_first }.bytes();
        Ok(Step::challenge(server_first, state))
    }

    /// Whether method, flag and connection fit together.
    fn check_binding(&self, plus: bool, wanted: Binding<'_>, connect: &Connect) -> Result<(), Refusal> {
        let offers = |kind: &str| KINDS.contains(&kind) && connect.channel_binding(kind).is_some();
        let is_offered = self.channel_binding != ChannelBinding::Off && KINDS.iter().any(|kind| offers(kind));
        match (plus, wanted) {
            (true, _) if !is_offered => Err(refusal(BAD_METHOD, "channel binding needs TLS")),
            (true, Binding::Bound(kind)) if offers(kind) => Ok(()),
            (true, Binding::Bound(_)) => Err(refusal(BAD_METHOD, "this kind of channel binding is not there")),
            (true, _) => Err(damaged("the method with channel binding, and a flag without")),
            (false, Binding::Bound(_)) => Err(damaged("channel binding, and a method without")),
            // The client was made to believe that we cannot (RFC 5802, section 6).
            (false, Binding::Unoffered) if is_offered => {
                Err(refusal(Refusal::NOT_AUTHORIZED, "this server does channel binding: somebody hides it from you"))
            }
            (false, Binding::Unoffered | Binding::Unable) => Ok(()),
        }
    }

    /// Answers `client-final`.
    fn judge(&mut self, state: &State<'_>, data: &[u8], connect: &Connect) -> Result<Step, Refusal> {
        let first = ClientFirst::parse(state.client_first.as_bytes()).map_err(damaged)?;
        let user = prepare(&first.user).unwrap_or_default();
        let last = ClientFinal::parse(data).map_err(damaged)?;
        let mut binding = first.header.as_bytes().to_vec();
        if let Binding::Bound(kind) = first.binding {
            binding.extend(connect.channel_binding(kind).unwrap_or_default());
        }
        if last.binding != binding {
            return Err(refusal(Refusal::NOT_AUTHORIZED, "the exchange is not bound to this connection"));
        }
        let nonce = state.server_first.strip_prefix("r=").and_then(|rest| rest.split(',').next());
        if Some(last.nonce) != nonce {
            return Err(damaged("another nonce"));
        }
        let table = self.table.get();
        let known = table.find(&user);
        let decoy;
        let keys = match known {
            Some(entry) => &entry.keys,
            None => {
                decoy = table.decoy(&user).keys;
                &decoy
            }
        };
        let message = [first.bare, state.server_first, last.without_proof].join(",");
        if !keys.verify(message.as_bytes(), &last.proof) || known.is_none() {
            return Err(refusal(Refusal::BAD_USER_NAME_OR_PASSWORD, "wrong user name or password"));
        }
        let mut grant = Grant::new(user);
        if let Some(lifetime_s) = self.lifetime_s {
            grant = grant.expires_at((now() / 1000).saturating_add(lifetime_s));
        }
        Ok(Step::allow_with(grant, format!("v={}", STANDARD.encode(keys.sign(message.as_bytes())))))
    }
}

fn damaged(what: &str) -> Refusal {
    refusal(Refusal::NOT_AUTHORIZED, what)
}

fn refusal(code: u8, reason: &str) -> Refusal {
    Refusal { code, reason: Some(reason.to_owned()) }
}

/// The first part of every state.
const STATE_VERSION: &str = "1";
const PLAIN: &str = "SCRAM-SHA-256";
const PLUS: &str = "SCRAM-SHA-256-PLUS";
/// The kinds of channel binding that are understood.
const KINDS: [&str; 2] = ["tls-exporter", "tls-server-end-point"];
/// Bad authentication method.
const BAD_METHOD: u8 = 0x8C;
/// Random bytes of the server's part of the nonce.
const NONCE_BYTES: u32 = 18;

plugin!(Scram: lifecycle, enhanced_authn);

#[cfg(test)]
mod tests;
