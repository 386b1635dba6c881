//! The world outside of a plugin under test: what it finds there, and what it did to it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use midge_host::contract::{
    LogLevel, LogLine, Message, Outside, Redirection, Stage, StagedFailure, StagedRequest, StagedResponse,
};

use crate::answer::{Disconnection, Redirected};

/// An answer that an HTTP service has ready.
#[derive(Clone, Debug)]
pub struct Served {
    /// The method it is for; none: any.
    pub method: Option<String>,
    /// The URL it is for. With `*` at its end: all that begin so.
    pub url: String,
    /// What comes back.
    pub answer: Result<StagedResponse, StagedFailure>,
}

impl Served {
    /// An answer to any method.
    #[must_use]
    pub fn new(url: &str, status: u16, body: impl Into<Vec<u8>>) -> Self {
        let answer = Ok(StagedResponse { status, headers: Vec::new(), body: body.into() });
        Self { method: None, url: url.to_owned(), answer }
    }

    /// No answer, for this reason.
    #[must_use]
    pub fn failing(url: &str, failure: StagedFailure) -> Self {
        Self { method: None, url: url.to_owned(), answer: Err(failure) }
    }

    fn fits(&self, request: &StagedRequest) -> bool {
        let is_url = match self.url.strip_suffix('*') {
            Some(begin) => request.url.starts_with(begin),
            None => request.url == self.url,
        };
        is_url && self.method.as_ref().is_none_or(|method| *method == request.method)
    }
}

/// What a call did.
#[derive(Debug, Default)]
pub(crate) struct Deeds {
    pub(crate) logs: Vec<LogLine>,
    pub(crate) logs_dropped: u64,
    pub(crate) published: Vec<Message>,
    pub(crate) disconnected: Vec<Disconnection>,
    pub(crate) redirected: Vec<Redirected>,
    pub(crate) revoked: Vec<String>,
    pub(crate) requests: Vec<StagedRequest>,
}

/// Everything outside of one plugin.
#[derive(Debug, Default)]
pub(crate) struct World(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    now_ms: Option<u64>,
    random: Option<u64>,
    served: Vec<(Served, bool)>,
    is_online: bool,
    deeds: Deeds,
}

impl World {
    /// Sets the clock, which then stands still.
    pub(crate) fn set_now(&self, unix_ms: u64) {
        self.state().now_ms = Some(unix_ms);
    }

    /// Moves the clock on.
    pub(crate) fn advance(&self, ms: u64) {
        let mut state = self.state();
        state.now_ms = Some(state.now_ms.unwrap_or_default().saturating_add(ms));
    }

    /// Makes chance the same every time.
    pub(crate) fn seed(&self, text: &str) {
        let hash = text
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        self.state().random = Some(hash);
    }

    /// Has an answer ready.
    pub(crate) fn serve(&self, served: Served) {
        self.state().served.push((served, false));
    }

    /// Forgets all answers that are ready.
    pub(crate) fn serve_nothing(&self) {
        self.state().served.clear();
    }

    /// Whether requests that nothing is ready for are really sent.
    pub(crate) fn set_online(&self, is_online: bool) {
        self.state().is_online = is_online;
    }

    /// What was done since this was asked last.
    pub(crate) fn deeds(&self) -> Deeds {
        std::mem::take(&mut self.state().deeds)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whoever panicked while holding it left it whole: each change is one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stage for World {
    fn unix_ms(&self) -> Option<u64> {
        self.state().now_ms
    }

    fn fill_random(&self, bytes: &mut [u8]) -> bool {
        let mut state = self.state();
        let Some(random) = &mut state.random else { return false };
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&split_mix(random).to_le_bytes()[..chunk.len()]);
        }
        true
    }

    fn exchange(&self, request: &StagedRequest) -> Option<Result<StagedResponse, StagedFailure>> {
        let mut state = self.state();
        if state.deeds.requests.len() < DEEDS_MAX {
            state.deeds.requests.push(request.clone());
        }
        // Each answer is given once, in order, and the last that fits goes on.
        let fresh = state.served.iter().position(|(served, is_used)| !is_used && served.fits(request));
        let at = fresh.or_else(|| state.served.iter().rposition(|(served, _)| served.fits(request)));
        let is_online = state.is_online;
        match at.and_then(|at| state.served.get_mut(at)) {
            Some((served, is_used)) => {
                *is_used = true;
                Some(served.answer.clone())
            }
            None if is_online => None,
            None => {
                let StagedRequest { method, url, .. } = request;
                Some(Err(StagedFailure::Connect(format!("this test has no answer for {method} {url}"))))
            }
        }
    }

    fn reads(&self, _: LogLevel) -> bool {
        true
    }

    fn log(&self, line: LogLine) {
        let deeds = &mut self.state().deeds;
        if deeds.logs.len() < DEEDS_MAX {
            deeds.logs.push(line);
        } else {
            deeds.logs_dropped += 1;
        }
    }
}

impl Outside for World {
    fn publish(&self, _: &str, message: Message) -> Result<(), String> {
        self.state().deeds.published.push(message);
        Ok(())
    }

    fn disconnect(&self, _: &str, client_id: &str, code: u8, keep_session: bool) -> bool {
        let client_id = client_id.to_owned();
        self.state().deeds.disconnected.push(Disconnection { client_id, code, keep_session });
        true
    }

    fn redirect(&self, _: &str, client_id: &str, to: &Redirection) -> bool {
        let redirected = Redirected { client_id: client_id.to_owned(), to: to.clone() };
        self.state().deeds.redirected.push(redirected);
        true
    }

    fn revoke(&self, _: &str, principal: &str) {
        self.state().deeds.revoked.push(principal.to_owned());
    }
}

/// SplitMix64: even enough for a test, and the same everywhere.
const fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Lines, and requests, that are kept of one call. What is published or ordered in one call is bounded by the host.
const DEEDS_MAX: usize = 10_000;
