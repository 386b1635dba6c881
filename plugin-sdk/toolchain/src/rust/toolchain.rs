//! What compiles Rust plugins: found on this machine, or installed.
//!
//! `wasm32-unknown-unknown` needs a standard library for that target, and `wasm-component-ld`, which makes a component of
//! what it links. rustup brings both. Where rustup's server cannot be reached Debian's `rustc-web` compiles the standard
//! library from source, once, and rustup's or Debian's linker links.

use std::env;
use std::fmt;
use std::path::PathBuf;
use std::process::Command;

use super::compiler::{Compiler, DEBIAN_RUSTC, Linker, OLDEST_MINOR, debian_lld};
use super::{TARGET, cache};
use crate::packages::{self, is_program, said_by};
use crate::{Context, Examination, Finding, State, ToolchainError};

/// A way to compile Rust plugins here.
pub struct Toolchain {
    /// The version of another compiler than cargo's own, with the standard library as source.
    from_source: Option<String>,
    linker: Linker,
}

impl Toolchain {
    /// Finds the best way that this machine has: the target in the active toolchain, else rustup's download (unless
    /// `RUSTUP_AUTO_INSTALL=0`), else Debian's packages.
    ///
    /// # Errors
    /// Says which command installs what is missing.
    pub fn find(context: &Context<'_>) -> Result<Self, ToolchainError> {
        let active = Compiler::active().ok_or_else(|| missing("a Rust compiler", mend(None)))?;
        if (active.has_target() || (may_ask_rustup() && add_target(context) && active.has_target()))
            && let Some(linker) = Linker::find(&[&active])
        {
            return Ok(Self { from_source: None, linker });
        }
        let debian = debian(&active, context)?;
        let linker = linker_of_any(&active, &debian, context)?;
        Ok(Self { from_source: Some(debian.version), linker })
    }

    /// Makes cargo use it.
    pub fn apply(&self, cargo: &mut Command) {
        // Those of the person would go to plugins too, and RUSTFLAGS would replace ours.
        cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        if self.from_source.is_some() {
            // BOOTSTRAP: `-Zbuild-std` is asked of a stable cargo and compiler.
            cargo.env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=std,panic_abort");
        }
        cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", &self.linker.component_linker);
        let wasm_ld = self.linker.wasm_ld.display();
        cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", format!("-Clink-arg=--wasm-ld-path={wasm_ld}"));
    }

    /// Where a plugin is compiled, if not in its own folder: together with others, so that a standard library from source
    /// is compiled once and not for each of them. `CARGO_TARGET_DIR` has the last word.
    #[must_use]
    pub fn shared_directory(&self) -> Option<PathBuf> {
        if env::var_os("CARGO_TARGET_DIR").is_some() {
            return None;
        }
        let version = self.from_source.as_ref()?;
        Some(cache()?.join(format!("rust-{version}")))
    }
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let linker = self.linker.component_linker.display();
        if self.from_source.is_some() {
            write!(f, "compiled by Debian's {DEBIAN_RUSTC} (the first time takes minutes), linked by {linker}")
        } else {
            write!(f, "compiled by the active toolchain, linked by {linker}")
        }
    }
}

/// Looks for all of it, and installs nothing.
pub(super) fn examine() -> Examination {
    let active = Compiler::active();
    let debian = Compiler::debian();
    let cargo = said_by(Command::new("cargo").arg("--version")).map(|line| line.trim().to_owned());
    let target = match (&active, &debian) {
        (Some(active), _) if active.has_target() => Some(active.sysroot.display().to_string()),
        (Some(_), Some(debian)) => {
            Some(format!("compiled from source by Debian's rustc-web {}, once, which takes minutes", debian.version))
        }
        _ => None,
    };
    let compilers: Vec<&Compiler> = active.iter().chain(&debian).collect();
    let linker = Linker::find(&compilers).map(|linker| linker.component_linker.display().to_string());
    let findings = vec![
        Finding::new("cargo", cargo),
        Finding::new("rustc", active.as_ref().map(|active| active.version.clone())),
        Finding::new(format!("the standard library for {TARGET}"), target),
        Finding::new("wasm-component-ld and wasm-ld, which link components", linker),
    ];
    let is_missing = findings.iter().any(|finding| finding.state == State::Missing);
    Examination { mend: is_missing.then(|| mend(active.as_ref())), findings }
}

/// The one command after which plugins can be built.
fn mend(active: Option<&Compiler>) -> String {
    if active.is_none() {
        return "install Rust with rustup, then: rustup target add wasm32-unknown-unknown".to_owned();
    }
    if is_program("apt-get") && !may_ask_rustup() {
        let lld = debian_lld();
        return packages::command(&["rustc-web", "rust-web-src", "rust-web-llvm", &lld]);
    }
    format!("rustup target add {TARGET}")
}

fn missing(what: impl Into<String>, mend: String) -> ToolchainError {
    ToolchainError::Missing { what: what.into(), mend }
}

/// Debian's compiler with the source of its standard library, installed if need be.
fn debian(active: &Compiler, context: &Context<'_>) -> Result<Compiler, ToolchainError> {
    if let Some(compiler) = Compiler::debian() {
        return Ok(compiler);
    }
    let for_what = format!("the standard library for {TARGET} (it is not in {})", active.sysroot.display());
    install(&["rustc-web", "rust-web-src", "rust-web-llvm"], &for_what, context)?;
    let too_old =
        || missing(format!("Debian's rustc-web 1.{OLDEST_MINOR} or newer"), format!("rustup target add {TARGET}"));
    Compiler::debian().ok_or_else(too_old)
}

/// Prefers rustup's, which needs no further package.
fn linker_of_any(active: &Compiler, debian: &Compiler, context: &Context<'_>) -> Result<Linker, ToolchainError> {
    if let Some(linker) = Linker::find(&[active, debian]) {
        return Ok(linker);
    }
    install(&["rust-web-llvm"], "the linker of components", context)?;
    install(&[&debian_lld()], "wasm-ld", context)?;
    let nothing =
        || missing("wasm-component-ld or wasm-ld, although rust-web-llvm and lld are installed,", mend(Some(active)));
    Linker::find(&[active, debian]).ok_or_else(nothing)
}

fn install(debian_packages: &[&str], for_what: &str, context: &Context<'_>) -> Result<(), ToolchainError> {
    let by_hand = match context.may_install {
        true => packages::install(debian_packages, context.tell),
        false => Err(packages::command(debian_packages)),
    };
    by_hand.map_err(|command| missing(for_what, format!("rustup target add {TARGET}, or on Debian: {command}")))
}

fn may_ask_rustup() -> bool {
    env::var_os("RUSTUP_AUTO_INSTALL").is_none_or(|value| value != "0") && is_program("rustup")
}

/// Downloads the target. Not reaching the server is no failure: there is another way.
fn add_target(context: &Context<'_>) -> bool {
    (context.tell)(&format!("rustup target add {TARGET}"));
    let added = Command::new("rustup").args(["target", "add", TARGET]).status().is_ok_and(|status| status.success());
    if !added {
        (context.tell)("that did not succeed; trying Debian's packages");
    }
    added
}
