//! `midge plugin list`, `status`, `reload`, `promote`, `abort` and `revoke`: asked of a running broker by its admin port.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use midge_server::config::{Config, ConfigError};

/// Where the broker is: the admin port of the configuration, unless said.
#[derive(Debug, Args)]
pub(crate) struct Broker {
    /// The admin port of the broker, instead of the configuration's
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
    /// A file with the admin port's token, instead of the configuration's
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The configuration of the broker; without one, the default's
    #[arg(long, short, value_name = "FILE", env = "MIDGE_CONFIG")]
    config: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    broker: Broker,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// The plugin; unless said, each
    name: Option<String>,
    #[command(flatten)]
    broker: Broker,
}

#[derive(Debug, Args)]
pub(crate) struct Reload {
    /// The plugin
    name: String,
    /// Ask the new generation about this part of the clients only, chosen by their client ids, until it is promoted or aborted
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100), conflicts_with = "shadow")]
    canary: Option<u8>,
    /// Ask the new generation too, obey the old one, and list where they disagree, until it is promoted or aborted
    #[arg(long)]
    shadow: bool,
    #[command(flatten)]
    broker: Broker,
}

#[derive(Debug, Args)]
pub(crate) struct Decide {
    /// The plugin
    name: String,
    #[command(flatten)]
    broker: Broker,
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The stable name of the user or device, as the authenticator gave it
    principal: String,
    /// Only ask again what its clients may do; they stay connected
    #[arg(long)]
    only_authorization: bool,
    #[command(flatten)]
    broker: Broker,
}

/// Why a running broker did not do it.
#[derive(Debug)]
pub(crate) enum RunningError {
    /// The configuration, which names the admin port, cannot be used.
    Config(ConfigError),
    /// The configuration has no admin port.
    NoAdminPort,
    /// The token's file cannot be read.
    Token { file: PathBuf, error: io::Error },
    /// This is no name of a plugin.
    Name(String),
    /// Nobody answers there, or nobody who speaks HTTP.
    Connect { address: SocketAddr, error: io::Error },
    /// The broker says no.
    Refused(String),
    /// Standard output cannot be written.
    Print(io::Error),
}

impl List {
    pub(super) fn perform(&self) -> Result<(), RunningError> {
        self.broker.ask("GET", "/control/plugins")
    }
}

impl Status {
    pub(super) fn perform(&self) -> Result<(), RunningError> {
        match &self.name {
            None => self.broker.ask("GET", "/control/plugins?all=true"),
            Some(name) => self.broker.ask("GET", &format!("/control/plugins/{}", checked(name)?)),
        }
    }
}

impl Reload {
    pub(super) fn perform(&self) -> Result<(), RunningError> {
        let how = match (self.canary, self.shadow) {
            (Some(percent), _) => format!("?canary={percent}"),
            (None, true) => "?shadow=true".to_owned(),
            (None, false) => String::new(),
        };
        self.broker.ask("POST", &format!("/control/plugins/{}/reload{how}", checked(&self.name)?))
    }
}

impl Decide {
    pub(super) fn promote(&self) -> Result<(), RunningError> {
        self.broker.ask("POST", &format!("/control/plugins/{}/promote", checked(&self.name)?))
    }

    pub(super) fn abort(&self) -> Result<(), RunningError> {
        self.broker.ask("POST", &format!("/control/plugins/{}/abort", checked(&self.name)?))
    }
}

impl Revoke {
    pub(super) fn perform(&self) -> Result<(), RunningError> {
        let scope = if self.only_authorization { "authorization" } else { "authentication" };
        self.broker.ask("POST", &format!("/control/revoke?principal={}&scope={scope}", escaped(&self.principal)))
    }
}

impl Broker {
    /// Asks, and prints the answer.
    fn ask(&self, method: &str, path: &str) -> Result<(), RunningError> {
        let (address, token) = self.whereabouts()?;
        let accept = if self.json { "application/json" } else { "text/plain" };
        let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nMidge-Admin: 1\r\nAccept: {accept}\r\n{token}\
             Content-Length: 0\r\nConnection: close\r\n\r\n"
        );
        let answer = exchange(address, &request).map_err(|error| RunningError::Connect { address, error })?;
        if !(200..300).contains(&answer.status) {
            return Err(RunningError::Refused(answer.body.trim_end().to_owned()));
        }
        let mut out = io::stdout().lock();
        let newline = if answer.body.ends_with('\n') { "" } else { "\n" };
        write!(out, "{}{newline}", answer.body).map_err(RunningError::Print)
    }

    fn whereabouts(&self) -> Result<(SocketAddr, Option<String>), RunningError> {
        let config = match self.admin {
            Some(_) => None,
            None => Some(Config::load(self.config.as_deref(), &[]).map_err(RunningError::Config)?.admin),
        };
        if config.as_ref().is_some_and(|admin| !admin.enabled) {
            return Err(RunningError::NoAdminPort);
        }
        let token_file = self.token_file.clone().or_else(|| config.as_ref()?.token_file.clone());
        let token = token_file.map(read_token).transpose()?;
        let address = self.admin.or(config.map(|admin| admin.address));
        Ok((address.ok_or(RunningError::NoAdminPort)?, token))
    }
}

fn read_token(file: PathBuf) -> Result<String, RunningError> {
    match std::fs::read_to_string(&file) {
        Ok(text) => Ok(text.lines().next().unwrap_or_default().trim().to_owned()),
        Err(error) => Err(RunningError::Token { file, error }),
    }
}

/// A name of a plugin has nothing in it that means anything in a request.
fn checked(name: &str) -> Result<&str, RunningError> {
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if is_name { Ok(name) } else { Err(RunningError::Name(name.to_owned())) }
}

/// A text as the value of a query.
fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

struct Answer {
    status: u16,
    body: String,
}

/// One request and its whole answer. The admin port closes after it, so that the end is the end of the stream.
fn exchange(address: SocketAddr, request: &str) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, CONNECT_MAX)?;
    // A reload may compile for a while before it answers.
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes)?;
    let text =
        String::from_utf8(bytes).map_err(|_| io::Error::other("what answers there is no admin port of midge"))?;
    let no_http = || io::Error::other("what answers there is no admin port of midge");
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(no_http)?;
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok()).ok_or_else(no_http)?;
    Ok(Answer { status, body: body.to_owned() })
}

impl fmt::Display for RunningError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => crate::cli::fmt_config(error, f),
            Self::NoAdminPort => f.write_str("the configuration has no admin port (admin.enabled = false)"),
            Self::Token { file, error } => write!(f, "the token in {} cannot be read: {error}", file.display()),
            Self::Name(name) => {
                write!(f, "{name:?} is no name of a plugin; `midge plugin list` shows those that there are")
            }
            Self::Connect { address, error } => write!(
                f,
                "the admin port {address} does not answer: {error}; is the broker running, and is it the one of this \
                 configuration (--config FILE, --admin ADDRESS)?"
            ),
            Self::Refused(what) => f.write_str(what),
            Self::Print(error) => write!(f, "standard output cannot be written: {error}"),
        }
    }
}

const CONNECT_MAX: Duration = Duration::from_secs(5);
const ANSWER_MAX: Duration = Duration::from_secs(120);
const ANSWER_BYTES_MAX: u64 = 64 << 20;
