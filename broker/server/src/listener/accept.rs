//! The accept loop, and the handshakes below MQTT.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use super::{Accepted, Gate, Listener, Permit};
use crate::config;
use crate::timers::Timers;
use crate::transport::tls::TlsFacts;
use crate::transport::websocket::HttpRequest;
use crate::transport::{Layer, Transport, websocket};

/// One socket of a listener, on one shard.
pub(super) struct Door<S> {
    pub(super) socket: TcpListener,
    pub(super) listener: Arc<Listener>,
    pub(super) timers: Arc<Timers>,
    pub(super) gate: Gate,
    pub(super) serve: S,
}

impl<S, F> Door<S>
where
    S: Fn(Accepted) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    /// Accepts until `stop` turns true or nobody can turn it any more.
    pub(super) async fn accept_until(self, mut stop: watch::Receiver<bool>) {
        let mut troubles = Troubles::default();
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => {}
            () = self.accept(&mut troubles) => {}
        }
    }

    async fn accept(&self, troubles: &mut Troubles) {
        loop {
            self.listener.pace.keep().await;
            match self.socket.accept().await {
                Ok((_, peer)) if !(self.gate)(&self.listener, peer.ip().to_canonical()) => {
                    self.listener.metrics.closed_at_accept(&self.listener.config.name, NOT_ADMITTED);
                    troubles.not_admitted(&self.listener, peer);
                }
                Ok((stream, peer)) => match self.listener.places.take() {
                    Ok(permit) => self.admit(stream, peer, permit),
                    Err(full) => {
                        self.listener.metrics.closed_at_accept(&self.listener.config.name, full.key());
                        troubles.refused(&self.listener, full.key());
                    }
                },
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    self.listener.metrics.accept_failed(&self.listener.config.name);
                    troubles.failed(&self.listener, &error);
                    sleep(BACK_OFF).await;
                }
            }
        }
    }

    /// Starts the task of a client. One with nothing below MQTT starts with the smallest possible future.
    fn admit(&self, stream: TcpStream, peer: SocketAddr, permit: Permit) {
        let listener = Arc::clone(&self.listener);
        let settings = &listener.config;
        let deadline = Instant::now() + settings.connect_timeout;
        let timers = Arc::clone(&self.timers);
        if listener.tls.is_none() && settings.protocol == config::Transport::Mqtt {
            let transport = Transport::Tcp(stream);
            let accepted = Accepted { transport, peer, listener, tls: None, http: None, deadline, timers, permit };
            tokio::spawn((self.serve)(accepted));
            return;
        }
        let serve = self.serve.clone();
        tokio::spawn(async move {
            let problem = match timeout_at(deadline, shake_hands(stream, &listener)).await {
                Ok(Ok(Shaken { transport, tls, http })) => {
                    let accepted = Accepted { transport, peer, listener, tls, http, deadline, timers, permit };
                    // A task of its own: this one is as large as its handshakes.
                    tokio::spawn(serve(accepted));
                    return;
                }
                Ok(Err(failed)) => failed,
                Err(_) => Failed { what: "timeout", error: io::ErrorKind::TimedOut.into() },
            };
            let (Failed { what, error }, name) = (problem, &listener.config.name);
            listener.metrics.handshake_failed(name, what);
            tracing::info!(listener = name, %peer, what, %error, "handshake failed, connection closed");
        });
    }
}

/// A stream after its handshakes, and what they told.
struct Shaken {
    transport: Transport,
    tls: Option<Box<TlsFacts>>,
    http: Option<Box<HttpRequest>>,
}

/// Why there was no stream after all.
struct Failed {
    /// Which of the handshakes failed, in metrics and logs.
    what: &'static str,
    error: io::Error,
}

async fn shake_hands(stream: TcpStream, listener: &Listener) -> Result<Shaken, Failed> {
    match &listener.tls {
        None => upgrade(stream, listener, None).await,
        Some(tls) => {
            let accepted = tls.accept(stream).await;
            let (stream, facts) = accepted.map_err(|error| Failed { what: "tls", error })?;
            upgrade(stream, listener, Some(Box::new(facts))).await
        }
    }
}

async fn upgrade<L: Layer + 'static>(
    stream: L,
    listener: &Listener,
    tls: Option<Box<TlsFacts>>,
) -> Result<Shaken, Failed> {
    if listener.config.protocol == config::Transport::Mqtt {
        return Ok(Shaken { transport: Transport::Layered(Box::new(stream)), tls, http: None });
    }
    let accepted = websocket::accept(stream, &listener.config.path, listener.message_bytes_max).await;
    let (stream, request) = accepted.map_err(|error| Failed { what: "websocket", error })?;
    Ok(Shaken { transport: Transport::Layered(Box::new(stream)), tls, http: Some(Box::new(request)) })
}

/// The client gave up before it was accepted.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// What goes wrong at the door, told at most once a second.
#[derive(Default)]
struct Troubles {
    told: Option<Instant>,
    refused: u64,
    not_admitted: u64,
}

impl Troubles {
    fn refused(&mut self, listener: &Listener, limit: &'static str) {
        self.refused += 1;
        if self.may_tell() {
            let refused = std::mem::take(&mut self.refused);
            tracing::warn!(
                listener = listener.config.name,
                limit,
                refused,
                "too many connections, new ones are closed"
            );
        }
    }

    fn not_admitted(&mut self, listener: &Listener, peer: SocketAddr) {
        self.not_admitted += 1;
        if self.may_tell() {
            let closed = std::mem::take(&mut self.not_admitted);
            tracing::warn!(listener = listener.config.name, %peer, closed, "plugins do not admit this address, connection closed");
        }
    }

    /// Out of descriptors or memory: the clients stay in the operating system's queue meanwhile.
    fn failed(&mut self, listener: &Listener, error: &io::Error) {
        if self.may_tell() {
            tracing::error!(
                listener = listener.config.name, %error,
                "cannot accept connections, trying again; raise the limit of open files (LimitNOFILE= or ulimit -n)",
            );
        }
    }

    fn may_tell(&mut self) -> bool {
        let now = Instant::now();
        let may = self.told.is_none_or(|told| now.duration_since(told) >= Duration::from_secs(1));
        if may {
            self.told = Some(now);
        }
        may
    }
}

/// In metrics, beside the limits that close connections.
const NOT_ADMITTED: &str = "admission";
/// How long an accept loop rests when the operating system has nothing left to give.
const BACK_OFF: Duration = Duration::from_millis(100);
