//! The byte streams that scripted clients speak over.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use socket2::{Domain, Socket, Type};

/// A connection whose reads give up after a time.
pub(crate) trait Stream: Read + Write + Send {
    /// From now on a read fails after `patience`.
    fn set_patience(&mut self, patience: Duration);
}

impl Stream for TcpStream {
    fn set_patience(&mut self, patience: Duration) {
        self.set_read_timeout(Some(patience)).unwrap();
    }
}

impl Stream for StreamOwned<ClientConnection, TcpStream> {
    fn set_patience(&mut self, patience: Duration) {
        self.sock.set_patience(patience);
    }
}

/// Plain TCP.
pub(crate) fn tcp(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, super::PATIENCE).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_write_timeout(Some(super::PATIENCE)).unwrap();
    stream
}

/// Plain TCP whose receiving side holds next to nothing: what its client does not read, the broker has to keep.
pub(crate) fn narrow(address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect_timeout(&address.into(), super::PATIENCE).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true).unwrap();
    stream.set_write_timeout(Some(super::PATIENCE)).unwrap();
    stream
}

/// TLS towards a server that calls itself localhost.
pub(crate) fn tls(address: SocketAddr, config: Arc<ClientConfig>) -> StreamOwned<ClientConnection, TcpStream> {
    let connection = ClientConnection::new(config, ServerName::try_from("localhost").unwrap()).unwrap();
    StreamOwned::new(connection, tcp(address))
}
