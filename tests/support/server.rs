//! The real binary, on ports of the operating system's choice.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::PATIENCE;
use super::stream::{Stream, tcp};

/// A running broker; killed when dropped.
pub(crate) struct Server {
    child: Child,
    said: Arc<Said>,
    listeners: Vec<(String, String)>,
    admin: Option<String>,
    directory: TempDir,
}

impl Server {
    /// A broker with one plain listener and every default.
    pub(crate) fn start() -> Self {
        Self::with("")
    }

    /// A broker with this configuration. Where it names no listener, there is a plain one; where it does not speak of
    /// the admin port, it is on a free one.
    pub(crate) fn with(config: &str) -> Self {
        Self::beside(TempDir::new().unwrap(), config)
    }

    /// As [`Self::with`], with a directory of files that the configuration names.
    pub(crate) fn beside(directory: TempDir, config: &str) -> Self {
        let mut server = Self::launched(directory, config);
        server.wait_until_ready();
        server
    }

    /// A broker that does not get ready; its admin port is there.
    pub(crate) fn unready(config: &str) -> Self {
        let mut server = Self::launched(TempDir::new().unwrap(), config);
        server.wait_until_it_said(|line| line.starts_with("listening on "));
        server
    }

    fn launched(directory: TempDir, config: &str) -> Self {
        std::fs::write(directory.path().join("midge.toml"), complete(config, directory.path())).unwrap();
        let (child, said) = launch(directory.path());
        Self { child, said, listeners: Vec::new(), admin: None, directory }
    }

    /// Ends it with a signal, and starts another with the same configuration, on whatever ports there are then.
    pub(crate) fn again(&mut self, signal: Signal) {
        self.end(signal);
        self.begin();
    }

    /// Ends it with a signal. Its directory stays.
    pub(crate) fn end(&mut self, signal: Signal) {
        self.signal(signal);
        self.ended();
    }

    /// Starts it again where it was ended.
    pub(crate) fn begin(&mut self) {
        (self.child, self.said) = launch(self.directory.path());
        self.listeners.clear();
        self.wait_until_ready();
    }

    /// Runs the binary to its end, which must come soon.
    pub(crate) fn output(arguments: &[&str]) -> Output {
        Self::output_with_input(arguments, "")
    }

    /// As [`Self::output`], with a line on its standard input.
    pub(crate) fn output_with_input(arguments: &[&str], line: &str) -> Output {
        let mut child = command().args(arguments).stdin(Stdio::piped()).spawn().unwrap();
        // One that ends without reading is no error.
        let _ = writeln!(child.stdin.take().unwrap(), "{line}");
        let pid = Pid::from_child(&child);
        let (done, finished) = std::sync::mpsc::channel::<()>();
        let guard = std::thread::spawn(move || {
            if finished.recv_timeout(PATIENCE).is_err() {
                let _ = kill_process(pid, Signal::KILL);
            }
        });
        let output = child.wait_with_output().unwrap();
        let _ = done.send(());
        guard.join().unwrap();
        output
    }

    fn wait_until_ready(&mut self) {
        self.wait_until_it_said(|line| line == "ready");
    }

    fn wait_until_it_said(&mut self, what: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + PATIENCE * 2;
        while !self.said.banner().lines().any(&what) {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the broker ended with {status}:\n{}", self.log());
            }
            assert!(Instant::now() < deadline, "the broker is not ready:\n{}", self.log());
            self.said.wait(Duration::from_millis(100));
        }
        for line in self.said.banner().lines() {
            if let Some((url, rest)) =
                line.strip_prefix("listening on ").and_then(|rest| rest.split_once(" (listener "))
            {
                let name = rest.split_once(')').unwrap().0;
                self.listeners.push((name.to_owned(), url.to_owned()));
            }
            if let Some(rest) = line.strip_prefix("admin on ") {
                self.admin = rest.split_whitespace().next().map(str::to_owned);
            }
        }
    }

    /// The URL of the first listener, as the banner prints it.
    pub(crate) fn url(&self) -> &str {
        &self.listeners.first().expect("the banner names a listener").1
    }

    /// The address of the first listener.
    pub(crate) fn address(&self) -> SocketAddr {
        address_in(self.url())
    }

    /// The address of a listener by name.
    pub(crate) fn address_of(&self, name: &str) -> SocketAddr {
        let listener = self.listeners.iter().find(|(known, _)| known == name);
        address_in(&listener.unwrap_or_else(|| panic!("no listener {name} in:\n{}", self.said.banner())).1)
    }

    /// The address of the admin port.
    pub(crate) fn admin(&self) -> SocketAddr {
        address_in(self.admin.as_deref().expect("the banner names the admin port"))
    }

    /// The admin port's whole answer to a GET.
    pub(crate) fn page(&self, path: &str) -> String {
        self.ask_admin("GET", path, "Host: x\r\n")
    }

    /// The admin port's whole answer, status line included, to a request with these header lines.
    pub(crate) fn ask_admin(&self, method: &str, path: &str, headers: &str) -> String {
        let mut stream = tcp(self.admin());
        stream.set_patience(PATIENCE);
        let length = if method == "POST" { "Content-Length: 0\r\n" } else { "" };
        write!(stream, "{method} {path} HTTP/1.1\r\n{headers}{length}Connection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// `midge plugin …` about this broker: whether it went well, and what it printed, to whichever of the two.
    pub(crate) fn midge_plugin(&self, arguments: &[&str]) -> (bool, String) {
        let admin = self.admin().to_string();
        let output = Self::output(&[&["plugin"], arguments, &["--admin", &admin]].concat());
        let printed = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(printed).unwrap())
    }

    /// What `/metrics` says of the one line that starts with `name` and has all `labels`; 0 where there is none.
    pub(crate) fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let page = self.page("/metrics");
        let labels: Vec<String> = labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
        let is_it = |line: &&str| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
                && labels.iter().all(|label| line.contains(label))
        };
        let line = page.lines().find(is_it);
        line.map_or(0.0, |line| line.rsplit_once(' ').unwrap().1.parse().unwrap())
    }

    /// Waits until a metric is `least` or more.
    pub(crate) fn metric_reaches(&self, name: &str, labels: &[(&str, &str)], least: f64) {
        let deadline = Instant::now() + PATIENCE;
        while self.metric(name, labels) < least {
            assert!(Instant::now() < deadline, "{name} {labels:?} stays below {least}:\n{}", self.page("/metrics"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where its configuration is.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Everything it printed and logged so far.
    pub(crate) fn log(&self) -> String {
        let said = self.said.text.lock().unwrap();
        format!("{}{}", said.banner, said.log)
    }

    /// Waits until a line of the log has all `parts`, and returns it.
    pub(crate) fn logged(&self, parts: &[&str]) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let log = self.log();
            if let Some(line) = log.lines().find(|line| parts.iter().all(|part| line.contains(part))) {
                return line.to_owned();
            }
            assert!(Instant::now() < deadline, "no line with {parts:?} in the log:\n{log}");
            self.said.wait(Duration::from_millis(100));
        }
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until it has ended.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the broker does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            for line in tail.iter().rev() {
                eprintln!("broker: {line}");
            }
        }
    }
}

fn launch(directory: &Path) -> (Child, Arc<Said>) {
    let mut child = command().arg("run").arg("--config").arg(directory.join("midge.toml")).spawn().unwrap();
    let said = Arc::new(Said::default());
    listen_to(child.stdout.take().unwrap(), &said, true);
    listen_to(child.stderr.take().unwrap(), &said, false);
    (child, said)
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_midge"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).env("NO_COLOR", "1");
    command
}

fn complete(config: &str, directory: &Path) -> String {
    let mut text = config.to_owned();
    let mut table = |name: &str, body: &str| {
        if !config.contains(name) {
            text.push_str(&format!("\n{name}\n{body}\n"));
        }
    };
    table("[[listener]]", "name = \"tcp\"\naddress = \"127.0.0.1:0\"");
    table("[admin]", "address = \"127.0.0.1:0\"");
    table("[sys]", "interval_s = 0");
    table("[log]", "filter = \"info\"");
    // What survives is tested in `durability`; elsewhere nobody waits for a disk, unless asked to.
    let durability = std::env::var("MIDGE_TEST_DURABILITY").unwrap_or_else(|_| "memory".to_owned());
    table("[store]", &format!("durability = {durability:?}"));
    table("[runtime]", &format!("data_dir = {:?}", directory.join("data")));
    text
}

fn address_in(url: &str) -> SocketAddr {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap().parse().unwrap_or_else(|_| panic!("no address in {url}"))
}

/// What a broker has said; the newest half of it if that is much.
#[derive(Default)]
struct Said {
    text: Mutex<Text>,
    more: Condvar,
}

#[derive(Default)]
struct Text {
    banner: String,
    log: String,
}

impl Said {
    fn banner(&self) -> String {
        self.text.lock().unwrap().banner.clone()
    }

    fn wait(&self, at_most: Duration) {
        let text = self.text.lock().unwrap();
        drop(self.more.wait_timeout(text, at_most).unwrap());
    }
}

fn listen_to(pipe: impl Read + Send + 'static, said: &Arc<Said>, banner: bool) {
    let said = Arc::clone(said);
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let mut text = said.text.lock().unwrap();
            let text = if banner { &mut text.banner } else { &mut text.log };
            if text.len() > LOG_BYTES_MAX {
                *text = text.lines().skip(text.lines().count() / 2).map(|line| format!("{line}\n")).collect();
            }
            text.push_str(&line);
            text.push('\n');
            said.more.notify_all();
        }
    });
}

const LOG_BYTES_MAX: usize = 1 << 20;
