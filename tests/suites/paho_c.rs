//! The tests of Eclipse Paho's C client. Its `CMakeLists.txt` says which there are; they are compiled without TLS.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::mosquitto::free_ports;
use super::{CRATES, Case, INSTALL_MAX, attempt, finish};
use crate::support::program::Background;
use crate::support::{PATIENCE, Server};

/// Compiles the library and its tests.
pub(super) fn prepare(crates: &Path) {
    let (home, built) = (home(crates), built(crates));
    fs::create_dir_all(&built).unwrap();
    fs::write(built.join("VersionInfo.h"), VERSION_INFO).unwrap();
    let sources = fs::read_dir(home.join("src")).unwrap().map(|entry| entry.unwrap().path());
    let sources: Vec<PathBuf> = sources
        .filter(|path| path.extension().is_some_and(|extension| extension == "c"))
        .filter(|path| !["MQTTVersion.c", "SSLSocket.c"].iter().any(|other| path.ends_with(other)))
        .collect();
    finish(compiler(crates).arg("-c").args(&sources), INSTALL_MAX);
    for (test, library) in programs(crates) {
        // The two libraries have everything else in common.
        let own = if library == "paho-mqtt3c" { "MQTTClient" } else { "MQTTAsync" };
        let other = if library == "paho-mqtt3c" { "MQTTAsync" } else { "MQTTClient" };
        let objects = sources.iter().map(|source| source.file_stem().unwrap().to_str().unwrap());
        let objects = objects.filter(|name| name.starts_with(own) || !name.starts_with(other));
        let objects = objects.map(|name| format!("{name}.o"));
        let mut link = compiler(crates);
        link.arg("-o").arg(&test).arg(home.join("test").join(format!("{test}.c"))).args(objects).arg("-lpthread");
        finish(&mut link, INSTALL_MAX);
    }
}

fn compiler(crates: &Path) -> Command {
    let mut compiler = Command::new("cc");
    compiler
        .args(["-O0", "-w", "-DPAHO_MQTT_STATIC=1", "-DHIGH_PERFORMANCE", "-I."])
        .arg("-I")
        .arg(home(crates).join("src"));
    compiler.current_dir(built(crates));
    compiler
}

/// The test programs, and the library each is linked with: `target_link_libraries(test1 paho-mqtt3c)`.
fn programs(crates: &Path) -> BTreeMap<String, String> {
    let list = list(crates);
    let linked = list.lines().filter_map(|line| line.trim().strip_prefix("target_link_libraries(")?.strip_suffix(')'));
    let pairs = linked.filter_map(|rest| rest.split_once(' ')).filter(|(_, library)| LIBRARIES.contains(library));
    let listed =
        |test: &str| list.contains(&format!("COMMAND \"{test}\"")) || list.contains(&format!("COMMAND {test} "));
    pairs.filter(|(test, _)| listed(test)).map(|(test, library)| (test.to_owned(), library.to_owned())).collect()
}

/// Every `add_test` of a program that was compiled.
pub(super) fn cases() -> Vec<Case> {
    let (list, programs) = (list(&CRATES), programs(&CRATES));
    let mut cases = Vec::new();
    let mut name = "";
    for line in list.lines().map(str::trim) {
        if let Some(found) = line.strip_prefix("NAME ") {
            name = found;
        } else if let Some(command) = line.strip_prefix("COMMAND ") {
            let mut words = command.split_whitespace().map(|word| word.trim_matches('"').to_owned());
            let program = words.next().unwrap();
            if programs.contains_key(&program) {
                let words: Vec<String> = words.collect();
                let run = move || run(&program, &words);
                cases.push(Case { name: name.to_owned(), run: Box::new(run) });
            }
        }
    }
    cases
}

fn run(program: &str, words: &[String]) -> super::Ended {
    let config = "[[listener]]\nname = \"tcp\"\naddress = \"127.0.0.1:0\"\n\
        [[listener]]\nname = \"ws\"\naddress = \"127.0.0.1:0\"\nprotocol = \"ws\"\n[limits]\npacket_bytes_max = \"16MiB\"\nreceive_maximum = 20\n";
    let server = Server::with(config);
    let (tcp, ws) = (server.address_of("tcp").port().to_string(), server.address_of("ws").port().to_string());
    let is = |variable: &str| words.iter().any(|word| word == variable);
    // The suite's own proxy, which cuts connections when it is told to; the suite speaks TCP to it in any case.
    let proxy = (is("${MQTT_TEST_PROXY}") || is("${MQTT_WS_TEST_PROXY}")).then(|| proxy(&tcp));
    let proxy_port = proxy.as_ref().map_or("", |(_, port)| port);
    let mut command = Command::new(built(&CRATES).join(program));
    command.args(words.iter().map(|word| match word.as_str() {
        "${MQTT_TEST_BROKER}" => format!("tcp://127.0.0.1:{tcp}"),
        "${MQTT_WS_TEST_BROKER}" => format!("ws://127.0.0.1:{ws}"),
        "${MQTT_TEST_PROXY}" | "${MQTT_WS_TEST_PROXY}" => format!("tcp://127.0.0.1:{proxy_port}"),
        word => word.to_owned(),
    }));
    // They keep what they did not get rid of in files.
    let directory = tempfile::TempDir::new().unwrap();
    attempt(command.current_dir(directory.path()))
}

fn proxy(broker: &str) -> (Background, String) {
    let port = free_ports(1).remove(0);
    let mut command = Command::new("python3");
    command.arg(home(&CRATES).join("test/mqttsas.py")).args(["127.0.0.1", broker, &port]);
    let running = Background::start(&mut command);
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(format!("127.0.0.1:{port}")).is_err() {
        assert!(Instant::now() < deadline, "the proxy does not listen");
        std::thread::yield_now();
    }
    (running, port)
}

fn list(crates: &Path) -> String {
    fs::read_to_string(home(crates).join("test/CMakeLists.txt")).unwrap()
}

fn home(crates: &Path) -> PathBuf {
    crates.join("sources/paho-mqtt-sys-0.11.0/paho.mqtt.c")
}

fn built(crates: &Path) -> PathBuf {
    crates.join("paho_c")
}

/// The synchronous and the asynchronous one, without TLS.
const LIBRARIES: [&str; 2] = ["paho-mqtt3c", "paho-mqtt3a"];

/// What CMake makes of `VersionInfo.h.in`.
const VERSION_INFO: &str =
    "#define BUILD_TIMESTAMP \"\"\n#define CLIENT_VERSION \"1.3\"\n#define PAHO_MQTT_C_VERSION \"1.3\"\n";
