//! The broker's process.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Options;
use crate::power::{Disk, Mood};
use crate::random::Random;

/// Where a broker lives: its program, its files, its disk.
pub(crate) struct Home {
    program: PathBuf,
    directory: PathBuf,
    /// None where only the process is killed.
    disk: Option<Disk>,
}

/// A running broker; killed when dropped.
pub(crate) struct Broker {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From its start until it said that it is ready.
    pub(crate) ready_after: Duration,
}

impl Home {
    /// In an empty directory. The library is what plays a loss of power at each kill.
    pub(crate) fn new(options: &Options, directory: &Path) -> Result<Self, String> {
        let Options { broker, power_loss, durability, .. } = options;
        let data = directory.join("data");
        let store = durability.as_ref().map(|level| format!("[store]\ndurability = {level:?}\n")).unwrap_or_default();
        let text = format!(
            "[[listener]]\nname = \"tcp\"\naddress = \"127.0.0.1:0\"\n[admin]\nenabled = false\n[sys]\ninterval_s = 0\n\
             [limits]\nqueued_messages_max = 10000000\nqueued_bytes_max = \"8GiB\"\nin_flight_max = 100\n\
             [runtime]\ndata_dir = {data:?}\n{store}"
        );
        let config = directory.join("midge.toml");
        fs::write(&config, text).map_err(|error| format!("{}: {error}", config.display()))?;
        let disk = power_loss.as_ref().map(|library| {
            Disk::new(library, &data, &directory.join("disk"))
                .map_err(|error| format!("{}: {error}", library.display()))
        });
        Ok(Self { program: broker.clone(), directory: directory.to_owned(), disk: disk.transpose()? })
    }

    /// Starts the broker and waits until it serves.
    pub(crate) fn start(&mut self) -> Result<Broker, String> {
        let started = Instant::now();
        let mut child = self.spawn()?;
        let banner = BufReader::new(child.stdout.take().expect("standard output is piped"));
        let mut address = None;
        for line in banner.lines().map_while(Result::ok) {
            if let Some(rest) = line.strip_prefix("listening on mqtt://") {
                address = rest.split([' ', '/']).next().and_then(|text| text.parse().ok());
            }
            if line == "ready" {
                let address = address.ok_or("the broker names no listener")?;
                return Ok(Broker { child, address, ready_after: started.elapsed() });
            }
        }
        let status = child.wait().map_err(|error| error.to_string())?;
        Err(format!("the broker ended with {status} before it was ready"))
    }

    /// Starts the broker and kills it that soon, ready or not.
    pub(crate) fn start_in_vain(&mut self, after: Duration) -> Result<(), String> {
        let child = self.spawn()?;
        std::thread::sleep(after);
        end(child)
    }

    fn spawn(&mut self) -> Result<Child, String> {
        let log = File::options().create(true).append(true).open(self.log());
        let log = log.map_err(|error| format!("{}: {error}", self.log().display()))?;
        let mut command = Command::new(&self.program);
        command.arg("run").arg("--config").arg(self.directory.join("midge.toml"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).env("MIDGE_LOG", "info");
        if let Some(disk) = &mut self.disk {
            disk.watch(&mut command).map_err(|error| format!("the disk cannot be watched: {error}"))?;
        }
        command.spawn().map_err(|error| format!("{}: {error}", self.program.display()))
    }

    /// What the kill does to the disk.
    pub(crate) fn lose_power(&mut self, random: &mut Random) -> Result<Option<Mood>, String> {
        self.disk.as_mut().map(|disk| disk.cut(random)).transpose()
    }

    /// Whether what is not synced may be lost.
    pub(crate) fn loses_power(&self) -> bool {
        self.disk.is_some()
    }

    /// The last lines that the broker wrote to its log.
    pub(crate) fn log_tail(&self) -> String {
        let text = fs::read(self.log()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n    ")
    }

    fn log(&self) -> PathBuf {
        self.directory.join("broker.log")
    }
}

impl Broker {
    /// Ends it as a crash does, and waits until it is gone.
    pub(crate) fn kill(&mut self) -> Result<(), String> {
        kill_and_wait(&mut self.child)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // One that has ended already is no error.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn end(mut child: Child) -> Result<(), String> {
    kill_and_wait(&mut child)
}

fn kill_and_wait(child: &mut Child) -> Result<(), String> {
    if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
        return Err(format!("the broker had ended with {status} before it was killed"));
    }
    kill_process(Pid::from_child(child), Signal::KILL).map_err(|error| error.to_string())?;
    child.wait().map(drop).map_err(|error| error.to_string())
}

const TAIL_LINES: usize = 30;
