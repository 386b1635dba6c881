//! What the subscription index costs: `cargo bench -p midge-core --bench index`.
//!
//! Criterion times single operations at several sizes (`-- match` runs only those whose name contains that). What it
//! cannot express comes after it as tables, each line measured in a process of its own so that memory is its own too:
//! rates and bytes a filter (`-- bytes`), matching while others subscribe (`-- churn`), worst cases (`-- worst`).
//!
//! Times are CPU seconds of the measuring thread, so other work on the machine matters little; memory is what the
//! operating system counts as resident, with the allocator that the broker has.

#![allow(clippy::disallowed_methods, reason = "a benchmark may look at the clock and start threads")]
#![allow(clippy::print_stdout, reason = "a command speaks to the person who typed it")]
#![allow(clippy::unwrap_used, reason = "what fails here is the benchmark")]

mod churn;
mod client;
mod memory;
mod mixes;
mod timing;
mod worst;

// The index is nobody's business outside the crate, so it is compiled in here too rather than made public.
#[path = "../../src"]
#[allow(dead_code, unused_imports, unreachable_pub, reason = "only part of it is measured")]
mod code {
    pub(crate) mod subscriptions;
}

pub(crate) use code::subscriptions;
// What the index needs of the crate.
pub(crate) use sharing::{SharedStrategy, Sharing};

#[path = "../../src/sharing.rs"]
#[allow(unreachable_pub, reason = "public there")]
mod sharing;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *arguments.as_slice() {
        ["line", table, ref rest @ ..] => line(table, rest),
        ["bytes"] => memory::table(),
        ["churn"] => churn::table(),
        ["worst"] => worst::table(),
        ["--test", ..] => {}
        [] => {
            timing::run();
            memory::table();
            churn::table();
            worst::table();
        }
        _ => timing::run(),
    }
}

/// One line of a table, in this process.
fn line(table: &str, rest: &[&str]) {
    match table {
        "bytes" => memory::line(rest),
        "churn" => churn::line(rest),
        _ => worst::line(rest),
    }
}

/// Prints one line of a table, measured in another process.
pub(crate) fn elsewhere(table: &str, rest: &[&str]) {
    let program = std::env::current_exe().unwrap();
    let status = std::process::Command::new(program).args(["line", table]).args(rest).status().unwrap();
    assert!(status.success(), "{table} {rest:?} failed: {status}");
}
