//! `midge bench` against the broker itself: every kind of load, for a moment each, so that the benchmarks do not rot.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::Server;
use crate::support::pki::Pki;

/// Runs the generator and returns what it measured.
fn measured(server: &Server, arguments: &[&str]) -> Vec<Value> {
    let address = server.address().to_string();
    let pid = server.pid().to_string();
    let arguments = [&["bench"], arguments, &["--json", "--broker", &address, "--pid", &pid]].concat();
    let output = Server::output(&arguments);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn number(measured: &Value, key: &str) -> f64 {
    measured.pointer(key).and_then(Value::as_f64).unwrap_or_else(|| panic!("no {key} in {measured}"))
}

#[test]
fn messages_arrive_at_every_quality_and_shape_and_none_is_lost() {
    let server = Server::start();
    let shapes = ["1-1", "3-3,q1", "2-2,q2,100B", "1-5", "5-1,q1", "6-3,shared", "6-3,q1,shared", "1-1,70000B"];
    let measured = measured(&server, &[&["run", "--seconds=0.2", "--warm-up=0.1"], &shapes[..]].concat());
    assert_eq!(measured.len(), shapes.len());
    for one in measured {
        assert!(number(&one, "/delivered") > 0.0, "{one}");
        assert!(number(&one, "/broker_cpu_seconds") >= 0.0, "{one}");
        assert!(number(&one, "/bytes_per_read") > 0.0, "{one}");
        assert_eq!(one["lost"], 0, "{one}");
    }
}

#[test]
fn paced_messages_have_latencies() {
    let server = Server::start();
    for shape in ["1-1,500/s", "4-4,q1,500/s", "2-2,q2,16B,200/s"] {
        let measured = measured(&server, &["run", "--seconds=0.3", "--warm-up=0.1", shape]);
        let (half, most) = (number(&measured[0], "/latency_p50_us"), number(&measured[0], "/latency_p99_us"));
        assert!(0.0 < half && half <= most, "{}", measured[0]);
        assert_eq!(measured[0]["lost"], 0, "{}", measured[0]);
    }
}

#[test]
fn connections_and_filters_are_weighed() {
    let server = Server::start();
    let idle = measured(&server, &["idle", "--connections=50", "--subscribe", "--settle=0"]);
    assert_eq!((number(&idle[0], "/connections"), idle[0]["subscribed"].as_bool()), (50.0, Some(true)));
    assert!(number(&idle[0], "/broker_resident_bytes") > 0.0);
    let filters = measured(&server, &["filters", "--filters=1000", "--clients=10", "--messages=2000"]);
    assert!(number(&filters[0], "/subscribed_per_second") > 0.0);
    assert!(number(&filters[0], "/broker_cpu_us_per_published_warm") >= 0.0);
}

#[test]
fn connections_with_tls_and_a_password_are_weighed() {
    let directory = TempDir::new().unwrap();
    Pki::in_directory(&directory);
    let listener = "[[listener]]\naddress = \"127.0.0.1:0\"\nanonymous = true\n\
                    tls = { certificate = \"server.pem\", key = \"server.key\" }";
    let server = Server::beside(directory, listener);
    let login = ["--tls", "--username=somebody", "--password=secret"];
    let idle = measured(&server, &[&["idle", "--connections=10", "--subscribe", "--settle=0"], &login[..]].concat());
    assert_eq!(idle[0]["scenario"], "idle,tls");
    assert!(number(&idle[0], "/connects_per_second") > 0.0);
}

#[test]
fn retained_and_kept_messages_are_measured() {
    let server = Server::start();
    let retained = measured(&server, &["retained", "--messages=500", "--seconds=0.2"]);
    assert!(number(&retained[0], "/replayed_per_second") > 0.0);
    let durable = measured(&server, &["durable", "--rates=200", "--seconds=0.3", "--warm-up=0.1", "--sessions=5"]);
    assert!(number(&durable[0], "/acknowledged_p99_us") > 0.0);
    let fill = measured(&server, &["fill", "--sessions=5", "--messages=50", "--retained=50"]);
    assert_eq!(number(&fill[0], "/messages"), 50.0);
    assert!(number(&measured(&server, &["first"])[0], "/first_message_seconds_after") >= 0.0);
    let backlog = measured(&server, &["backlog", "--messages=100"]);
    assert!(number(&backlog[0], "/fetch_seconds") >= 0.0);
}

#[test]
fn people_read_words_and_a_broker_that_is_not_there_is_an_error() {
    let server = Server::start();
    let address = server.address().to_string();
    let output = Server::output(&["bench", "run", "--broker", &address, "--seconds=0.1", "--warm-up=0.1", "1-1"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.starts_with("1-1,q0,64B\n") && said.contains("delivered per second"), "{said}");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let output = Server::output(&["bench", "run", "--broker", &nobody, "1-1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("connection 0"), "{output:?}");
}

#[test]
fn every_scenario_of_the_file_is_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scenarios: toml::Table = fs::read_to_string(root.join("tests/bench/scenarios.toml")).unwrap().parse().unwrap();
    let scenarios = scenarios["scenario"].as_array().unwrap();
    let text = |one: &toml::Value, key: &str| one.get(key).and_then(toml::Value::as_str).map(str::to_owned);
    let loads = scenarios.iter().filter(|one| text(one, "kind").is_none_or(|kind| kind == "run"));
    let shapes: Vec<String> = loads.filter_map(|one| text(one, "shape").or_else(|| text(one, "name"))).collect();
    assert!(shapes.len() > 20, "{shapes:?}");
    // A word that is none ends it with 2, before it finds out that nobody listens there.
    let arguments = ["bench", "run", "--broker", "127.0.0.1:1"].into_iter().chain(shapes.iter().map(String::as_str));
    let output = Server::output(&arguments.collect::<Vec<_>>());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    // Each of the others has a test above.
    for kind in scenarios.iter().filter_map(|one| text(one, "kind")) {
        assert!(["run", "idle", "filters", "retained", "durable"].contains(&kind.as_str()), "{kind}");
    }
}
