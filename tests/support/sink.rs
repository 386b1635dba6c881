//! An HTTP endpoint that keeps what it is sent.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tiny_http::{Response, Server};

use super::PATIENCE;

/// A request that arrived.
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) body: String,
}

/// An HTTP server on a free port of the loopback address.
pub(crate) struct Sink {
    server: Arc<Server>,
    requests: Receiver<Request>,
    answers: Arc<Mutex<Vec<u16>>>,
}

impl Sink {
    /// Answers everything with 200.
    pub(crate) fn start() -> Self {
        let server = Arc::new(Server::http("127.0.0.1:0").unwrap());
        let answers = Arc::new(Mutex::new(Vec::new()));
        let (send, requests) = channel();
        let (accepting, scripted) = (Arc::clone(&server), Arc::clone(&answers));
        std::thread::spawn(move || {
            for mut request in accepting.incoming_requests() {
                let mut body = String::new();
                let _ = request.as_reader().read_to_string(&mut body);
                let status = scripted.lock().unwrap().pop().unwrap_or(200);
                let _ = send.send(Request { path: request.url().to_owned(), body });
                let _ = request.respond(Response::empty(status));
            }
        });
        Self { server, requests, answers }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.server_addr().to_ip().unwrap()
    }

    /// The next requests are answered with these, in this order; then 200 again.
    pub(crate) fn answer_next(&self, statuses: &[u16]) {
        self.answers.lock().unwrap().splice(0..0, statuses.iter().rev().copied());
    }

    /// The next request, if one arrives in this time.
    pub(crate) fn next_within(&self, at_most: Duration) -> Option<Request> {
        self.requests.recv_timeout(at_most).ok()
    }

    /// Waits for the next request.
    pub(crate) fn next(&self) -> Request {
        self.requests.recv_timeout(PATIENCE).expect("no request arrived in time")
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.server.unblock();
    }
}
