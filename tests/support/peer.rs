//! Who answers at the other end of a plugin's TCP connections.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::PATIENCE;

/// What it does with a connection.
#[derive(Clone)]
pub(crate) enum Manner {
    /// Says each line back, behind the number of the connection; hangs up after "bye".
    Echo,
    /// The same over TLS.
    Secure(Arc<ServerConfig>),
    /// The same over TLS once it was asked for.
    Upgrade(Arc<ServerConfig>),
    /// Says this many bytes and hangs up.
    Pour(usize),
    /// Neither reads nor says anything.
    Silent,
}

/// A TCP server on a free port of the loopback address, with a thread for each connection.
pub(crate) struct Peer {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
    /// What is not read stays open here.
    _silent: Arc<Mutex<Vec<TcpStream>>>,
}

impl Peer {
    /// Starts it.
    pub(crate) fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (accepted, ended) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let silent = Arc::<Mutex<Vec<TcpStream>>>::default();
        let peer =
            Self { address, accepted: Arc::clone(&accepted), ended: Arc::clone(&ended), _silent: Arc::clone(&silent) };
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let number = accepted.fetch_add(1, Ordering::SeqCst) + 1;
                if matches!(manner, Manner::Silent) {
                    silent.lock().unwrap().push(stream.try_clone().unwrap());
                }
                let (manner, ended) = (manner.clone(), Arc::clone(&ended));
                std::thread::spawn(move || {
                    // However it ends, it ends.
                    let _ = serve(manner, stream, number);
                    ended.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        peer
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections so far.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Waits until so many connections have ended.
    pub(crate) fn ended(&self, least: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.ended.load(Ordering::SeqCst) < least {
            let ended = self.ended.load(Ordering::SeqCst);
            assert!(Instant::now() < deadline, "{ended} of {least} connections ended");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn serve(manner: Manner, mut stream: TcpStream, number: usize) -> std::io::Result<()> {
    match manner {
        Manner::Echo => echo(stream, number),
        Manner::Secure(config) => echo(secure(config, stream), number),
        Manner::Upgrade(config) => {
            let mut byte = [0];
            while byte != *b"\n" {
                stream.read_exact(&mut byte)?;
            }
            stream.write_all(b"go ahead\r\n")?;
            echo(secure(config, stream), number)
        }
        Manner::Pour(bytes) => stream.write_all(&vec![7; bytes]),
        Manner::Silent => {
            // Ends when the other side does, and takes nothing before.
            let mut byte = [0];
            while stream.peek(&mut byte).is_ok_and(|peeked| peeked > 0) {
                std::thread::sleep(Duration::from_millis(10));
            }
            Ok(())
        }
    }
}

fn secure(config: Arc<ServerConfig>, stream: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
    StreamOwned::new(ServerConnection::new(config).unwrap(), stream)
}

fn echo(stream: impl Read + Write, number: usize) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 || line.trim_end() == "bye" {
            return Ok(());
        }
        write!(stream.get_mut(), "{number}: {line}")?;
        stream.get_mut().flush()?;
    }
}
