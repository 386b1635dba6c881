//! The suites of Python clients, from their source distributions. `pytest_midge.py` tells them where Midge is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use tempfile::TempDir;

use super::{Case, Ended, INSTALL_MAX, attempt, finish, installed, own};
use crate::support::Server;
use crate::support::pki::Pki;

/// The Eclipse Paho interoperability suite for MQTT 5, as paho-mqtt carries it.
pub(super) fn paho() -> Vec<Case> {
    cases("paho_mqtt-2.1.0", "tests/test_mqttv5.py", &[])
}

/// gmqtt's version of the same.
pub(super) fn gmqtt() -> Vec<Case> {
    cases("gmqtt-0.8.0", "tests/test_mqtt5.py", &[])
}

/// aiomqtt's tests that need a broker.
pub(super) fn aiomqtt() -> Vec<Case> {
    cases("aiomqtt-2.5.1", "tests/test_client.py", &["-m", "network"])
}

/// What pytest finds.
fn cases(package: &str, file: &str, select: &[&str]) -> Vec<Case> {
    let home = HOME.join("sources").join(package);
    let found = finish(pytest(&home).args(["--collect-only", "--quiet", file]).args(select), INSTALL_MAX);
    let names = found.lines().filter_map(|line| line.strip_prefix(file)?.strip_prefix("::"));
    names.map(|name| case(&home, file, name)).collect()
}

fn case(home: &Path, file: &str, name: &str) -> Case {
    let (home, id, strict) = (home.to_owned(), format!("{file}::{name}"), name.ends_with("_negative"));
    Case { name: name.to_owned(), run: Box::new(move || run(&home, &id, strict)) }
}

/// With a broker that lets anybody in, or nobody.
fn run(home: &Path, id: &str, nobody: bool) -> Ended {
    let directory = TempDir::new().unwrap();
    let _pki = Pki::in_directory(&directory);
    fs::write(directory.path().join("users"), "# nobody\n").unwrap();
    let listener = |name: &str, more: &str| {
        format!("[[listener]]\nname = \"{name}\"\naddress = \"127.0.0.1:0\"\nanonymous = {}\n{more}\n", !nobody)
    };
    let mut config = listener("tcp", "");
    config += &listener("ws", "protocol = \"ws\"\npath = \"/\"");
    config += &listener("tls", "tls = { certificate = \"server.pem\", key = \"server.key\" }");
    if nobody {
        config += "[[plugin]]\npath = \"bundled:password-file\"\nconfig = { file = \"users\" }\nallow = { files = [\"users\"] }\n";
    }
    let server = Server::beside(directory, &config);
    let mut pytest = pytest(home);
    pytest.env("HOST", "127.0.0.1");
    for (name, listener) in [("PORT", "tcp"), ("WS_PORT", "ws"), ("TLS_PORT", "tls")] {
        pytest.env(name, server.address_of(listener).port().to_string());
    }
    attempt(pytest.args(["--quiet", "--tb=short", id]))
}

fn pytest(home: &Path) -> Command {
    let mut pytest = Command::new(HOME.join("bin/python"));
    pytest.current_dir(home).args(["-m", "pytest", "-p", "pytest_midge", "-p", "no:cacheprovider"]);
    pytest.env("PYTHONPATH", own("")).env("PYTHONDONTWRITEBYTECODE", "1");
    pytest
}

/// An environment with the clients, and the source distributions unpacked below `sources`.
static HOME: LazyLock<PathBuf> = LazyLock::new(|| {
    installed("python_suites", &[&CLIENTS[..], &TOOLS].concat().join("\n"), |home| {
        finish(Command::new("python3").args(["-m", "venv"]).arg(home), INSTALL_MAX);
        let pip = || {
            let mut pip = Command::new(home.join("bin/pip"));
            pip.args(["--quiet", "--disable-pip-version-check"]);
            pip
        };
        finish(pip().arg("install").args(CLIENTS).args(TOOLS), INSTALL_MAX);
        let sources = home.join("sources");
        let mut download = pip();
        download.args(["download", "--no-deps", "--no-binary", ":all:", "--dest"]).arg(&sources);
        finish(download.args(CLIENTS), INSTALL_MAX);
        for archive in fs::read_dir(&sources).unwrap() {
            let mut tar = Command::new("tar");
            finish(tar.arg("xzf").arg(archive.unwrap().path()).arg("-C").arg(&sources), INSTALL_MAX);
        }
    })
});

const CLIENTS: [&str; 3] = ["paho-mqtt==2.1.0", "gmqtt==0.8.0", "aiomqtt==2.5.1"];
/// aiomqtt's suite expects exceptions as anyio 3 raised them.
const TOOLS: [&str; 3] = ["pytest==9.2.0", "pytest-asyncio==1.5.0", "anyio==3.7.1"];
