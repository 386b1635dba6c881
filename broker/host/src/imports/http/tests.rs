#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use tiny_http::{Header, Response as Answer, Server};

use super::client::{Client, Failure};
use super::resolver::Lookup;
use super::{Request, Response};
use crate::grants::Grants;
use crate::imports::ImportLimits;

const LEFT: Duration = Duration::from_secs(5);

/// A server on the loopback that answers by path, and remembers the port each request came from.
struct Web {
    address: SocketAddr,
    peers: Arc<Mutex<Vec<SocketAddr>>>,
    seen: Arc<Mutex<Vec<String>>>,
    /// Answers to `/hang` are held back until this is dropped.
    _release: mpsc::Sender<()>,
}

impl Web {
    fn start() -> Self {
        let server = Server::http("127.0.0.1:0").unwrap();
        let address = server.server_addr().to_ip().unwrap();
        let (peers, seen) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let (release, held) = mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        std::thread::spawn({
            let (peers, seen) = (Arc::clone(&peers), Arc::clone(&seen));
            move || {
                for mut request in server.incoming_requests() {
                    peers.lock().unwrap().push(*request.remote_addr().unwrap());
                    let mut body = String::new();
                    request.as_reader().read_to_string(&mut body).unwrap();
                    let headers: Vec<_> = request.headers().iter().map(ToString::to_string).collect();
                    seen.lock().unwrap().push(format!(
                        "{} {} {body:?} {}",
                        request.method(),
                        request.url(),
                        headers.join("; ")
                    ));
                    let _ = match request.url() {
                        "/redirect" => {
                            let location = Header::from_bytes("location", "http://169.254.169.254/latest").unwrap();
                            request.respond(Answer::empty(302).with_header(location))
                        }
                        "/large" => request.respond(Answer::from_data(vec![0; 4096])),
                        "/chunked" => {
                            let body = io::Cursor::new(vec![0; 4096]);
                            request.respond(Answer::new(200.into(), Vec::new(), body, None, None))
                        }
                        "/hang" => {
                            let held = Arc::clone(&held);
                            std::thread::spawn(move || {
                                let _ = held.lock().unwrap().recv();
                                let _ = request.respond(Answer::empty(200));
                            });
                            Ok(())
                        }
                        _ => request.respond(Answer::from_string(format!("hello {body}")).with_status_code(201)),
                    };
                }
            }
        });
        Self { address, peers, seen, _release: release }
    }

    fn url(&self, host: &str, path: &str) -> String {
        format!("http://{host}:{}{path}", self.address.port())
    }
}

/// Names and their addresses, as a test wants them.
struct Names(HashMap<&'static str, Vec<IpAddr>>);

impl Lookup for Names {
    fn lookup(&self, name: String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> {
        let found = self.0.get(name.as_str()).cloned().ok_or_else(|| io::Error::other("no such name"));
        Box::pin(std::future::ready(found))
    }
}

fn client_with(web: &Web, granted: &[&str], requests_max: u32, limits: &ImportLimits) -> Client {
    let origins: Vec<_> = granted.iter().map(|host| web.url(host, "")).collect();
    let grants = Grants::from_json("jwt", &json!({ "http": origins }), Path::new("/")).unwrap();
    let loopback: IpAddr = "127.0.0.1".parse().unwrap();
    let names = HashMap::from([
        ("web.test", vec![loopback]),
        ("mapped.test", vec!["::ffff:127.0.0.1".parse().unwrap()]),
        ("metadata.test", vec!["169.254.169.254".parse().unwrap()]),
        ("private.test", vec!["10.0.0.1".parse().unwrap()]),
        ("both.test", vec!["169.254.169.254".parse().unwrap(), loopback]),
    ]);
    Client::with_lookup(&grants, requests_max, limits, Arc::new(Names(names))).unwrap()
}

fn client(web: &Web, granted: &[&str]) -> Client {
    client_with(web, granted, 256, &ImportLimits::default())
}

fn post(url: String) -> Request {
    let headers = vec![
        ("x-test".to_owned(), "1".to_owned()),
        ("Host".to_owned(), "evil.test".to_owned()),
        ("content-length".to_owned(), "9".to_owned()),
    ];
    Request { method: "POST".to_owned(), url, headers, body: b"body".to_vec(), timeout_ms: 0 }
}

async fn ask(client: &Client, url: String) -> Result<Response, Failure> {
    client.send(post(url), LEFT).await
}

#[tokio::test]
async fn a_granted_origin_is_asked_with_the_guests_headers_but_the_hosts_own_framing() {
    let web = Web::start();
    let client = client(&web, &["127.0.0.1"]);
    let answer = ask(&client, web.url("127.0.0.1", "/x?y=1")).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (201, &b"hello body"[..]));
    assert!(answer.headers.iter().any(|(name, value)| name == "content-length" && value == "10"));
    let seen = web.seen.lock().unwrap()[0].clone();
    assert!(seen.starts_with("POST /x?y=1 \"body\"") && seen.to_lowercase().contains("x-test: 1"), "{seen}");
    assert!(
        seen.contains("127.0.0.1") && !seen.contains("evil.test") && seen.to_lowercase().contains("content-length: 4"),
        "{seen}"
    );
    assert_eq!(client.counts().exchanges, 1);
}

#[tokio::test]
async fn what_is_not_granted_is_denied_with_the_line_that_would_grant_it() {
    let web = Web::start();
    let client = client(&web, &["127.0.0.1"]);
    for (url, line) in [
        (web.url("127.0.0.2", "/"), format!(": allow.http = [\"http://127.0.0.2:{}\"]", web.address.port())),
        ("https://127.0.0.1/".to_owned(), ": allow.http = [\"https://127.0.0.1\"]".to_owned()),
        ("file:///etc/passwd".to_owned(), "only http and https exist here".to_owned()),
    ] {
        let Err(Failure::NotGranted(denial)) = ask(&client, url.clone()).await else { panic!("{url}") };
        assert!(denial.to_string().ends_with(&line), "{denial}");
    }
    assert!(web.seen.lock().unwrap().is_empty());
    assert_eq!(client.counts().failures, 3);
}

#[tokio::test]
async fn a_granted_name_is_denied_at_addresses_that_are_not() {
    let web = Web::start();
    let names = ["web.test", "mapped.test", "metadata.test", "private.test"];
    let client = client(&web, &names);
    for (name, line) in
        names.into_iter().zip(["http://127.0.0.1", "http://127.0.0.1", "http://169.254.169.254", "http_private = true"])
    {
        let answer = ask(&client, web.url(name, "/")).await;
        let Err(Failure::NotGranted(denial)) = answer else { panic!("{name}: {answer:?}") };
        assert!(denial.to_string().contains(name) && denial.to_string().contains(line), "{denial}");
    }
    assert!(web.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_name_is_asked_at_those_of_its_addresses_that_are_granted() {
    let web = Web::start();
    let client = client(&web, &["both.test", "127.0.0.1"]);
    assert_eq!(ask(&client, web.url("both.test", "/")).await.unwrap().status, 201);
}

#[tokio::test]
async fn a_redirect_is_the_guests_to_follow_by_the_same_rules() {
    let web = Web::start();
    let client = client(&web, &["127.0.0.1"]);
    let answer = ask(&client, web.url("127.0.0.1", "/redirect")).await.unwrap();
    let location = answer.headers.iter().find(|(name, _)| name == "location").unwrap().1.clone();
    assert_eq!(answer.status, 302);
    assert!(matches!(ask(&client, location).await, Err(Failure::NotGranted(_))));
}

#[tokio::test]
async fn a_body_over_the_cap_is_cut_off_whether_announced_or_not() {
    let web = Web::start();
    let limits = ImportLimits { http_response_bytes_max: 4095, ..ImportLimits::default() };
    let small = client_with(&web, &["127.0.0.1"], 256, &limits);
    let enough = client_with(&web, &["127.0.0.1"], 256, &ImportLimits { http_response_bytes_max: 4096, ..limits });
    for path in ["/large", "/chunked"] {
        assert!(matches!(ask(&small, web.url("127.0.0.1", path)).await, Err(Failure::TooLarge)), "{path}");
        assert_eq!(ask(&enough, web.url("127.0.0.1", path)).await.unwrap().body.len(), 4096, "{path}");
    }
}

#[tokio::test]
async fn a_silent_server_is_waited_for_no_longer_than_asked_nor_than_there_is_time() {
    let web = Web::start();
    let client = client(&web, &["127.0.0.1"]);
    for (asked, left) in [(100, LEFT), (0, Duration::from_millis(100)), (60_000, Duration::from_millis(100))] {
        let start = Instant::now();
        let request = Request { timeout_ms: asked, ..post(web.url("127.0.0.1", "/hang")) };
        assert!(matches!(client.send(request, left).await, Err(Failure::Timeout)));
        assert!(start.elapsed() < LEFT, "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn exchanges_beyond_the_bound_wait_for_their_turn_as_long_as_they_have_time() {
    let web = Web::start();
    let client = Arc::new(client_with(&web, &["127.0.0.1"], 1, &ImportLimits::default()));
    let hanging = tokio::spawn({
        let (client, url) = (Arc::clone(&client), web.url("127.0.0.1", "/hang"));
        async move { ask(&client, url).await }
    });
    let deadline = Instant::now() + LEFT;
    while web.seen.lock().unwrap().is_empty() {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let hurried = Request { timeout_ms: 50, ..post(web.url("127.0.0.1", "/")) };
    assert!(matches!(client.send(hurried, LEFT).await, Err(Failure::Overloaded)));
    let waiting = tokio::spawn({
        let (client, url) = (Arc::clone(&client), web.url("127.0.0.1", "/"));
        async move { ask(&client, url).await }
    });
    hanging.abort();
    let _ = hanging.await;
    assert!(waiting.await.unwrap().is_ok(), "an abandoned exchange gives its place back");
}

#[tokio::test]
async fn connections_are_kept_and_used_again() {
    let web = Web::start();
    let client = client(&web, &["127.0.0.1"]);
    for _ in 0..5 {
        ask(&client, web.url("127.0.0.1", "/")).await.unwrap();
    }
    let peers = web.peers.lock().unwrap();
    assert_eq!(peers.len(), 5);
    assert!(peers.iter().all(|peer| *peer == peers[0]), "{peers:?}");
}

#[tokio::test]
async fn failures_are_told_apart() {
    let web = Web::start();
    let client = client(&web, &["127.0.0.1"]);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let allow = json!({"http": [format!("http://127.0.0.1:{closed}")]});
    let grants = Grants::from_json("jwt", &allow, Path::new("/")).unwrap();
    let other = Client::new(&grants, 256, &ImportLimits::default()).unwrap();
    assert!(matches!(ask(&other, format!("http://127.0.0.1:{closed}/")).await, Err(Failure::Connect(_))));
    assert!(matches!(ask(&client, "not a url".to_owned()).await, Err(Failure::Other(_))));
    let connect = Request { method: "CONNECT".to_owned(), ..post(web.url("127.0.0.1", "/")) };
    assert!(matches!(client.send(connect, LEFT).await, Err(Failure::Other(_))));
    let many = Request { headers: vec![("x".to_owned(), "1".to_owned()); 100_000], ..post(web.url("127.0.0.1", "/")) };
    assert!(matches!(client.send(many, LEFT).await, Err(Failure::Other(_))));
    let split = Request { headers: vec![("x".to_owned(), "a\r\nb: c".to_owned())], ..post(web.url("127.0.0.1", "/")) };
    assert!(matches!(client.send(split, LEFT).await, Err(Failure::Other(_))));
}
