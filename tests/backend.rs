//! An authenticator that asks a service: slow, down, and back again.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use midge_protocol::{ProtocolVersion, ReasonCode};

use crate::hostile::{Conversation, plugin};
use crate::support::{Client, PATIENCE, Server};

/// A service that lets everybody in after a while, as many at once as come.
fn serve(listener: TcpListener, after: Duration) {
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || answer_all(&stream, after));
        }
    });
}

/// Answers every request of a connection. The other side may close at any time.
fn answer_all(stream: &TcpStream, after: Duration) {
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    let mut out = stream;
    for line in lines {
        if line.is_empty() {
            thread::sleep(after);
            if out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").is_err() {
                return;
            }
        }
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A broker whose authenticator asks this service about clients with the user name `service`.
fn house(service: SocketAddr, more: &str) -> Server {
    let asked = plugin("importer", &format!("allow = {{ http = [\"http://{service}\"] }}\n{more}"));
    Server::with(&format!("{OPEN}{asked}"))
}

/// Who has no credentials comes in unasked.
const OPEN: &str = "[[listener]]\nname = \"tcp\"\naddress = \"127.0.0.1:0\"\nanonymous = true\n";

/// CONNECT of a client that the service is asked about, and the answer.
fn connect_by(server: &Server, service: SocketAddr, client_id: &str) -> (Client, ReasonCode) {
    let url = format!("http://{service}/");
    let mut client = Client::open(server.address(), ProtocolVersion::V5);
    let mut hello = crate::support::client::connect(ProtocolVersion::V5, client_id);
    (hello.username, hello.password) = (Some("service"), Some(url.as_bytes()));
    client.send(&midge_protocol::Packet::Connect(Box::new(hello)));
    let reason = client.connack(|connack| connack.reason);
    (client, reason)
}

/// Connects so many clients, all at once as far as `threads` go, and says how many came in.
fn connect_many(server: &Server, service: SocketAddr, clients: usize, threads: usize) -> usize {
    thread::scope(|scope| {
        let connecting: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || {
                    let mine = (thread..clients).step_by(threads);
                    mine.filter(|number| !connect_by(server, service, &format!("c{number}")).1.is_error()).count()
                })
            })
            .collect();
        connecting.into_iter().map(|one| one.join().unwrap()).sum()
    })
}

#[test]
fn who_waits_for_a_slow_service_waits_alone_and_comes_in() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let service = listener.local_addr().unwrap();
    serve(listener, Duration::from_millis(200));
    let server = house(service, "limits = { instances_max = 32, http_requests_max = 16 }");
    let mut others = Conversation::start_anonymous(&server);
    let came_in = others.during(|| connect_many(&server, service, 100, 50));
    assert_eq!(came_in, 100);
}

#[test]
fn a_service_that_is_down_costs_its_clients_no_time_and_is_found_again_by_itself() {
    let service = free_address();
    let server = house(service, "");
    let mut others = Conversation::start_anonymous(&server);
    let breaker = || server.metric("midge_plugin_breaker", &[("plugin", "importer"), ("hook", "authn")]);
    let mut refused = 0;
    while breaker() == 0.0 {
        let (_, reason) = connect_by(&server, service, &format!("early-{refused}"));
        assert_eq!(reason, ReasonCode::ServerUnavailable);
        refused += 1;
        assert!(refused < 20, "the circuit breaker does not open");
    }
    others.exchange();
    // Nobody is asked while it is open, but for one now and then.
    let not_called = [("plugin", "importer"), ("hook", "authn"), ("outcome", "breaker_open")];
    while server.metric("midge_plugin_calls_total", &not_called) == 0.0 {
        assert_eq!(connect_by(&server, service, "meanwhile").1, ReasonCode::ServerUnavailable);
    }
    serve(TcpListener::bind(service).unwrap(), Duration::ZERO);
    let deadline = Instant::now() + PATIENCE * 2;
    while connect_by(&server, service, "later").1.is_error() {
        assert!(Instant::now() < deadline, "the service is not found again:\n{}", server.log());
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(breaker(), 0.0);
    others.exchange();
}

#[test]
#[ignore = "a measurement: 2,000 clients; run it by itself, and read what it prints"]
fn two_thousand_clients_wait_for_a_service_of_200_ms_and_the_others_do_not() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let service = listener.local_addr().unwrap();
    serve(listener, Duration::from_millis(200));
    let (instances, requests) = (500, 256);
    let server =
        house(service, &format!("limits = {{ instances_max = {instances}, waiting_max = 2000, wait_ms = 30000 }}"));
    let mut others = Conversation::start_anonymous(&server);
    let quiet = others.latencies_during(|| thread::sleep(Duration::from_secs(5))).1;
    let began = Instant::now();
    let (came_in, busy) = others.latencies_during(|| connect_many(&server, service, 2000, 1000));
    let took = began.elapsed();
    eprintln!(
        "{came_in} of 2000 clients came in within {took:?}; 200 ms for each of {requests} at a time are {:?}\n\
         p99 of others: {:?} quiet, {:?} meanwhile; worst {:?} and {:?}",
        Duration::from_millis(200 * 2000 / requests),
        quiet.p99(),
        busy.p99(),
        quiet.worst(),
        busy.worst()
    );
    assert_eq!(came_in, 2000);
}
