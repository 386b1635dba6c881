//! `mosquitto_pub` and `mosquitto_sub`.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use midge_protocol::{ProtocolVersion, QoS};
use rustix::process::{Pid, Signal, kill_process};

use super::House;
use crate::support::program::finish;
use crate::support::{Client, Server};

const MAX: Duration = Duration::from_secs(60);
const VERSIONS: [&str; 3] = ["mqttv31", "mqttv311", "mqttv5"];

/// One of the tools, on its way to a listener.
fn tool(house: &House, name: &str, listener: &str, version: &str) -> Command {
    let mut command = Command::new(name);
    command.args(["-h", "localhost", "-p", &house.port(listener), "-V", version]);
    if listener == "tls" {
        command.arg("--cafile").arg(house.authority());
    }
    command
}

fn each(mut test: impl FnMut(&House, &str, &str)) {
    let house = House::open();
    for listener in ["tcp", "tls"] {
        for version in VERSIONS {
            test(&house, listener, version);
        }
    }
}

#[test]
fn every_quality_reaches_mosquitto_sub() {
    each(|house, listener, version| {
        for qos in ["0", "1", "2"] {
            let mut publish = tool(house, "mosquitto_pub", listener, version);
            publish.args(["-t", "live/a", "-m", "hello", "-q", qos, "-r"]);
            finish(&mut publish, MAX);
            let mut subscribe = tool(house, "mosquitto_sub", listener, version);
            subscribe.args(["-t", "live/#", "-q", qos, "-C", "1", "-W", "20", "-F", "%q %r %t %p"]);
            let said = finish(&mut subscribe, MAX);
            assert_eq!(said, format!("{qos} 1 live/a hello\n"), "{listener} {version}");
        }
    });
}

#[test]
fn a_session_of_mosquitto_sub_is_resumed() {
    each(|house, listener, version| {
        let session = |last: &[&str]| {
            let mut subscribe = tool(house, "mosquitto_sub", listener, version);
            subscribe.args(["-c", "-i", "resumed", "-t", "kept/#", "-q", "2", "-W", "20"]).args(last);
            if version == "mqttv5" {
                subscribe.args(["-x", "60"]);
            }
            finish(&mut subscribe, MAX)
        };
        session(&["-E"]);
        for (qos, text) in [("1", "first"), ("2", "second")] {
            let mut publish = tool(house, "mosquitto_pub", listener, version);
            finish(publish.args(["-t", "kept/a", "-m", text, "-q", qos]), MAX);
        }
        assert_eq!(session(&["-C", "2"]), "first\nsecond\n", "{listener} {version}");
    });
}

#[test]
fn the_will_of_a_killed_mosquitto_sub_is_published() {
    each(|house, listener, version| {
        let mut witness = Client::open(house.server.address_of("tcp"), ProtocolVersion::V5);
        witness.say_hello("witness", |_| {});
        witness.subscribe("wills", QoS::AtLeastOnce);
        let mut subscribe = tool(house, "mosquitto_sub", listener, version);
        subscribe.args(["-i", "mortal", "-t", "greeting", "--will-topic", "wills", "--will-payload", "gone"]);
        let mut mortal = Killed(subscribe.stdout(Stdio::null()).spawn().unwrap());
        house.server.logged(&["connected", "mortal"]);
        wait_for_subscriber(&mut witness);
        mortal.kill();
        assert_eq!(witness.take().text(), "gone", "{listener} {version}");
    });
}

/// As a laptop that is closed, or a program in a debugger: nobody else notices for long, and it goes on where it was.
#[test]
fn a_mosquitto_sub_that_stands_still_for_a_while_holds_nobody_up() {
    let server = Server::with("[limits]\nqueued_messages_max = 50\nin_flight_max = 10\nslow_down_max_ms = 300");
    let port = server.address().port().to_string();
    let mut subscribe = Command::new("mosquitto_sub");
    subscribe.args([
        "-p", &port, "-V", "mqttv5", "-c", "-i", "still", "-x", "60", "-t", "greeting", "-t", "flood", "-q", "1",
    ]);
    let mut still = Killed(subscribe.stdout(Stdio::piped()).spawn().unwrap());
    let mut publisher = Client::connect(&server, ProtocolVersion::V5, "publisher");
    wait_for_subscriber(&mut publisher);
    let mut quick = Client::connect(&server, ProtocolVersion::V5, "quick");
    quick.subscribe("flood", QoS::AtLeastOnce);

    still.signal(Signal::STOP);
    for number in 0..500 {
        publisher.publish("flood", &number.to_string(), QoS::AtLeastOnce);
        assert_eq!(quick.take().text(), number.to_string());
    }
    server.metric_reaches("midge_client_messages_dropped_total", &[("client_id", "still")], 400.0);
    still.signal(Signal::CONT);
    publisher.publish("flood", "end", QoS::AtLeastOnce);
    let lines = BufReader::new(still.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let got: Vec<String> = lines.take_while(|line| line != "end").filter(|line| line != "x").collect();
    let numbers: Vec<u32> = got.iter().map(|line| line.parse().unwrap()).collect();
    assert!(numbers.is_sorted() && numbers.last() == Some(&499), "{numbers:?}");
}

/// Until somebody hears the greeting; version 5 says so.
fn wait_for_subscriber(client: &mut Client) {
    let deadline = std::time::Instant::now() + crate::support::PATIENCE;
    while client.publish("greeting", "x", QoS::AtLeastOnce) != midge_protocol::ReasonCode::Success {
        assert!(std::time::Instant::now() < deadline, "nobody subscribed");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn mosquitto_sub_shares_a_subscription() {
    each(|house, listener, version| {
        if version == "mqttv31" {
            return;
        }
        let mut publisher = Client::open(house.server.address_of("tcp"), ProtocolVersion::V5);
        publisher.say_hello("publisher", |_| {});
        let member = || {
            let mut subscribe = tool(house, "mosquitto_sub", listener, version);
            subscribe.args(["-t", "$share/g/greeting", "-t", "$share/g/work", "-q", "1", "-C", "5", "-W", "30"]);
            Killed(subscribe.stdout(Stdio::null()).spawn().unwrap())
        };
        let mut members = [member(), member()];
        wait_for_subscriber(&mut publisher);
        // Ten messages would do if both were there from the start; more do no harm.
        let deadline = std::time::Instant::now() + crate::support::PATIENCE;
        while !members.iter_mut().all(Killed::has_ended) {
            publisher.publish("work", "x", QoS::AtLeastOnce);
            assert!(std::time::Instant::now() < deadline, "{listener} {version}: a member got too little");
            std::thread::sleep(Duration::from_millis(5));
        }
    });
}

/// A process that does not outlive its test.
struct Killed(Child);

impl Killed {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
