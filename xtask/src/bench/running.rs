//! Brokers that run, and the generator that drives them.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use midge_toolchain::packages::is_program;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::peers::Broker;
use super::{Options, machine};
use crate::plugins;

/// What every run needs.
pub(super) struct Bench<'a> {
    pub(super) root: &'a Path,
    pub(super) options: &'a Options,
    pub(super) midge: PathBuf,
    pub(super) generator: PathBuf,
    /// Where everything is written.
    pub(super) folder: PathBuf,
}

/// A broker that serves; ended when dropped, with what it started.
pub(super) struct Running {
    name: String,
    pub(super) child: Child,
    address: SocketAddr,
    log: PathBuf,
    /// What the generator says of itself to every connection.
    login: Vec<String>,
}

impl Bench<'_> {
    /// Starts a broker as new and waits until it serves.
    pub(super) fn start(&self, broker: &Broker, tls: bool, pinned: bool) -> Result<Running, String> {
        let run = self.empty_folder(&broker.name).map_err(|error| format!("its folder cannot be made: {error}"))?;
        self.start_in(broker, &run, tls, pinned)?.wait()
    }

    /// Starts a broker with what is in the folder, and does not wait until it serves.
    pub(super) fn start_in(&self, broker: &Broker, run: &Path, tls: bool, pinned: bool) -> Result<Running, String> {
        let [port, port_2, port_3] = free_ports().map_err(|error| format!("there is no free port: {error}"))?;
        let certificates = self.folder.join("tls");
        if tls {
            make_certificate(&certificates)?;
        }
        let config = run.join(broker.peer.config_name.as_deref().unwrap_or("broker.conf"));
        let places = [
            ("{program}", broker.program.display().to_string()),
            ("{peer}", broker.folder.display().to_string()),
            ("{run}", run.display().to_string()),
            ("{config}", config.display().to_string()),
            ("{port}", port.to_string()),
            ("{port_2}", port_2.to_string()),
            ("{port_3}", port_3.to_string()),
            ("{midge}", self.midge.display().to_string()),
            ("{bench}", self.generator.display().to_string()),
            ("{guests}", plugins::guests_directory(self.root).display().to_string()),
            ("{certificate}", certificates.join("certificate.pem").display().to_string()),
            ("{key}", certificates.join("key.pem").display().to_string()),
        ];
        let fill = |text: &str| places.iter().fold(text.to_owned(), |text, (place, value)| text.replace(place, value));
        let text = if tls { &broker.peer.tls } else { &broker.peer.config };
        if let Some(text) = text {
            fs::write(&config, fill(text))
                .map_err(|error| format!("{} cannot be written: {error}", config.display()))?;
        }
        if let Some(setup) = &broker.peer.setup {
            let done = Command::new("sh").args(["-c", &fill(setup)]).stdout(Stdio::null()).status();
            if !done.is_ok_and(|status| status.success()) {
                return Err("its setup failed".to_owned());
            }
        }
        let log = self.folder.join("run").join(format!("{}.log", broker.name));
        let output = fs::File::create(&log).and_then(|file| Ok((file.try_clone()?, file)));
        let (out, error) = output.map_err(|error| format!("{} cannot be written: {error}", log.display()))?;
        let child = on_core(&broker.program, pinned.then_some(BROKER_CORE))
            .args(broker.peer.arguments.iter().map(|argument| fill(argument)))
            .envs(broker.peer.environment.iter().map(|(name, value)| (name, fill(value))))
            .current_dir(run)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(error)
            .spawn()
            .map_err(|error| format!("it cannot be started: {error}"))?;
        let word = |option: &str, value: &Option<String>| value.as_ref().map(|value| format!("--{option}={value}"));
        let login = [word("username", &broker.peer.username), word("password", &broker.peer.password)];
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        Ok(Running { name: broker.name.clone(), child, address, log, login: login.into_iter().flatten().collect() })
    }

    /// An empty folder for a broker.
    pub(super) fn empty_folder(&self, name: &str) -> io::Result<PathBuf> {
        let folder = self.folder.join("run").join(name);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

impl Running {
    /// Waits until somebody listens.
    pub(super) fn wait(mut self) -> Result<Self, String> {
        let deadline = Instant::now() + START_PATIENCE;
        while TcpStream::connect_timeout(&self.address, Duration::from_secs(1)).is_err() {
            if Instant::now() > deadline || !matches!(self.child.try_wait(), Ok(None)) {
                return Err(format!("it does not serve {}{}", self.address, self.last_words()));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(self)
    }

    /// Runs the generator and returns what it printed, one JSON value a line.
    pub(super) fn measure(&self, bench: &Bench<'_>, command: &[String], pinned: bool) -> Result<Vec<Value>, String> {
        let (what, rest) = command.split_first().ok_or("nothing is to be measured")?;
        let child = on_core(&bench.generator, pinned.then_some(GENERATOR_CORE))
            .args([what, "--json", "--broker", &self.address.to_string(), "--pid", &self.child.id().to_string()])
            .args(&self.login)
            .args(rest)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{} cannot be started: {error}", bench.generator.display()))?;
        let pid = Pid::from_child(&child);
        let (done, output) = mpsc::channel();
        thread::spawn(move || done.send(child.wait_with_output()));
        let output = output.recv_timeout(MEASURE_PATIENCE).map_err(|_| {
            let _ = kill_process(pid, Signal::KILL);
            format!("it was not done after {} s", MEASURE_PATIENCE.as_secs())
        })?;
        let output = output.map_err(|error| format!("the generator cannot be waited for: {error}"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(format!("{}{}", said.trim_start_matches("midge-bench: "), self.last_words()));
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().map(|line| serde_json::from_str(line).map_err(|_| format!("not a measurement: {line}"))).collect()
    }

    /// Ends it with this signal and waits until it is gone.
    pub(super) fn end(mut self, signal: Signal) -> Result<(), String> {
        let ended = kill_process(Pid::from_child(&self.child), signal).map_err(io::Error::from);
        let ended = ended.and_then(|()| self.child.wait());
        ended.map(drop).map_err(|error| format!("{} cannot be ended: {error}", self.name))
    }

    /// The last line of its log, in parentheses.
    fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let line = text.lines().rev().find(|line| !line.trim().is_empty());
        line.map(|line| format!(" ({})", line.trim().chars().take(200).collect::<String>())).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A benchmark's broker has nothing to lose. Its children are found while it is still there to lead to them.
        let family = descendants(self.child.id());
        let _ = self.child.kill();
        let _ = self.child.wait();
        for process in family.into_iter().filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) {
            let _ = kill_process(process, Signal::KILL);
        }
    }
}

/// What a process started, and what that started.
fn descendants(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let children = tasks.map(|task| fs::read_to_string(task.path().join("children")).unwrap_or_default());
    let children: Vec<u32> = children
        .flat_map(|text| text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect();
    children.into_iter().flat_map(|child| [vec![child], descendants(child)].concat()).collect()
}

/// The program on one core, where there are two.
pub(super) fn on_core(program: &Path, core: Option<usize>) -> Command {
    match core {
        Some(core) if machine::cores() > core && is_program("taskset") => {
            let mut command = Command::new("taskset");
            command.args(["-c", &core.to_string()]).arg(program);
            command
        }
        _ => Command::new(program),
    }
}

/// Ports that nobody serves, while all three are held. They lie below those that systems give to clients: there thousands may linger
/// after a scenario with many connections, and some brokers take none that does.
fn free_ports() -> io::Result<[u16; 3]> {
    let first = FIRST_PORT + u16::try_from(std::process::id() % u32::from(PORTS)).unwrap_or(0);
    let candidates = (first..FIRST_PORT + PORTS).chain(FIRST_PORT..first);
    let mut free = candidates.filter_map(|port| Some((port, TcpListener::bind(("127.0.0.1", port)).ok()?)));
    let (one, two, three) = (free.next(), free.next(), free.next());
    match (one, two, three) {
        (Some((one, _one)), Some((two, _two)), Some((three, _three))) => Ok([one, two, three]),
        _ => Err(io::ErrorKind::AddrInUse.into()),
    }
}

/// A key and a certificate for `localhost`, unless they are there.
fn make_certificate(folder: &Path) -> Result<(), String> {
    if folder.join("certificate.pem").is_file() {
        return Ok(());
    }
    fs::create_dir_all(folder).map_err(|error| format!("{} cannot be made: {error}", folder.display()))?;
    let done = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-keyout", "key.pem", "-out", "certificate.pem"])
        .current_dir(folder)
        .output();
    match done {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("openssl made no certificate: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("openssl cannot be started: {error}")),
    }
}

const FIRST_PORT: u16 = 20_000;
const PORTS: u16 = 10_000;
pub(super) const BROKER_CORE: usize = 0;
const GENERATOR_CORE: usize = 1;
/// Some brokers run in virtual machines that take their time.
const START_PATIENCE: Duration = Duration::from_secs(120);
/// How long the generator may take in all.
const MEASURE_PATIENCE: Duration = Duration::from_secs(600);
