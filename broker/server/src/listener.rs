//! Listeners: the addresses on which clients connect, and how many may.
//!
//! Every shard has its own socket for every address, and the operating system spreads clients over them. What comes
//! out of here is an [`Accepted`]: a stream whose TLS and WebSocket handshakes are done, with a place counted for it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::config::{self, Config};
use crate::metrics::ServerMetrics;
use crate::runtime::Shard;
use crate::timers::Timers;
use crate::transport::Transport;
use crate::transport::tls::{Tls, TlsError, TlsFacts};
use crate::transport::websocket::HttpRequest;

mod accept;
mod bind;
mod pace;
mod permits;

pub(crate) use bind::BindError;
pub(crate) use permits::{Admission, Permit};

use pace::Pace;
use permits::Places;

/// An address on which clients connect.
pub(crate) struct Listener {
    config: config::Listener,
    /// Its name, for all its clients.
    name: Arc<str>,
    address: SocketAddr,
    tls: Option<Tls>,
    places: Arc<Places>,
    pace: Pace,
    metrics: Arc<ServerMetrics>,
    /// The largest WebSocket message taken.
    message_bytes_max: usize,
}

impl Listener {
    /// What the operator asked for.
    pub(crate) fn config(&self) -> &config::Listener {
        &self.config
    }

    /// What it is called in logs, in metrics and towards plugins.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The address with the port that the operating system gave.
    #[cfg(test)]
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address as a URL, for the banner.
    pub(crate) fn url(&self) -> String {
        self.config.url(self.address)
    }

    /// Reads certificate and key files again, for connections accepted from now on. On an error nothing changes.
    ///
    /// # Errors
    /// The first file that cannot be used, and why.
    pub(crate) fn reload(&self) -> Result<(), TlsError> {
        self.tls.as_ref().map_or(Ok(()), Tls::reload)
    }
}

/// A client that reached the broker, before its CONNECT.
pub(crate) struct Accepted {
    /// Its stream; TLS and WebSocket handshakes are done.
    pub(crate) transport: Transport,
    /// Its address.
    pub(crate) peer: SocketAddr,
    /// Where it came in.
    pub(crate) listener: Arc<Listener>,
    /// What TLS told about it; `None`: not encrypted.
    pub(crate) tls: Option<Box<TlsFacts>>,
    /// Its upgrade request, where it came by WebSocket.
    pub(crate) http: Option<Box<HttpRequest>>,
    /// Until then CONNACK must be on its way; the handshakes have used some of the time.
    pub(crate) deadline: Instant,
    /// The timer wheel of the shard that drives it.
    pub(crate) timers: Arc<Timers>,
    /// Its place among the connections that may be open; held until the last of it is gone.
    pub(crate) permit: Permit,
}

/// Whether anybody may connect to this listener from this address. Asked before anything is read, so it must not wait.
pub(crate) type Gate = Arc<dyn Fn(&Listener, IpAddr) -> bool + Send + Sync>;

/// Every listener, bound to its address and not yet accepting.
pub(crate) struct Listeners {
    bound: Vec<(Arc<Listener>, Vec<std::net::TcpListener>)>,
    gate: Gate,
}

/// Why the listeners could not be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A certificate or key cannot be used.
    #[error("listener {listener}: {error}")]
    Tls {
        /// The listener's name.
        listener: String,
        /// File and reason.
        #[source]
        error: TlsError,
    },
}

impl Listeners {
    /// Reads the TLS files that `config` names, and binds nothing.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub(crate) fn check(config: &Config) -> Result<(), ListenError> {
        config.listeners.iter().try_for_each(|settings| tls(settings).map(drop))
    }

    /// Binds every listener of `config` with one socket for each of `shards` shards. Nothing is accepted yet, so that
    /// plugins can load meanwhile; clients wait in the operating system's queue.
    ///
    /// # Errors
    /// The first address or TLS file that cannot be used.
    pub(crate) fn bind(
        config: &Config,
        shards: usize,
        admission: &Admission,
        metrics: &Arc<ServerMetrics>,
    ) -> Result<Self, ListenError> {
        let mut bound = Vec::new();
        for settings in &config.listeners {
            let tls = tls(settings)?;
            let sockets = match bind::bind(settings, shards) {
                Err(error) if settings.optional && error.is_unavailable() => continue,
                result => result?,
            };
            let listener = Listener {
                config: settings.clone(),
                name: settings.name.as_str().into(),
                address: sockets.address,
                tls,
                places: admission.places(settings.connections_max),
                pace: Pace::new(settings.connects_per_second),
                metrics: Arc::clone(metrics),
                message_bytes_max: message_bytes_max(config.limits.packet_bytes_max),
            };
            bound.push((Arc::new(listener), sockets.each));
        }
        Ok(Self { bound, gate: Arc::new(|_, _| true) })
    }

    /// The same, with a gate before the doors; unless said, it lets everybody pass.
    pub(crate) fn behind(self, gate: Gate) -> Self {
        Self { gate, ..self }
    }

    /// The listeners in the order of the configuration; an optional one that could not be bound is missing.
    pub(crate) fn each(&self) -> impl Iterator<Item = &Arc<Listener>> {
        self.bound.iter().map(|(listener, _)| listener)
    }

    /// Accepts on every shard until `stop` turns true or its sender is gone; then the sockets are closed. `serve` gets
    /// every client and runs as a task of the shard that accepted it.
    ///
    /// # Errors
    /// The operating system does not let the runtime watch a socket.
    pub(crate) fn serve<S, F>(self, shards: &[Shard], stop: &watch::Receiver<bool>, serve: &S) -> std::io::Result<()>
    where
        S: Fn(Accepted) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        for (listener, sockets) in self.bound {
            for (socket, shard) in sockets.into_iter().zip(shards) {
                let _inside = shard.handle().enter();
                let door = accept::Door {
                    socket: tokio::net::TcpListener::from_std(socket)?,
                    listener: Arc::clone(&listener),
                    timers: Arc::clone(shard.timers()),
                    gate: Arc::clone(&self.gate),
                    serve: serve.clone(),
                };
                shard.handle().spawn(door.accept_until(stop.clone()));
            }
        }
        Ok(())
    }
}

fn tls(settings: &config::Listener) -> Result<Option<Tls>, ListenError> {
    let tls = settings.tls.clone().map(Tls::load).transpose();
    tls.map_err(|error| ListenError::Tls { listener: settings.name.clone(), error })
}

/// A WebSocket message may hold several packets, so it may be larger than one; it is held in memory whole.
fn message_bytes_max(packet_bytes_max: u64) -> usize {
    usize::try_from(packet_bytes_max).unwrap_or(usize::MAX).saturating_add(MESSAGE_BYTES_MORE)
}

const MESSAGE_BYTES_MORE: usize = 64 * 1024;

#[cfg(test)]
mod tests;
