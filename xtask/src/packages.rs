//! System packages that a command needs: looked for, installed on Debian as root, else named with the exact command.

use midge_toolchain::packages::{install, is_program};

use crate::Failure;

/// A program that must be on the PATH, and Debian's package that brings it.
pub(crate) struct Need {
    pub(crate) program: &'static str,
    pub(crate) package: &'static str,
}

/// What the C parts of the broker's dependencies (its allocator, its cryptography) are built with.
pub(crate) const FOR_BUILD: &[Need] =
    &[Need { program: "cc", package: "gcc" }, Need { program: "make", package: "make" }];

/// What the end-to-end tests drive the broker with: clients nobody here wrote.
pub(crate) const FOR_TESTS: &[Need] = &[
    Need { program: "mosquitto_pub", package: "mosquitto-clients" },
    Need { program: "mosquitto_passwd", package: "mosquitto" },
    Need { program: "python3", package: "python3" },
    Need { program: "node", package: "nodejs" },
    Need { program: "npm", package: "npm" },
    Need { program: "openssl", package: "openssl" },
];

/// What counts instructions.
pub(crate) const FOR_PATHS: &[Need] = &[Need { program: "valgrind", package: "valgrind" }];

/// The peer that the benchmarks measure beside Midge.
pub(crate) const FOR_BENCH: &[Need] = &[Need { program: "mosquitto", package: "mosquitto" }];

/// Makes sure that every program is there.
///
/// # Errors
/// Names the missing programs and the command that installs them, where that could not be done here.
pub(crate) fn ensure(needs: &[Need]) -> Result<(), Failure> {
    let missing: Vec<&Need> = needs.iter().filter(|need| !is_program(need.program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let programs = missing.iter().map(|need| need.program).collect::<Vec<_>>().join(", ");
    install(&missing.iter().map(|need| need.package).collect::<Vec<_>>(), &say)
        .map_err(|command| Failure::new(format!("missing: {programs}. Install with: {command}")))
}

/// Tells the person at the keyboard what is going on.
pub(crate) fn say(line: &str) {
    println!("{line}");
}
