//! What compiles guests: found on this machine, or installed.
//!
//! `wasm32-unknown-unknown` needs a standard library for that target, and `wasm-component-ld`, which makes a component of
//! what it links. rustup brings both. Where rustup's server cannot be reached Debian's `rustc-web` compiles the standard
//! library from source, once, and rustup's or Debian's linker links.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, ffi::OsString};

use crate::{Failure, packages};

/// The target guests are built for.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// The oldest compiler that guests are written for, as in `rust-version`.
const OLDEST_MINOR: u32 = 95;

const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_SYSROOT: &str = "/usr";
const DEBIAN_SOURCE: &str = "/usr/lib/rustlib/src/rust/library/std/Cargo.toml";

/// A way to compile guests here.
pub(crate) struct Toolchain {
    /// Another compiler than cargo's own, with the standard library as source.
    from_source: bool,
    linker: Linker,
}

impl Toolchain {
    /// Finds the best way that this machine has: the target in the active toolchain, else rustup's download (unless
    /// `RUSTUP_AUTO_INSTALL=0`), else Debian's packages.
    ///
    /// # Errors
    /// Says which command installs what is missing.
    pub(crate) fn find() -> Result<Self, Failure> {
        let active = Compiler::active()?;
        if (active.has_target() || (may_ask_rustup() && add_target() && active.has_target()))
            && let Some(linker) = Linker::find(&[&active])
        {
            return Ok(Self { from_source: false, linker });
        }
        let debian = debian(&active)?;
        Ok(Self { from_source: true, linker: Linker::of_any(&active, &debian)? })
    }

    /// Makes cargo use it.
    pub(crate) fn apply(&self, cargo: &mut Command) {
        // Those of the person would go to guests too, and RUSTFLAGS would replace ours.
        cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        if self.from_source {
            // BOOTSTRAP: `-Zbuild-std` is asked of a stable cargo and compiler.
            cargo.env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=std,panic_abort");
        }
        cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", &self.linker.component_linker);
        let wasm_ld = self.linker.wasm_ld.display();
        cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", format!("-Clink-arg=--wasm-ld-path={wasm_ld}"));
    }
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let linker = self.linker.component_linker.display();
        if self.from_source {
            write!(f, "compiled by Debian's {DEBIAN_RUSTC} (the first time takes minutes), linked by {linker}")
        } else {
            write!(f, "compiled by the active toolchain, linked by {linker}")
        }
    }
}

/// An installed rustc.
struct Compiler {
    sysroot: PathBuf,
    host: String,
    /// The 95 of 1.95.0.
    minor: u32,
}

impl Compiler {
    /// The compiler that cargo uses here.
    fn active() -> Result<Self, Failure> {
        let rustc = env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
        Self::at(Path::new(&rustc)).ok_or_else(|| Failure::new(format!("{} does not run", rustc.display())))
    }

    fn at(rustc: &Path) -> Option<Self> {
        let sysroot = said_by(Command::new(rustc).args(["--print", "sysroot"]))?.trim().into();
        let version = said_by(Command::new(rustc).arg("-vV"))?;
        let fact = |name: &str| version.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        let minor = fact("release: ")?.split('.').nth(1)?.parse().ok()?;
        Some(Self { sysroot, host: fact("host: ")?, minor })
    }

    fn has_target(&self) -> bool {
        let libraries = self.sysroot.join("lib/rustlib").join(TARGET).join("lib");
        fs::read_dir(libraries).is_ok_and(|mut entries| entries.next().is_some())
    }

    /// The tools that came with it.
    fn tools(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib").join(&self.host).join("bin")
    }
}

/// The two programs that make a component of object files.
struct Linker {
    component_linker: PathBuf,
    wasm_ld: PathBuf,
}

impl Linker {
    /// Each of the two from the first compiler that brings it; `wasm-ld` also from the PATH.
    fn find(compilers: &[&Compiler]) -> Option<Self> {
        let first = |program: &str| compilers.iter().map(|one| one.tools().join(program)).find(|path| path.is_file());
        Some(Self {
            component_linker: first("wasm-component-ld")?,
            wasm_ld: first("gcc-ld/wasm-ld").or_else(wasm_ld_on_path)?,
        })
    }

    /// Prefers rustup's, which needs no further package.
    fn of_any(active: &Compiler, debian: &Compiler) -> Result<Self, Failure> {
        if let Some(linker) = Self::find(&[active, debian]) {
            return Ok(linker);
        }
        // rust-web-llvm has the component linker; its rust-lld is a link to the program of the package that has wasm-ld.
        install(&["rust-web-llvm"], "the linker of components")?;
        let lld = fs::read_link("/usr/bin/rust-lld").unwrap_or_else(|_| "lld".into());
        install(&[&lld.to_string_lossy()], "wasm-ld")?;
        Self::find(&[active, debian]).ok_or_else(|| {
            Failure::new("wasm-component-ld or wasm-ld is missing although rust-web-llvm and lld are installed")
        })
    }
}

/// `wasm-ld`, or Debian's `wasm-ld-22`, whichever LLVM it is of.
fn wasm_ld_on_path() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).find_map(|directory| {
        let names = fs::read_dir(&directory).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.filter(|name| name == "wasm-ld" || name.starts_with("wasm-ld-")).max().map(|name| directory.join(name))
    })
}

/// Debian's compiler with the source of its standard library, installed if need be.
fn debian(active: &Compiler) -> Result<Compiler, Failure> {
    let usable = || {
        let compiler =
            Compiler::at(Path::new(DEBIAN_RUSTC)).filter(|found| found.sysroot == Path::new(DEBIAN_SYSROOT))?;
        (compiler.minor >= OLDEST_MINOR && Path::new(DEBIAN_SOURCE).is_file()).then_some(compiler)
    };
    if let Some(compiler) = usable() {
        return Ok(compiler);
    }
    let for_what = format!("guests ({TARGET} is not in {})", active.sysroot.display());
    install(&["rustc-web", "rust-web-src", "rust-web-llvm"], &for_what)?;
    usable().ok_or_else(|| {
        Failure::new(format!("Debian's rustc-web is older than 1.{OLDEST_MINOR}; run: rustup target add {TARGET}"))
    })
}

fn install(debian_packages: &[&str], for_what: &str) -> Result<(), Failure> {
    packages::install(debian_packages).map_err(|command| {
        Failure::new(format!("{for_what}: run `rustup target add {TARGET}`, or on Debian: {command}"))
    })
}

fn may_ask_rustup() -> bool {
    env::var_os("RUSTUP_AUTO_INSTALL").is_none_or(|value| value != "0") && packages::is_program("rustup")
}

/// Downloads the target. Not reaching the server is no failure: there is another way.
fn add_target() -> bool {
    println!("guests: rustup target add {TARGET}");
    let added = Command::new("rustup").args(["target", "add", TARGET]).status().is_ok_and(|status| status.success());
    if !added {
        println!("guests: that did not succeed; trying Debian's packages");
    }
    added
}

/// What a command prints, if it succeeds.
fn said_by(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}
