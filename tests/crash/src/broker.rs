//! The broker's process.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// A running broker; killed when dropped.
pub(crate) struct Broker {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From its start until it said that it is ready.
    pub(crate) ready_after: Duration,
}

impl Broker {
    /// Starts it on a free port with its data in `directory`.
    pub(crate) fn start(program: &Path, directory: &Path) -> Result<Self, String> {
        let config = directory.join("midge.toml");
        let text = format!(
            "[[listener]]\nname = \"tcp\"\naddress = \"127.0.0.1:0\"\n[admin]\nenabled = false\n[sys]\ninterval_s = 0\n\
             [limits]\nqueued_messages_max = 10000000\nqueued_bytes_max = \"8GiB\"\nin_flight_max = 100\n\
             [runtime]\ndata_dir = {:?}\n",
            directory.join("data")
        );
        std::fs::write(&config, text).map_err(|error| format!("{}: {error}", config.display()))?;
        let started = Instant::now();
        let mut child = Command::new(program)
            .arg("run")
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .env("MIDGE_LOG", "warn")
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let banner = BufReader::new(child.stdout.take().expect("standard output is piped"));
        let mut address = None;
        for line in banner.lines().map_while(Result::ok) {
            if let Some(rest) = line.strip_prefix("listening on mqtt://") {
                address = rest.split([' ', '/']).next().and_then(|text| text.parse().ok());
            }
            if line == "ready" {
                let address = address.ok_or("the broker names no listener")?;
                return Ok(Self { child, address, ready_after: started.elapsed() });
            }
        }
        let status = child.wait().map_err(|error| error.to_string())?;
        Err(format!("the broker ended with {status} before it was ready"))
    }

    /// Ends it as a crash does, and waits until it is gone.
    pub(crate) fn kill(mut self) -> Result<(), String> {
        kill_process(Pid::from_child(&self.child), Signal::KILL).map_err(|error| error.to_string())?;
        self.child.wait().map(drop).map_err(|error| error.to_string())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // One that has ended already is no error.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
