//! An HTTP service that answers what a test says.

use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tiny_http::{Header, Response, Server};

use super::PATIENCE;

/// A request that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in lower case, and values.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Asked {
    /// The body, which must be JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The first header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What it is answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
    /// How long the service thinks about it.
    pub(crate) after: Duration,
}

impl Answer {
    /// An answer without a body.
    pub(crate) fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new(), after: Duration::ZERO }
    }

    /// 200 and JSON.
    pub(crate) fn json(body: &Value) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { body: body.to_string(), headers, ..Self::status(200) }
    }

    /// With a header.
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

type Mind = Arc<dyn Fn(&Asked) -> Answer + Send + Sync>;

/// An HTTP server on a free port of the loopback address. Each request has a thread of its own.
pub(crate) struct Endpoint {
    server: Arc<Server>,
    state: Arc<State>,
}

struct State {
    mind: Mutex<Mind>,
    asked: Mutex<Vec<Asked>>,
    more: Condvar,
}

impl Endpoint {
    /// Answers as `mind` says.
    pub(crate) fn start(mind: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let server = Arc::new(Server::http("127.0.0.1:0").unwrap());
        let state = Arc::new(State { mind: Mutex::new(Arc::new(mind)), asked: Mutex::default(), more: Condvar::new() });
        let (accepting, its) = (Arc::clone(&server), Arc::clone(&state));
        std::thread::spawn(move || {
            for request in accepting.incoming_requests() {
                let its = Arc::clone(&its);
                std::thread::spawn(move || serve(request, &its));
            }
        });
        Self { server, state }
    }

    /// From now on it answers as `mind` says.
    pub(crate) fn change(&self, mind: impl Fn(&Asked) -> Answer + Send + Sync + 'static) {
        *self.state.mind.lock().unwrap() = Arc::new(mind);
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.server_addr().to_ip().unwrap()
    }

    /// Everything it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state.asked.lock().unwrap().clone()
    }

    /// Waits until it was asked so often.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Asked> {
        let deadline = Instant::now() + PATIENCE;
        let mut asked = self.state.asked.lock().unwrap();
        while asked.len() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "asked {} times in time, not {count}: {asked:?}", asked.len());
            asked = self.state.more.wait_timeout(asked, left).unwrap().0;
        }
        asked.clone()
    }
}

fn serve(mut request: tiny_http::Request, state: &State) {
    let mut body = String::new();
    let _ = request.as_reader().read_to_string(&mut body);
    let header = |header: &Header| (header.field.as_str().as_str().to_ascii_lowercase(), header.value.to_string());
    let asked = Asked {
        method: request.method().to_string(),
        path: request.url().to_owned(),
        headers: request.headers().iter().map(header).collect(),
        body,
    };
    let mind = Arc::clone(&state.mind.lock().unwrap());
    state.asked.lock().unwrap().push(asked.clone());
    state.more.notify_all();
    let answer = mind(&asked);
    std::thread::sleep(answer.after);
    let mut response = Response::from_string(answer.body).with_status_code(answer.status);
    for (name, value) in answer.headers {
        response.add_header(Header::from_bytes(name.as_bytes(), value.as_bytes()).unwrap());
    }
    let _ = request.respond(response);
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.server.unblock();
    }
}
