//! A clean directory in which somebody follows a page of the manual, and types what stands there.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::page::Block;
use crate::support::PATIENCE;
use crate::support::program::{Ended, end_of};

/// The languages of plugins, each with the file that a plugin is written in.
pub(crate) const SOURCES: [(&str, &str); 5] =
    [("rust", "src/lib.rs"), ("c", "plugin.c"), ("js", "plugin.js"), ("ts", "plugin.ts"), ("python", "plugin.py")];

pub(crate) struct Desk {
    directory: TempDir,
    /// Where the next command is typed.
    folder: PathBuf,
    /// The language that is followed; what is about others is passed over.
    language: &'static str,
    until: Instant,
    /// The ports of the broker's listener and admin port.
    ports: (u16, u16),
    broker: Option<Broker>,
    /// What the commands since the last block of text have printed.
    printed: String,
    /// What was done, and how long it took.
    took: Vec<(&'static str, Duration)>,
}

impl Desk {
    /// A clean one, for somebody who writes in this language and has so much time.
    pub(crate) fn clean(language: &'static str, time: Duration) -> Self {
        let directory = TempDir::new().unwrap();
        let folder = directory.path().join("desk");
        fs::create_dir_all(directory.path().join("bin")).unwrap();
        fs::create_dir(&folder).unwrap();
        symlink(env!("CARGO_BIN_EXE_midge"), directory.path().join("bin/midge")).unwrap();
        let ports = free_ports();
        let until = Instant::now() + time;
        Self { directory, folder, language, until, ports, broker: None, printed: String::new(), took: Vec::new() }
    }

    /// Where the next command is typed.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Does all that the blocks say.
    pub(crate) fn follow(&mut self, blocks: &[Block]) {
        blocks.iter().for_each(|block| self.take(block));
    }

    /// Starts a broker with this configuration, which is `midge.toml` here.
    pub(crate) fn runs(&mut self, configuration: &str) {
        fs::write(self.folder.join("midge.toml"), self.complete(configuration)).unwrap();
        self.broker = Some(Broker::start(&mut self.command("exec midge run --config midge.toml")));
    }

    /// `midge`, to be run in the folder.
    pub(crate) fn midge(&self) -> Command {
        let mut command = self.command("exec midge \"$@\"");
        command.arg("midge");
        command
    }

    /// How long each kind of step took, in the order in which they came first.
    pub(crate) fn took(&self) -> Vec<(&'static str, Duration)> {
        let mut sums: Vec<(&'static str, Duration)> = Vec::new();
        for (step, took) in &self.took {
            match sums.iter_mut().find(|(known, _)| known == step) {
                Some((_, sum)) => *sum += *took,
                None => sums.push((step, *took)),
            }
        }
        sums
    }

    fn take(&mut self, block: &Block) {
        let is_for_others = block.value("lang").is_some_and(|language| language != self.language);
        let is_of_others = SOURCES.iter().any(|(name, _)| *name == block.language) && block.language != self.language;
        match block.language.as_str() {
            _ if is_for_others || is_of_others || block.has("no_run") => {}
            "sh" => self.type_in(block),
            "text" if block.has("example") => {}
            "text" if block.has("log") => self.expect_in_the_log(block),
            "text" => {
                let printed = std::mem::take(&mut self.printed);
                let missing = missing(&block.text, &printed);
                assert!(missing.is_none(), "{}: no {:?} in:\n{printed}", block.place, missing.unwrap_or_default());
            }
            "toml" if block.value("file").is_none() => self.read_configuration(block),
            _ => self.write(block),
        }
    }

    /// Writes a file, or finds that it is written.
    fn write(&self, block: &Block) {
        if block.has("new") {
            let (_, file) = SOURCES.iter().find(|(name, _)| *name == self.language).unwrap();
            let text = fs::read_to_string(self.folder.join(file)).unwrap();
            assert!(text.contains(&block.text), "{}: midge plugin new writes another {file}:\n{text}", block.place);
            return;
        }
        let file = block.value("file").unwrap_or_else(|| panic!("{}: what is it for?", block.place));
        let text = if file == "midge.toml" { self.complete(&block.text) } else { block.text.clone() };
        let path = self.folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A configuration, with ports that are free and a place for what the broker keeps.
    fn complete(&self, text: &str) -> String {
        let (port, admin) = self.ports;
        let data = self.directory.path().join("data");
        format!(
            "{text}\n[[listener]]\naddress = \"127.0.0.1:{port}\"\n[admin]\naddress = \"127.0.0.1:{admin}\"\n\
             [runtime]\ndata_dir = {data:?}\n[sys]\ninterval_s = 0\n"
        )
    }

    /// Has a configuration read, without loading what it names.
    fn read_configuration(&self, block: &Block) {
        let head = if block.has("allow") { "[[plugin]]\npath = \"my-plugin.wasm\"\n[plugin.allow]\n" } else { "" };
        let file = self.folder.join("part.toml");
        fs::write(&file, format!("{head}{}", block.text)).unwrap();
        let mut explain = self.command("midge config explain --config part.toml");
        let Ended { well, said, how } = end_of(&mut explain, PATIENCE);
        assert!(well, "{}: {how}:\n{said}", block.place);
        fs::remove_file(file).unwrap();
    }

    fn type_in(&mut self, block: &Block) {
        let script = self.as_typed_here(&block.text);
        let began = Instant::now();
        if script.starts_with("midge run ") && !script.contains("--check") {
            self.broker = Some(Broker::start(&mut self.command(&format!("exec {script}"))));
        } else {
            let left = self.until.saturating_duration_since(began);
            let whereabouts = self.directory.path().join("whereabouts");
            let mut command = self.command(&format!("set -e\n{script}pwd > {}", whereabouts.display()));
            let Ended { well, said, how } = end_of(&mut command, left);
            assert_eq!(well, !block.has("fails"), "{}: {how}, of what may take {left:.0?}:\n{said}", block.place);
            if well {
                self.folder = fs::read_to_string(&whereabouts).unwrap().trim_end().into();
            }
            self.printed.push_str(&said);
        }
        self.took.push((step(&script), began.elapsed()));
    }

    /// The commands, for this desk's language and ports.
    fn as_typed_here(&self, script: &str) -> String {
        let (_, file) = SOURCES.iter().find(|(name, _)| *name == self.language).unwrap();
        script
            .replace("--lang python", &format!("--lang {}", self.language))
            .replace(" plugin.py", &format!(" {file}"))
            .replace("mosquitto_pub ", &format!("mosquitto_pub -p {} ", self.ports.0))
    }

    /// A shell in the folder, with `midge` on its path. What plugins in Rust share is compiled where the bundled ones are.
    fn command(&self, script: &str) -> Command {
        let path = format!("{}:{}", self.directory.path().join("bin").display(), std::env::var("PATH").unwrap());
        let natively = if script.contains("cargo test") { "guests-native" } else { "guests-build" };
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(&self.folder).env("PATH", path).env("NO_COLOR", "1");
        command.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_MANIFEST_DIR")).join("target").join(natively));
        command
    }

    fn expect_in_the_log(&self, block: &Block) {
        let broker = self.broker.as_ref().unwrap_or_else(|| panic!("{}: no broker runs", block.place));
        let deadline = Instant::now() + PATIENCE;
        while let Some(missing) = missing(&block.text, &broker.log()) {
            assert!(Instant::now() < deadline, "{}: no {missing:?} in:\n{}", block.place, broker.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// What a step is called where its time is told.
fn step(script: &str) -> &'static str {
    let steps = [
        ("sed ", "change and reload"),
        ("plugin doctor", "doctor"),
        ("plugin new", "new"),
        ("plugin build", "build"),
        ("plugin test", "test"),
        ("midge run ", "broker"),
        ("mosquitto_pub", "clients"),
    ];
    steps.iter().find(|(text, _)| script.contains(text)).map_or("other", |(_, step)| step)
}

/// The first line that is not among those that were printed, in order; `…` stands for anything.
fn missing<'a>(expected: &'a str, printed: &str) -> Option<&'a str> {
    let mut lines = printed.lines();
    let fits = |line: &str, expected: &str| {
        let mut rest = Some(line);
        for part in expected.split('…').map(str::trim) {
            rest = rest.and_then(|rest| rest.split_once(part)).map(|(_, rest)| rest);
        }
        rest.is_some()
    };
    expected.lines().find(|expected| !expected.trim().is_empty() && !lines.any(|line| fits(line, expected)))
}

/// A broker that runs until the desk is cleared.
struct Broker {
    child: Child,
    said: Arc<Mutex<String>>,
}

impl Broker {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        listen(child.stdout.take().unwrap(), &said);
        listen(child.stderr.take().unwrap(), &said);
        let mut broker = Self { child, said };
        let deadline = Instant::now() + PATIENCE * 2;
        while !broker.log().lines().any(|line| line == "ready") {
            let has_ended = broker.child.try_wait().unwrap().is_some();
            assert!(!has_ended && Instant::now() < deadline, "the broker is not ready:\n{}", broker.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        broker
    }

    fn log(&self) -> String {
        self.said.lock().unwrap().clone()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(pipe: impl Read + Send + 'static, said: &Arc<Mutex<String>>) {
    let said = Arc::clone(said);
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let mut said = said.lock().unwrap();
            said.push_str(&line);
            said.push('\n');
        }
    });
}

/// Two ports that nobody listens on.
fn free_ports() -> (u16, u16) {
    let sockets = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [one, other] = sockets.map(|socket| socket.local_addr().unwrap().port());
    (one, other)
}

#[test]
fn a_line_of_text_is_found_with_what_it_leaves_out_and_in_order() {
    let printed = "my-auth.wasm: 17 KiB, exports authn\n3 passed, 0 failed\n";
    assert_eq!(missing("my-auth.wasm: … KiB, exports\n\n3 passed\n", printed), None);
    assert_eq!(missing("3 passed\nmy-auth\n", printed), Some("my-auth"));
    assert_eq!(missing("exports … KiB\n", printed), Some("exports … KiB"));
}
