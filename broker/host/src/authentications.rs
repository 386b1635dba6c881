//! Answers of authenticators that may be reused: for the same credentials, positive and negative.
//!
//! Of the credentials nothing is kept but a keyed digest: neither password nor name can be read from this memory. What
//! somebody guesses pushes out other refusals only, never what was granted. Whoever asks while the same credentials are
//! being judged waits for that, once: a thousand devices that come back together ask once.

mod kept;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hashbrown::HashMap;
use parking_lot::Mutex;
use ring::hmac;
use tokio::sync::watch;

use self::kept::{Kept, Recent};
use crate::contract::{Credentials, Grant, Protocol, ReuseStatus};
use crate::plugin::Refused;

/// What the authentication chain decided; failures are never here.
#[derive(Clone, Debug)]
pub(crate) enum Decision {
    Allow { grant: Arc<Grant>, plugin: Arc<str> },
    Deny { refused: Refused, plugin: Arc<str> },
}

/// The answers.
#[derive(Debug)]
pub(crate) struct Authentications {
    secret: hmac::Key,
    ttl_max: Duration,
    size_max: u64,
    /// Whether an answer was ever kept. Where no plugin allows it, nobody waits for another's answer.
    in_use: AtomicBool,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    allowed: Recent,
    denied: Recent,
    /// The credentials that are being judged.
    judged: HashMap<Digest, watch::Receiver<()>>,
    /// How often somebody was revoked. What was asked before then is not kept after it.
    revocations: u64,
    hits: u64,
    misses: u64,
}

/// Of credentials, under a secret of this process.
type Digest = [u8; 32];

/// What to do about credentials.
pub(crate) enum Found<'a> {
    /// They were judged.
    Decision(Decision),
    /// They are to be judged.
    Question(Turn<'a>),
}

/// Somebody's turn to ask about credentials. Others who show the same wait until it is dropped.
pub(crate) struct Turn<'a> {
    of: &'a Authentications,
    digest: Digest,
    revocations: u64,
    judging: Option<watch::Sender<()>>,
}

impl Authentications {
    pub(crate) fn new(ttl_max: Duration, size_max: u64) -> Self {
        let mut secret = [0; 32];
        ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut secret)
            .expect("the operating system has random bytes");
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        Self { secret, ttl_max, size_max, in_use: AtomicBool::new(false), table: Mutex::default() }
    }

    /// The decision on these credentials, or the right to ask for one.
    pub(crate) async fn find(&self, credentials: &Credentials) -> Found<'_> {
        let digest = self.digest(credentials);
        if !self.in_use.load(Ordering::Relaxed) {
            let revocations = self.table.lock().revocations;
            return Found::Question(Turn { of: self, digest, revocations, judging: None });
        }
        let judged = match self.look(digest, true) {
            Ok(found) => return found,
            Err(judged) => judged,
        };
        let mut judged = judged;
        // An error says that the other one is done, which is all there is to hear.
        let _ = judged.changed().await;
        match self.look(digest, false) {
            Ok(found) => found,
            Err(_) => unreachable!("nobody waits twice"),
        }
    }

    /// What is known, or a turn; the error is to wait for, first.
    fn look(&self, digest: Digest, may_wait: bool) -> Result<Found<'_>, watch::Receiver<()>> {
        let mut table = self.table.lock();
        let now = Instant::now();
        if let Some(decision) = table.allowed.find(&digest, now).or_else(|| table.denied.find(&digest, now)) {
            table.hits += 1;
            return Ok(Found::Decision(decision));
        }
        let judging = match table.judged.get(&digest) {
            Some(judged) if may_wait => return Err(judged.clone()),
            Some(_) => None,
            None => {
                let (judging, judged) = watch::channel(());
                table.judged.insert(digest, judged);
                Some(judging)
            }
        };
        table.misses += 1;
        Ok(Found::Question(Turn { of: self, digest, revocations: table.revocations, judging }))
    }

    /// Forgets what was decided about a principal, and every refusal: it may be one of this principal's.
    pub(crate) fn revoke(&self, principal: &str) {
        let mut table = self.table.lock();
        table.revocations += 1;
        table.denied = Recent::default();
        table
            .allowed
            .retain(|decision| !matches!(decision, Decision::Allow { grant, .. } if grant.principal == principal));
    }

    pub(crate) fn status(&self) -> ReuseStatus {
        let table = self.table.lock();
        ReuseStatus { hits: table.hits, misses: table.misses, size: table.allowed.size() + table.denied.size() }
    }

    /// Every field counts; of the peer's address the port does not.
    fn digest(&self, credentials: &Credentials) -> Digest {
        let Credentials { client_id, username, password, certificate_cn, listener, peer, protocol, tls } = credentials;
        let mut context = hmac::Context::with_key(&self.secret);
        let mut part = |bytes: Option<&[u8]>| {
            // With its length in front no part can be taken for two, or for none.
            context.update(&bytes.map_or(u64::MAX, |bytes| bytes.len() as u64).to_le_bytes());
            context.update(bytes.unwrap_or_default());
        };
        part(Some(client_id.as_bytes()));
        part(username.as_deref().map(str::as_bytes));
        part(password.as_deref());
        part(certificate_cn.as_deref().map(str::as_bytes));
        part(Some(listener.as_bytes()));
        part(Some(peer.rsplit_once(':').map_or(peer.as_str(), |(address, _)| address).as_bytes()));
        part(Some(match protocol {
            Protocol::V31 => b"3.1",
            Protocol::V311 => b"3.1.1",
            Protocol::V5 => b"5",
        }));
        part(Some(if *tls { b"tls" } else { b"" }));
        context.sign().as_ref().try_into().expect("an HMAC-SHA-256 is 32 bytes long")
    }
}

impl Turn<'_> {
    /// Keeps the decision for as long as `ttl`, the operator and the grant allow.
    pub(crate) fn keep(&self, decision: Decision, ttl: Duration) {
        let lasts = match &decision {
            Decision::Allow { grant, .. } => grant.expires_at.map_or(Duration::MAX, until),
            Decision::Deny { .. } => Duration::MAX,
        };
        let ttl = ttl.min(self.of.ttl_max).min(lasts);
        if ttl.is_zero() || self.of.size_max == 0 {
            return;
        }
        let mut table = self.of.table.lock();
        if table.revocations != self.revocations {
            return;
        }
        let until = Instant::now() + ttl;
        let among = if matches!(decision, Decision::Allow { .. }) { &mut table.allowed } else { &mut table.denied };
        among.keep(self.digest, Kept { decision, until }, self.of.size_max);
        drop(table);
        self.of.in_use.store(true, Ordering::Relaxed);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.judging.is_some() {
            self.of.table.lock().judged.remove(&self.digest);
        }
    }
}

fn until(unix_seconds: u64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Duration::from_secs(unix_seconds).saturating_sub(now)
}

#[cfg(test)]
mod tests;
