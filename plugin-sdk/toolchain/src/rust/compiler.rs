//! The compilers and linkers that a machine may have.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::TARGET;
use crate::packages::{find_versioned, said_by};

/// An installed rustc.
pub(super) struct Compiler {
    pub(super) sysroot: PathBuf,
    pub(super) version: String,
    host: String,
    /// The 95 of 1.95.0.
    minor: u32,
}

impl Compiler {
    /// The compiler that cargo uses here.
    pub(super) fn active() -> Option<Self> {
        let rustc = env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
        Self::at(Path::new(&rustc))
    }

    /// Debian's compiler, if it is recent enough and the source of its standard library is there.
    pub(super) fn debian() -> Option<Self> {
        let compiler = Self::at(Path::new(DEBIAN_RUSTC)).filter(|found| found.sysroot == Path::new(DEBIAN_SYSROOT))?;
        (compiler.minor >= OLDEST_MINOR && Path::new(DEBIAN_SOURCE).is_file()).then_some(compiler)
    }

    fn at(rustc: &Path) -> Option<Self> {
        let sysroot = said_by(Command::new(rustc).args(["--print", "sysroot"]))?.trim().into();
        let version = said_by(Command::new(rustc).arg("-vV"))?;
        let fact = |name: &str| version.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        let version = fact("release: ")?;
        let minor = version.split('.').nth(1)?.parse().ok()?;
        Some(Self { sysroot, host: fact("host: ")?, version, minor })
    }

    /// Whether the standard library for the plugins' target is there.
    pub(super) fn has_target(&self) -> bool {
        let libraries = self.sysroot.join("lib/rustlib").join(TARGET).join("lib");
        fs::read_dir(libraries).is_ok_and(|mut entries| entries.next().is_some())
    }

    /// The tools that came with it.
    fn tools(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib").join(&self.host).join("bin")
    }
}

/// The two programs that make a component of object files.
pub(super) struct Linker {
    pub(super) component_linker: PathBuf,
    pub(super) wasm_ld: PathBuf,
}

impl Linker {
    /// Each of the two from the first compiler that brings it. Else `wasm-ld` of the LLVM that Debian's compiler is made
    /// with, for an older one does not read its objects, else whichever is on the PATH.
    pub(super) fn find(compilers: &[&Compiler]) -> Option<Self> {
        let first = |program: &str| compilers.iter().map(|one| one.tools().join(program)).find(|path| path.is_file());
        let wasm_ld = || first("gcc-ld/wasm-ld").or_else(debian_wasm_ld).or_else(|| find_versioned("wasm-ld"));
        Some(Self { component_linker: first("wasm-component-ld")?, wasm_ld: wasm_ld()? })
    }
}

/// The package with the linker that belongs to Debian's compiler: `rust-lld` of `rust-web-llvm` is a link to its program.
pub(super) fn debian_lld() -> String {
    let lld = fs::read_link("/usr/bin/rust-lld").ok();
    lld.and_then(|lld| Some(lld.file_name()?.to_string_lossy().into_owned())).unwrap_or_else(|| "lld".into())
}

fn debian_wasm_ld() -> Option<PathBuf> {
    let number = debian_lld().strip_prefix("lld-")?.to_owned();
    Some(PathBuf::from(format!("/usr/bin/wasm-ld-{number}"))).filter(|path| path.is_file())
}

/// The oldest compiler that plugins are written for, as in `rust-version`.
pub(super) const OLDEST_MINOR: u32 = 95;
pub(super) const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_SYSROOT: &str = "/usr";
const DEBIAN_SOURCE: &str = "/usr/lib/rustlib/src/rust/library/std/Cargo.toml";
