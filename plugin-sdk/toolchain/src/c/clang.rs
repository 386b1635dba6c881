//! The compiler: Debian's clang with wasi-libc, or a wasi-sdk that `WASI_SDK_PATH` names.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::bindings::NAME;
use crate::packages::{self, find_versioned, is_program, said_by};
use crate::{Context, Examination, Finding, ToolchainError};

/// A clang that compiles for WebAssembly, and what it links with.
pub(super) struct Clang {
    program: PathBuf,
    target: &'static str,
}

impl Clang {
    /// Finds it; installs it where that may be done.
    pub(super) fn find(context: &Context<'_>) -> Result<Self, ToolchainError> {
        let complete = || Parts::find().clang();
        if let Some(clang) = complete() {
            return Ok(clang);
        }
        if context.may_install {
            // What could not be installed is still missing below, and named with its command.
            let _ = packages::install(DEBIAN_PACKAGES, context.tell);
        }
        complete().ok_or_else(|| {
            let what = Parts::find().findings().into_iter().find(|finding| finding.state == crate::State::Missing);
            ToolchainError::Missing { what: what.map_or_else(|| "clang".to_owned(), |one| one.what), mend: mend() }
        })
    }

    /// Compiles and links everything into `module`. The stack lies first, so that running over its end traps and does not
    /// overwrite data.
    pub(super) fn command(&self, folder: &Path, build: &Path, sources: &[PathBuf], module: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command
            .current_dir(folder)
            .arg(format!("--target={}", self.target))
            .args(["-mexec-model=reactor", "-std=gnu17", "-Os", "-Wall", "-Wextra"])
            .args(["-Wl,--stack-first", "-Wl,-z,stack-size=131072", "-Wl,--strip-debug"])
            .arg("-I")
            .arg(build)
            .arg("-I")
            .arg(folder)
            .args(sources)
            .args(
                [format!("{NAME}.c"), format!("{NAME}_wasi.c"), format!("{NAME}_component_type.o")]
                    .map(|name| build.join(name)),
            )
            .arg("-o")
            .arg(module);
        command
    }
}

impl fmt::Display for Clang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {}", self.program.display(), self.target)
    }
}

/// What is needed, as far as it is here.
struct Parts {
    program: Option<PathBuf>,
    target: &'static str,
    linker: Option<PathBuf>,
    libc: Option<PathBuf>,
    builtins: Option<PathBuf>,
}

impl Parts {
    fn find() -> Self {
        let sdk = env::var_os("WASI_SDK_PATH").map(|sdk| Path::new(&sdk).join("bin/clang"));
        let program = sdk.filter(|clang| clang.is_file()).or_else(|| find_versioned("clang"));
        let mut parts = Self { program, target: TARGETS[0], linker: None, libc: None, builtins: None };
        for target in TARGETS {
            parts.target = target;
            parts.linker = parts.file("-print-prog-name=wasm-ld");
            parts.libc = parts.file("-print-file-name=crt1-reactor.o");
            parts.builtins = parts.file("-print-libgcc-file-name");
            if parts.libc.is_some() && parts.builtins.is_some() {
                break;
            }
        }
        parts
    }

    /// What the compiler says it would use, if that is there. It prints a name without a path for what it has not found.
    fn file(&self, question: &str) -> Option<PathBuf> {
        let mut command = Command::new(self.program.as_ref()?);
        let said = said_by(command.arg(format!("--target={}", self.target)).arg(question))?;
        Some(PathBuf::from(said.trim())).filter(|path| path.is_absolute() && path.is_file())
    }

    fn clang(self) -> Option<Clang> {
        let Self { program: Some(program), target, linker: Some(_), libc: Some(_), builtins: Some(_) } = self else {
            return None;
        };
        Some(Clang { program, target })
    }

    fn findings(&self) -> Vec<Finding> {
        let shown = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        vec![
            Finding::new("clang", shown(&self.program)),
            Finding::new("wasm-ld, which links WebAssembly", shown(&self.linker)),
            Finding::new("wasi-libc, the C library", shown(&self.libc)),
            Finding::new("compiler-rt's builtins for wasm32", shown(&self.builtins)),
        ]
    }
}

/// Looks for all of it, and installs nothing.
pub(super) fn examine() -> Examination {
    let findings = Parts::find().findings();
    let is_missing = findings.iter().any(|finding| finding.state == crate::State::Missing);
    Examination { mend: is_missing.then(mend), findings }
}

fn mend() -> String {
    match is_program("apt-get") {
        true => packages::command(DEBIAN_PACKAGES),
        false => "install a wasi-sdk (WebAssembly/wasi-sdk), then: export WASI_SDK_PATH=WHERE-IT-IS".to_owned(),
    }
}

/// Its name before and after there was a second WASI. Which of the two a libc is installed under differs.
const TARGETS: [&str; 2] = ["wasm32-wasi", "wasm32-wasip1"];
const DEBIAN_PACKAGES: &[&str] = &["clang", "lld", "wasi-libc", "libclang-rt-dev-wasm32"];
