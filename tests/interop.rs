//! Clients that nobody here wrote: mosquitto's, paho-mqtt for Python, MQTT.js for Node.
//!
//! Each connects over TCP, TLS and, where it can, WebSocket, with MQTT 3.1.1 and 5: every QoS, retained messages, a
//! Will, a shared subscription, and a session that is resumed. The libraries are installed below `target/`.

mod mosquitto;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::Server;
use crate::support::pki::Pki;
use crate::support::program::{INSTALL_MAX, finish, installed};

/// A broker that can be reached in every way.
struct House {
    server: Server,
}

impl House {
    fn open() -> Self {
        let directory = TempDir::new().unwrap();
        let _pki = Pki::in_directory(&directory);
        let tls = "tls = { certificate = \"server.pem\", key = \"server.key\" }";
        let listener = |name: &str, protocol: &str, tls: &str| {
            format!(
                "[[listener]]\nname = \"{name}\"\naddress = \"127.0.0.1:0\"\nprotocol = \"{protocol}\"\nanonymous = true\n{tls}\n"
            )
        };
        let config = [
            listener("tcp", "mqtt", ""),
            listener("tls", "mqtt", tls),
            listener("ws", "ws", ""),
            listener("wss", "ws", tls),
        ];
        Self { server: Server::beside(directory, &config.concat()) }
    }

    fn port(&self, listener: &str) -> String {
        self.server.address_of(listener).port().to_string()
    }

    fn authority(&self) -> PathBuf {
        self.server.directory().join("ca.pem")
    }

    /// Runs a script that takes the authority, and then a listener's name and port for each way to connect.
    fn run(&self, command: &mut Command) {
        command.arg(self.authority());
        for listener in ["tcp", "tls", "ws", "wss"] {
            command.args([listener, &self.port(listener)]);
        }
        finish(command, SCRIPT_MAX);
    }
}

#[test]
fn paho_mqtt_works() {
    let python = paho();
    House::open().run(Command::new(python).arg("-u").arg(script("paho_mqtt.py")));
}

#[test]
fn mqtt_js_works() {
    let modules = mqtt_js();
    House::open().run(Command::new("node").arg(script("mqtt_js.cjs")).env("NODE_PATH", modules));
}

/// A Python with paho-mqtt.
fn paho() -> PathBuf {
    let home = installed("paho", PAHO, |home| {
        finish(Command::new("python3").args(["-m", "venv"]).arg(home), INSTALL_MAX);
        let mut pip = Command::new(home.join("bin/pip"));
        finish(pip.args(["install", "--quiet", "--disable-pip-version-check", PAHO]), INSTALL_MAX);
    });
    home.join("bin/python")
}

/// The `node_modules` with MQTT.js.
pub(crate) fn mqtt_js() -> PathBuf {
    let home = installed("mqtt_js", MQTT_JS, |home| {
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"]).arg(home).arg(MQTT_JS);
        finish(&mut npm, INSTALL_MAX);
    });
    home.join("node_modules")
}

/// A script of `tests/interop`.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(name)
}

const PAHO: &str = "paho-mqtt==2.1.0";
const MQTT_JS: &str = "mqtt@5.16.0";
/// How long a script may run.
pub(crate) const SCRIPT_MAX: Duration = Duration::from_secs(180);
