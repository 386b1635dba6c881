//! `midge plugin`: making, looking at and trying plugins, without a broker, and looking after those of a running one.

mod bench;
mod build;
mod check;
mod component;
mod doctor;
mod new;
mod run;
mod running;
mod style;
mod test;
mod wit;

use std::fmt;
use std::io;
use std::path::PathBuf;

use clap::Subcommand;
use midge_host::CallError;
use midge_plugin_test::Error;
use midge_server::config::Bundled;
use midge_toolchain::ToolchainError;

/// A subcommand each, in a file of its name; those that ask a running broker are in `running`.
#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// Make a folder with a plugin to begin with: source, tests, and what builds it
    #[command(after_help = "Examples:\n  midge plugin new my-auth --lang rust\n  \
                            midge plugin new my-access --lang c --hooks authn,authz")]
    New(new::New),
    /// Make a component of a plugin's folder: NAME.wasm in it
    #[command(after_help = "Examples:\n  midge plugin build\n  midge plugin build my-auth --watch")]
    Build(build::Build),
    /// Say what is needed to build plugins here, and the command that brings what is missing
    #[command(after_help = "Examples:\n  midge plugin doctor\n  midge plugin doctor --lang c")]
    Doctor(doctor::Doctor),
    /// Measure what a component costs: to compile, to start, and per call
    #[command(after_help = "Examples:\n  midge plugin bench my-auth.wasm\n  \
                            midge plugin bench my-acl.wasm --hook authz --calls 100000 --json\n\n\
        Each call asks the same: user alice with password secret, the topic bench/topic, a payload of 200 bytes, the address \
        127.0.0.1, GET /.")]
    Bench(bench::Bench),
    /// Say what a component is: its hooks, what it wants and is granted; 1 if a broker could not load it
    #[command(after_help = "Examples:\n  midge plugin check my-auth.wasm\n  \
                            midge plugin check my-auth.wasm --config-file midge.toml\n  \
                            midge plugin check bundled:acl-file --json")]
    Check(check::Check),
    /// Call one function of a component: JSON in, JSON out, its log on standard error; 1 if it fails
    #[command(after_help = "Examples:\n  \
        midge plugin run my-auth.wasm authenticate '{\"username\": \"alice\", \"password\": \"secret\"}'\n  \
        midge plugin run my-auth.wasm authenticate '{\"username\": \"alice\"}' \\\n      \
            --config url=http://127.0.0.1:8080/auth --allow http=127.0.0.1:8080\n  \
        midge plugin run my-acl.wasm authorize-publish '{\"principal\": \"alice\", \"topic\": \"a/b\", \"qos\": 1}'\n  \
        midge plugin run my-sink.wasm deliver '[{\"topic\": \"a/b\", \"payload\": \"21.5\"}]'\n\n\
        What is left out of the input has a default. plugin-sdk/testkit/README.md says how every kind of value is written.")]
    Run(run::Run),
    /// Run the tests of fixtures, which say what a component must answer; 1 if one fails
    #[command(after_help = "Examples:\n  midge plugin test my-auth.wasm fixtures/*.toml\n\n\
        A fixture:\n  config = { users = [\"alice\"] }\n\n  [[test]]\n  hook = \"authenticate\"\n  \
        input = { username = \"alice\", password = \"secret\" }\n  verdict = \"allow\"\n\n\
        plugin-sdk/testkit/README.md has all of the format.")]
    Test(test::Test),
    /// Print the plugin contract, or write its files: all that a plugin in any language is built against
    #[command(after_help = "Examples:\n  midge plugin wit > midge.wit\n  midge plugin wit --out wit/deps/midge-plugin")]
    Wit(wit::Wit),
    /// List the plugins of a running broker, a line each
    #[command(after_help = "Example:\n  midge plugin list --config midge.toml")]
    List(running::List),
    /// Show all about a plugin of a running broker: counters, queues, and the generation on trial with its disagreements
    #[command(after_help = "Example:\n  midge plugin status --config midge.toml acl-file")]
    Status(running::Status),
    /// Load a plugin of a running broker anew, as the configuration has it now. No client is disconnected; the old generation
    /// stands by and comes back if the new one does worse
    #[command(after_help = "Examples:\n  midge plugin reload --config midge.toml acl-file\n  \
                            midge plugin reload --config midge.toml acl-file --canary 10\n  \
                            midge plugin reload --config midge.toml acl-file --shadow")]
    Reload(running::Reload),
    /// Have a generation that is on trial take the old one's place
    #[command(after_help = "Example:\n  midge plugin promote --config midge.toml acl-file")]
    Promote(running::Decide),
    /// Take a generation that is on trial out
    #[command(after_help = "Example:\n  midge plugin abort --config midge.toml acl-file")]
    Abort(running::Decide),
    /// Have a running broker forget what plugins said of a principal: its clients are disconnected and authenticate anew
    #[command(after_help = "Examples:\n  midge plugin revoke --config midge.toml alice\n  \
                            midge plugin revoke --config midge.toml alice --only-authorization")]
    Revoke(running::Revoke),
}

/// Why a subcommand did not do what it should.
#[derive(Debug)]
pub(crate) enum PluginError {
    /// A file cannot be read or written.
    File { file: PathBuf, error: io::Error },
    /// Standard output cannot be written.
    Print(io::Error),
    /// The plugin was not made or built.
    Toolchain(ToolchainError),
    /// Plugins in this language cannot be built here; what is missing stands above.
    Incomplete(&'static str),
    /// An argument says nothing that could be done: which, and what would be right.
    Argument { argument: String, reason: String },
    /// There is no such bundled plugin.
    Bundled(String),
    /// The component, or the call, is none.
    Plugin(Error),
    /// The function was called and failed; how, stands above.
    Failed,
    /// Some tests failed; which, stands above.
    Tests { failed: usize },
    /// A running broker did not do it.
    Running(running::RunningError),
}

impl PluginCommand {
    /// Does what the command line says.
    pub(crate) fn perform(&self, bundled: Bundled) -> Result<(), PluginError> {
        match self {
            Self::New(new) => new.perform(),
            Self::Build(build) => build.perform(),
            Self::Doctor(doctor) => doctor.perform(),
            Self::Bench(bench) => bench.perform(bundled),
            Self::Check(check) => check.perform(bundled),
            Self::Run(run) => run.perform(bundled),
            Self::Test(test) => test.perform(bundled),
            Self::Wit(wit) => wit.perform(),
            Self::List(list) => Ok(list.perform()?),
            Self::Status(status) => Ok(status.perform()?),
            Self::Reload(reload) => Ok(reload.perform()?),
            Self::Promote(decide) => Ok(decide.promote()?),
            Self::Abort(decide) => Ok(decide.abort()?),
            Self::Revoke(revoke) => Ok(revoke.perform()?),
        }
    }
}

impl fmt::Display for PluginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running(error) => error.fmt(f),
            Self::File { file, error } => write!(f, "{}: {error}", file.display()),
            Self::Print(error) => write!(f, "standard output cannot be written: {error}"),
            Self::Toolchain(error) => error.fmt(f),
            Self::Incomplete(language) => write!(f, "plugins in {language} cannot be built here yet"),
            Self::Argument { argument, reason } => write!(f, "{argument}: {reason}"),
            Self::Bundled(reason) => f.write_str(reason),
            Self::Plugin(Error::Call(error @ CallError::UnknownFunction { asked, .. })) => {
                let function = asked.rsplit('.').next().unwrap_or_default();
                match wit::hook_of(function) {
                    Some(hook) => write!(f, "{error}; {function} is of the hook {hook}, which it does not export"),
                    None => error.fmt(f),
                }
            }
            Self::Plugin(error) => error.fmt(f),
            Self::Failed => f.write_str("the plugin failed"),
            Self::Tests { failed: 1 } => f.write_str("a test failed"),
            Self::Tests { failed } => write!(f, "{failed} tests failed"),
        }
    }
}

impl From<ToolchainError> for PluginError {
    fn from(error: ToolchainError) -> Self {
        Self::Toolchain(error)
    }
}

impl From<Error> for PluginError {
    fn from(error: Error) -> Self {
        Self::Plugin(error)
    }
}

impl From<running::RunningError> for PluginError {
    fn from(error: running::RunningError) -> Self {
        Self::Running(error)
    }
}
