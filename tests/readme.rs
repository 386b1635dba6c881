//! The README's first five minutes, with the README's own commands.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn the_first_five_minutes_go_as_the_readme_says() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let commands = shell_commands(&readme);
    let command = |start: &str| -> &str {
        let found = commands.iter().find(|command| command.starts_with(start));
        found.unwrap_or_else(|| panic!("the README has no command that starts with {start:?}"))
    };
    let demo = tempfile::tempdir().unwrap();
    let port = free_port();

    // The broker was built with this test: the README's command is told to start that one, beside others on their ports.
    assert_eq!(command("cargo xtask run"), "cargo xtask run");
    let broker = env!("CARGO_BIN_EXE_midge");
    let demo_path = demo.path().display();
    let mut running = Running::start(
        &format!("cargo xtask run --broker {broker} --port {port} --demo {demo_path}"),
        "cargo xtask run",
    );
    running.expect("Type in a second shell");

    let mut subscriber = Running::start(&on_port(command("mosquitto_sub"), port), "mosquitto_sub");
    let publish = on_port(command("mosquitto_pub -u alice -P wonderland"), port);
    // The subscriber says nothing when it has subscribed, so the message is published until it is there.
    subscriber.expect_while("alice/hello Hello, Midge", || assert!(shell(&publish).status.success()));
    let at_the_sink = running.expect("http sink: POST /messages");
    assert!(at_the_sink.contains(r#""topic":"alice/hello""#), "{at_the_sink}");
    assert!(at_the_sink.contains("Hello, Midge"), "{at_the_sink}");

    let refused = shell(&on_port(command("mosquitto_pub -u alice -P nonsense"), port));
    assert!(!refused.status.success());
    assert!(text(&refused).contains("not authorised"), "{}", text(&refused));
    let forbidden = shell(&on_port(command("mosquitto_pub -V 5"), port));
    assert!(text(&forbidden).contains("Not authorized"), "{}", text(&forbidden));
}

#[test]
fn the_plugin_in_the_readme_is_one_that_is_built_and_tested() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let example = fs::read_to_string(root().join("plugin-sdk/examples/authenticator.rs")).unwrap();
    let shown = readme.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert!(
        example.contains(shown.trim()),
        "the README shows another plugin than plugin-sdk/examples/authenticator.rs"
    );
}

/// A command that goes on while the test does; stopped with its children when dropped.
struct Running {
    child: Child,
    lines: Receiver<String>,
    name: &'static str,
}

impl Running {
    fn start(command: &str, name: &'static str) -> Self {
        let mut child = Command::new("sh")
            .args(["-c", &format!("exec {command}")])
            .current_dir(root())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines, name }
    }

    /// The first line that contains `text`.
    fn expect(&mut self, text: &str) -> String {
        self.expect_while(text, || {})
    }

    /// The same, doing something about it every half second.
    fn expect_while(&mut self, text: &str, mut again: impl FnMut()) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        while Instant::now() < deadline {
            again();
            let next = Instant::now() + Duration::from_millis(500);
            while let Ok(line) = self.lines.recv_timeout(next.saturating_duration_since(Instant::now())) {
                if line.contains(text) {
                    return line;
                }
                seen.push(line);
            }
        }
        panic!("{} did not print {text:?}, but:\n{}", self.name, seen.join("\n"));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // `cargo xtask run` hands the signal on to the broker and ends with it.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::yield_now();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The commands of all `sh` blocks, comments and blank lines aside.
fn shell_commands(markdown: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut is_shell = false;
    for line in markdown.lines() {
        match line.strip_prefix("```") {
            Some(language) => is_shell = language == "sh",
            None if is_shell => {
                let command = line.split(" #").next().unwrap_or_default().trim();
                if !command.is_empty() && !command.starts_with('#') {
                    commands.push(command.to_owned());
                }
            }
            None => {}
        }
    }
    commands
}

/// The README's clients use the standard port; this demo has its own.
fn on_port(command: &str, port: u16) -> String {
    let (program, arguments) = command.split_once(' ').unwrap();
    format!("{program} -p {port} {arguments}")
}

fn shell(command: &str) -> Output {
    Command::new("sh").args(["-c", command]).output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn free_port() -> u16 {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert!(TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).is_err(), "nobody listens there yet");
    port
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
