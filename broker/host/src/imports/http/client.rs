//! The exchange itself.

use std::error::Error as StdError;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url, redirect};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::resolver::{Granted, Lookup, SystemLookup};
use super::{Error, Request, Response, tls};
use crate::contract::{Stage, StagedFailure, StagedRequest, StagedResponse};
use crate::grants::{Denial, Grants};
use crate::imports::{ImportError, ImportLimits};

/// One plugin's HTTP client: its own pool of kept-alive connections, its own bound on exchanges under way.
pub(in crate::imports) struct Client {
    grants: Arc<Grants>,
    client: reqwest::Client,
    under_way: Semaphore,
    response_bytes_max: usize,
    exchanges: AtomicU64,
    failures: AtomicU64,
}

/// How many exchanges there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::imports) struct Counts {
    /// Answered, with whatever status.
    pub(in crate::imports) exchanges: u64,
    /// Not answered.
    pub(in crate::imports) failures: u64,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    NotGranted(Denial),
    Timeout,
    Connect(String),
    Tls(String),
    TooLarge,
    Overloaded,
    Other(String),
}

impl Client {
    pub(in crate::imports) fn new(
        grants: &Grants,
        requests_max: u32,
        limits: &ImportLimits,
    ) -> Result<Self, ImportError> {
        Self::with_lookup(grants, requests_max, limits, Arc::new(SystemLookup))
    }

    pub(super) fn with_lookup(
        grants: &Grants,
        requests_max: u32,
        limits: &ImportLimits,
        lookup: Arc<dyn Lookup>,
    ) -> Result<Self, ImportError> {
        let grants = Arc::new(grants.clone());
        let client = reqwest::Client::builder()
            .use_preconfigured_tls(tls::config(limits)?)
            .dns_resolver(Arc::new(Granted::new(Arc::clone(&grants), lookup)))
            .redirect(redirect::Policy::none())
            // A proxy from the environment would be asked instead of the granted host.
            .no_proxy()
            .referer(false)
            .connect_timeout(limits.http_connect_timeout)
            .pool_idle_timeout(POOL_IDLE)
            .tcp_nodelay(true)
            .user_agent(concat!("midge/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| ImportError::Http { plugin: grants.plugin().to_owned(), reason: in_words(&error) })?;
        Ok(Self {
            grants,
            client,
            under_way: Semaphore::new(requests_max.max(1) as usize),
            response_bytes_max: limits.http_response_bytes_max,
            exchanges: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        })
    }

    /// Sends the request and reads the whole answer, within the request's timeout (0 = none) and the time left.
    pub(super) async fn send(&self, request: Request, time_left: Duration) -> Result<Response, Failure> {
        let answer = self.exchange(request, time_left).await;
        let counter = if answer.is_ok() { &self.exchanges } else { &self.failures };
        counter.fetch_add(1, Ordering::Relaxed);
        answer
    }

    pub(in crate::imports) fn counts(&self) -> Counts {
        Counts { exchanges: self.exchanges.load(Ordering::Relaxed), failures: self.failures.load(Ordering::Relaxed) }
    }

    async fn exchange(&self, request: Request, time_left: Duration) -> Result<Response, Failure> {
        let asked = Some(request.timeout_ms).filter(|ms| *ms > 0).map(|ms| Duration::from_millis(ms.into()));
        let timeout = asked.map_or(time_left, |asked| asked.min(time_left));
        let request = self.prepare(request)?;
        let deadline = Instant::now() + timeout;
        // One that waits for its turn is no failure of the service, and must not open the plugin's circuit breaker.
        let turn = tokio::time::timeout_at(deadline, self.under_way.acquire()).await;
        let Ok(Ok(_under_way)) = turn else { return Err(Failure::Overloaded) };
        tokio::time::timeout_at(deadline, self.complete(request)).await.map_err(|_| Failure::Timeout)?
    }

    /// What a stage answers. It is asked only about a request that could be sent.
    pub(super) fn staged(&self, stage: &dyn Stage, request: &Request) -> Option<Result<Response, Failure>> {
        if let Err(failure) = self.prepare(request.clone()) {
            return Some(Err(failure));
        }
        let Request { method, url, headers, body, .. } = request.clone();
        let answer = stage.exchange(&StagedRequest { method, url, headers, body })?;
        Some(answer.map_err(Failure::from).and_then(|StagedResponse { status, headers, body }| {
            if body.len() > self.response_bytes_max {
                return Err(Failure::TooLarge);
            }
            let headers = headers.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect();
            Ok(Response { status, headers, body })
        }))
    }

    /// Checks the grant and translates.
    fn prepare(&self, request: Request) -> Result<reqwest::Request, Failure> {
        let url = parse(&request.url)?;
        self.grants.http(&url).map_err(Failure::NotGranted)?;
        let method = Method::from_bytes(request.method.as_bytes())
            .ok()
            .filter(|method| *method != Method::CONNECT)
            .ok_or_else(|| Failure::Other(format!("{:?} is no method", request.method)))?;
        let mut prepared = reqwest::Request::new(method, url);
        *prepared.headers_mut() = headers(&request.headers)?;
        if !request.body.is_empty() {
            *prepared.body_mut() = Some(request.body.into());
        }
        Ok(prepared)
    }

    async fn complete(&self, request: reqwest::Request) -> Result<Response, Failure> {
        let mut answer = self.client.execute(request).await?;
        let announced = answer.content_length().unwrap_or(0);
        if announced > self.response_bytes_max as u64 {
            return Err(Failure::TooLarge);
        }
        let mut body = Vec::with_capacity(usize::try_from(announced).unwrap_or(0));
        while let Some(chunk) = answer.chunk().await? {
            if body.len() + chunk.len() > self.response_bytes_max {
                return Err(Failure::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let shown = |(name, value): (&HeaderName, &HeaderValue)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        Ok(Response { status: answer.status().as_u16(), headers: answer.headers().iter().map(shown).collect(), body })
    }
}

impl Failure {
    /// The failure of a plugin that is granted no origin at all.
    pub(super) fn of_ungranted(grants: &Grants, url: &str) -> Self {
        match parse(url).map(|url| grants.http(&url)) {
            Ok(Err(denial)) => Self::NotGranted(denial),
            Ok(Ok(())) => Self::Other("no HTTP client".to_owned()),
            Err(failure) => failure,
        }
    }
}

fn parse(url: &str) -> Result<Url, Failure> {
    Url::parse(url).map_err(|error| Failure::Other(format!("malformed url: {error}")))
}

fn headers(pairs: &[(String, String)]) -> Result<HeaderMap, Failure> {
    if pairs.len() > HEADERS_MAX {
        // A header map panics when it is asked to hold too many.
        return Err(Failure::Other(format!("more than {HEADERS_MAX} headers")));
    }
    let mut headers = HeaderMap::with_capacity(pairs.len());
    for (name, value) in pairs {
        let malformed = || Failure::Other(format!("malformed header {name:?}"));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| malformed())?;
        if !OURS.contains(&name.as_str()) {
            headers.append(name, HeaderValue::from_str(value).map_err(|_| malformed())?);
        }
    }
    Ok(headers)
}

impl From<StagedFailure> for Failure {
    fn from(failure: StagedFailure) -> Self {
        match failure {
            StagedFailure::Timeout => Self::Timeout,
            StagedFailure::Connect(words) => Self::Connect(words),
            StagedFailure::Tls(words) => Self::Tls(words),
            StagedFailure::TooLarge => Self::TooLarge,
            StagedFailure::Other(words) => Self::Other(words),
        }
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        // The URL may hold credentials in its query.
        let error = error.without_url();
        if let Some(denial) = find::<Denial>(&error) {
            return Self::NotGranted(denial.clone());
        }
        if error.is_timeout() {
            return Self::Timeout;
        }
        if let Some(tls) = find::<rustls::Error>(&error) {
            return Self::Tls(tls.to_string());
        }
        let words = in_words(&error);
        if error.is_connect() { Self::Connect(words) } else { Self::Other(words) }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NotGranted(denial) => Self::NotGranted(denial.to_string()),
            Failure::Timeout => Self::Timeout,
            Failure::Connect(words) => Self::Connect(words),
            Failure::Tls(words) => Self::Tls(words),
            Failure::TooLarge => Self::TooLarge,
            Failure::Overloaded => Self::Overloaded,
            Failure::Other(words) => Self::Other(words),
        }
    }
}

/// The error of this type among an error's causes. `io::Error` hides the one it wraps from `source`.
fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}

/// An error's first and last words; what stands between repeats them.
fn in_words(error: &(dyn StdError + 'static)) -> String {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    if std::ptr::addr_eq(root, error) { error.to_string() } else { format!("{error}: {root}") }
}

/// Headers that are the host's: they frame the message or name its destination, and a guest that could set them could
/// smuggle a second request or reach another virtual host.
const OURS: [&str; 10] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "upgrade",
    "te",
    "trailer",
    "proxy-connection",
    "proxy-authorization",
];
const HEADERS_MAX: usize = 256;
const POOL_IDLE: Duration = Duration::from_secs(60);
