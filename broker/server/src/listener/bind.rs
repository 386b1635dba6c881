//! Sockets that listen: one for each shard on the same address, and on nobody else's.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use crate::config;

/// The sockets of one listener.
pub(super) struct Sockets {
    /// The address with its real port.
    pub(super) address: SocketAddr,
    /// One for each shard.
    pub(super) each: Vec<TcpListener>,
}

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("listener {listener}: cannot listen on {address}: {}", advice(.source))]
pub(crate) struct BindError {
    listener: String,
    address: SocketAddr,
    #[source]
    source: io::Error,
}

impl BindError {
    /// Whether this host simply has no such address, as one without IPv6.
    pub(super) fn is_unavailable(&self) -> bool {
        let no_such_family = self.source.raw_os_error() == Some(EAFNOSUPPORT);
        no_such_family || self.source.kind() == io::ErrorKind::AddrNotAvailable
    }
}

fn advice(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program listens there already; stop it or give the listener another `address`".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "this user may not (ports below 1024 need the capability CAP_NET_BIND_SERVICE); use a higher port"
                .to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            "this host has no such address; use one of its own, or 0.0.0.0 or [::] for all of them".to_owned()
        }
        _ => error.to_string(),
    }
}

/// Binds `shards` sockets for `config` and lets them listen.
pub(super) fn bind(config: &config::Listener, shards: usize) -> Result<Sockets, BindError> {
    let fail = |source| BindError { listener: config.name.clone(), address: config.address, source };
    bind_all(config.address, shards.max(1)).map_err(fail)
}

/// The first socket binds without `SO_REUSEPORT`, so an address that anybody uses (another Midge included) is an
/// error; then it opens the address to its siblings, and to no other program, as theirs must be set before binding.
fn bind_all(address: SocketAddr, shards: usize) -> io::Result<Sockets> {
    let first = socket(address)?;
    first.bind(&address.into())?;
    let mut bound = address;
    if let Some(given) = first.local_addr()?.as_socket() {
        bound = given;
    }
    if shards > 1 {
        first.set_reuse_port(true)?;
    }
    first.listen(QUEUE)?;
    let mut each = vec![first.into()];
    for _ in 1..shards {
        let sibling = socket(address)?;
        sibling.set_reuse_port(true)?;
        sibling.bind(&bound.into())?;
        sibling.listen(QUEUE)?;
        each.push(sibling.into());
    }
    Ok(Sockets { address: bound, each })
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of the last run that linger in TIME_WAIT are no reason not to start.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // `[::]` is IPv6 on every system, whatever its default; IPv4 is a listener of its own.
        socket.set_only_v6(true)?;
    }
    // Inherited by accepted sockets on Linux, which saves a system call for each.
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Clients that the operating system keeps waiting for us; it takes the smaller of this and its own limit.
const QUEUE: i32 = 4096;

/// The address family is not supported (Linux and most others agree on neither name nor `ErrorKind`).
const EAFNOSUPPORT: i32 = 97;
