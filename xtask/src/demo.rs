//! What `cargo xtask run` starts when it is told no config: users, rules, and an HTTP endpoint that messages go to.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use crate::Failure;

/// Where the demo listens unless told otherwise: the port every MQTT client tries by itself.
pub(crate) const PORT: u16 = 1883;

/// The users of the demo and their passwords. Known to everybody, which is why the demo listens on loopback only.
pub(crate) const USERS: &[(&str, &str)] = &[("alice", "wonderland"), ("bob", "builder")];

/// Every user owns the topics below their own name; `news/#` is everybody's to read and alice's to write.
const RULES: &str = "\
# Who may publish and subscribe where. `%u` is the user name, `%c` the client id.
pattern readwrite %u/#
topic read news/#

user alice
topic readwrite news/#
";

/// Writes the demo's files into `directory`, but for those that are there already: they may have been edited.
/// Returns the config's path.
///
/// # Errors
/// When a file cannot be written, or `midge passwd` fails.
pub(crate) fn write(directory: &Path, broker: &Path, port: u16, sink: SocketAddr) -> Result<PathBuf, Failure> {
    let failed = |path: &Path, error| Failure::new(format!("{} cannot be written: {error}", path.display()));
    fs::create_dir_all(directory).map_err(|error| failed(directory, error))?;
    let passwords = directory.join("passwords");
    if !passwords.exists() {
        for (user, password) in USERS {
            set_password(broker, &passwords, user, password)?;
        }
    }
    let rules = directory.join("rules.acl");
    if !rules.exists() {
        fs::write(&rules, RULES).map_err(|error| failed(&rules, error))?;
    }
    // The sink's port is another one at every start, so the config is written anew: `--config` runs an own one.
    let config = directory.join("midge.toml");
    fs::write(&config, text(directory, port, sink)).map_err(|error| failed(&config, error))?;
    Ok(config)
}

fn set_password(broker: &Path, file: &Path, user: &str, password: &str) -> Result<(), Failure> {
    let failed = |why: String| Failure::new(format!("`midge passwd` failed for {user}: {why}"));
    let mut child = Command::new(broker)
        .arg("passwd")
        .arg(file)
        .args([user, "--password-stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    if let Some(mut input) = child.stdin.take() {
        writeln!(input, "{password}").map_err(|error| failed(error.to_string()))?;
    }
    let status = child.wait().map_err(|error| failed(error.to_string()))?;
    if status.success() { Ok(()) } else { Err(failed(status.to_string())) }
}

fn text(directory: &Path, port: u16, sink: SocketAddr) -> String {
    let file = |name: &str| format!("{:?}", directory.join(name).display().to_string());
    format!(
        r##"# Written by `cargo xtask run` at every start; copy it before you edit it, and run yours with
# `cargo xtask run --config FILE`. Every key is documented in broker/midge.example.toml.

[[listener]]
address = "127.0.0.1:{port}"

{admin}[runtime]
data_dir = {data}

[[plugin]]
name = "password-file"
path = "bundled:password-file"
config = {{ file = {passwords} }}
allow = {{ files = [{passwords}] }}

[[plugin]]
name = "acl-file"
path = "bundled:acl-file"
config = {{ file = {rules} }}
allow = {{ files = [{rules}] }}

[[plugin]]
name = "http-forward"
path = "bundled:http-forward"
topics = ["#"]
config = {{ url = "http://{sink}/messages" }}
allow = {{ http = ["http://{sink}"] }}
"##,
        passwords = file("passwords"),
        rules = file("rules.acl"),
        data = file("data"),
        // Beside the standard demo another one may run.
        admin = if port == PORT { "" } else { "[admin]\naddress = \"127.0.0.1:0\"\n\n" },
    )
}

/// Starts an HTTP endpoint that prints what is posted to it, a line a request.
///
/// # Errors
/// When no port can be had.
pub(crate) fn start_sink() -> Result<SocketAddr, Failure> {
    let failed = |why: String| Failure::new(format!("the demo's HTTP endpoint cannot listen on 127.0.0.1: {why}"));
    let server = tiny_http::Server::http("127.0.0.1:0").map_err(|error| failed(error.to_string()))?;
    let address = server.server_addr().to_ip().ok_or_else(|| failed("it has no IP address".into()))?;
    thread::spawn(move || {
        for mut request in server.incoming_requests() {
            let mut body = String::new();
            let (code, line) = match request.as_reader().read_to_string(&mut body) {
                Ok(_) => (204, format!("http sink: {} {} {}", request.method(), request.url(), compact(&body))),
                Err(error) => (400, format!("http sink: a body that cannot be read: {error}")),
            };
            println!("{line}");
            // A plugin that has gone away sends its batch again; there is nothing to do about it here.
            let _ = request.respond(tiny_http::Response::empty(code));
        }
    });
    Ok(address)
}

fn compact(body: &str) -> String {
    serde_json::from_str::<serde_json::Value>(body).map_or_else(|_| body.trim().to_owned(), |json| json.to_string())
}
