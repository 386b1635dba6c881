//! Clients that nobody here wrote.

use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use super::{ENDS, durable};
use crate::support::Server;
use crate::support::program::finish;

const MAX: Duration = Duration::from_secs(60);

fn tool(server: &Server, name: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(name);
    command.args(["-h", "127.0.0.1", "-p", &server.address().port().to_string()]).args(arguments);
    finish(&mut command, MAX)
}

#[test]
fn mosquitto_finds_its_session_its_messages_and_what_is_retained() {
    for end in ENDS {
        for version in ["mqttv31", "mqttv311", "mqttv5"] {
            let mut server = durable();
            let session = |server: &Server, more: &[&str]| {
                let mut arguments = vec!["-V", version, "-c", "-i", "kept", "-t", "a/#", "-q", "2", "-W", "20"];
                if version == "mqttv5" {
                    arguments.extend(["-x", "3600"]);
                }
                arguments.extend(more);
                tool(server, "mosquitto_sub", &arguments)
            };
            session(&server, &["-E"]);
            for number in ["1", "2", "3"] {
                tool(&server, "mosquitto_pub", &["-V", version, "-t", "a/b", "-q", "2", "-m", number]);
            }
            tool(&server, "mosquitto_pub", &["-V", version, "-t", "r", "-q", "1", "-r", "-m", "retained"]);
            server.again(end);
            assert_eq!(session(&server, &["-C", "3"]), "1\n2\n3\n", "{end:?} {version}");
            let retained = tool(&server, "mosquitto_sub", &["-V", version, "-t", "r", "-C", "1", "-W", "20"]);
            assert_eq!(retained, "retained\n", "{end:?} {version}");
        }
    }
}

/// A second kill finds what the first start has made of the store.
#[test]
fn ten_crashes_in_a_row_lose_nothing() {
    let mut server = durable();
    tool(&server, "mosquitto_sub", &["-c", "-i", "kept", "-t", "a", "-q", "1", "-E"]);
    for number in 0..10 {
        tool(&server, "mosquitto_pub", &["-t", "a", "-q", "1", "-m", &number.to_string()]);
        server.again(Signal::KILL);
    }
    let said = tool(&server, "mosquitto_sub", &["-c", "-i", "kept", "-t", "a", "-q", "1", "-C", "10", "-W", "20"]);
    assert_eq!(said, "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
}
