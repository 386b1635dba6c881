//! Opening connections: the grant, the name, the addresses, and room for one more.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{Connection, Failure};
use crate::grants::{Destination, Grants};
use crate::imports::ImportError;
use crate::imports::http::resolver::{Lookup, SystemLookup};
use crate::imports::http::tls::trusting;

/// What the instances of one generation open their connections with.
pub(in crate::imports) struct Dialer {
    grants: Grants,
    lookup: Arc<dyn Lookup>,
    tls: Arc<ClientConfig>,
    room: Arc<Semaphore>,
    connections_max: usize,
    /// Where connections with TLS say goodbye.
    pub(super) runtime: Handle,
    pub(super) totals: Totals,
}

/// Counters, over all connections.
#[derive(Debug, Default)]
pub(super) struct Totals {
    opened: AtomicU64,
    failures: AtomicU64,
    overloaded: AtomicU64,
    pub(super) bytes_read: AtomicU64,
    pub(super) bytes_written: AtomicU64,
}

/// The same for display.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::imports) struct Counts {
    pub(in crate::imports) open: u64,
    pub(in crate::imports) opened: u64,
    pub(in crate::imports) failures: u64,
    pub(in crate::imports) overloaded: u64,
    pub(in crate::imports) bytes_read: u64,
    pub(in crate::imports) bytes_written: u64,
}

impl Dialer {
    pub(in crate::imports) fn new(
        grants: &Grants,
        connections_max: u32,
        runtime: &Handle,
    ) -> Result<Arc<Self>, ImportError> {
        Self::with_lookup(grants, connections_max, runtime, Arc::new(SystemLookup))
    }

    pub(super) fn with_lookup(
        grants: &Grants,
        connections_max: u32,
        runtime: &Handle,
        lookup: Arc<dyn Lookup>,
    ) -> Result<Arc<Self>, ImportError> {
        let connections_max = connections_max as usize;
        Ok(Arc::new(Self {
            grants: grants.clone(),
            lookup,
            tls: Arc::new(trusting(grants.tcp_ca_file())?),
            room: Arc::new(Semaphore::new(connections_max)),
            connections_max,
            runtime: runtime.clone(),
            totals: Totals::default(),
        }))
    }

    /// Opens a connection to the first granted address that answers.
    pub(super) async fn connect(
        self: &Arc<Self>,
        host: &str,
        port: u16,
        patience: Duration,
    ) -> Result<Connection, Failure> {
        let asked = Destination::of(host, port).ok_or_else(|| Failure::no_host(host))?;
        self.grants.tcp(&asked).map_err(Failure::NotGranted)?;
        let place = Arc::clone(&self.room).try_acquire_owned().map_err(|_| self.overloaded())?;
        let opened = timeout(patience, self.open(&asked)).await.unwrap_or(Err(Failure::Timeout));
        match opened {
            Ok(stream) => {
                self.totals.opened.fetch_add(1, Ordering::Relaxed);
                Ok(Connection::new(stream, asked.host(), Arc::clone(self), place))
            }
            Err(failure) => {
                if !matches!(failure, Failure::NotGranted(_)) {
                    self.failed();
                }
                Err(failure)
            }
        }
    }

    /// Counts one that was not opened for want of room.
    pub(super) fn overloaded(&self) -> Failure {
        self.totals.overloaded.fetch_add(1, Ordering::Relaxed);
        Failure::Overloaded
    }

    /// Counts one that failed.
    pub(super) fn failed(&self) {
        self.totals.failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn connector(&self) -> TlsConnector {
        TlsConnector::from(Arc::clone(&self.tls))
    }

    pub(in crate::imports) fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Totals { opened, failures, overloaded, bytes_read, bytes_written } = &self.totals;
        Counts {
            open: self.connections_max.saturating_sub(self.room.available_permits()) as u64,
            opened: read(opened),
            failures: read(failures),
            overloaded: read(overloaded),
            bytes_read: read(bytes_read),
            bytes_written: read(bytes_written),
        }
    }

    async fn open(&self, asked: &Destination) -> Result<TcpStream, Failure> {
        let mut problem = Failure::Connect(format!("{} has no address", asked.host()));
        for address in self.addresses(asked).await? {
            match TcpStream::connect(SocketAddr::new(address, asked.port())).await {
                Ok(stream) => {
                    // A socket that cannot do this is only slower.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Err(error) => problem = Failure::Connect(format!("{address}: {error}")),
            }
        }
        Err(problem)
    }

    /// The addresses that may be connected to; a name of which none may is a denial.
    async fn addresses(&self, asked: &Destination) -> Result<Vec<IpAddr>, Failure> {
        let found = match asked.address() {
            Some(address) => vec![address],
            None => self.lookup.lookup(asked.host()).await.map_err(|error| no_address(asked, &error))?,
        };
        let (mut granted, mut denial) = (Vec::new(), None);
        for address in found {
            match self.grants.tcp_address(asked, address) {
                Ok(()) => granted.push(address),
                Err(denied) => denial = Some(denied),
            }
        }
        match denial {
            Some(denial) if granted.is_empty() => Err(Failure::NotGranted(denial)),
            _ => Ok(granted),
        }
    }
}

fn no_address(asked: &Destination, error: &io::Error) -> Failure {
    Failure::Connect(format!("{}: {error}", asked.host()))
}
