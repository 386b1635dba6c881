//! What clients notice while a plugin is replaced again and again: messages that are lost, and how much later the others come.

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::figures::median;
use super::peers::Peers;
use super::running::Bench;
use super::{Failure, report};
use crate::build;

/// 1,000 clients, half of which publish.
const SHAPE: &str = "500-500,q1,20000/s";
/// How long to wait between two reloads.
const PAUSE: Duration = Duration::from_millis(200);

/// Measures with and without reloads, and prints a table.
pub(super) fn run(bench: &Bench<'_>) -> Result<(), Failure> {
    let guest = build::target_directory(bench.root).join("guests/asked.wasm");
    if !guest.exists() {
        return Err(Failure::new(format!("{} is missing; build it with: cargo xtask plugins", guest.display())));
    }
    let mut rounds = Vec::new();
    for round in 1..=bench.options.rounds {
        for reloading in [false, true] {
            let name = if reloading { "reloaded all the time" } else { "quiet" };
            println!("round {round} of {}: {name}", bench.options.rounds);
            let mut measured = one(bench, &guest.display().to_string(), reloading)?;
            measured["plugin"] = name.into();
            rounds.push(measured);
        }
    }
    print_table(&rounds);
    match &bench.options.json {
        Some(file) => report::write(file, bench, Value::Array(rounds)),
        None => Ok(()),
    }
}

fn one(bench: &Bench<'_>, guest: &str, reloading: bool) -> Result<Value, Failure> {
    let peers = Peers::read(&bench.root.join("tests/bench/peers.toml"))?;
    let mut broker = peers.named("midge", bench)?;
    let admin = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let admin = admin.map_err(|error| Failure::new(format!("there is no free port: {error}")))?;
    let listener = "[[listener]]\naddress = \"127.0.0.1:{port}\"\nanonymous = true\n";
    broker.peer.config = Some(format!(
        "{listener}[[plugin]]\nname = \"asked\"\npath = \"{guest}\"\n[admin]\naddress = \"{admin}\"\n\
         [swap]\nprobation_s = 0\n[store]\ndurability = \"memory\"\n[sys]\ninterval_s = 0\n\
         [runtime]\ndata_dir = \"{{run}}/data\"\n[log]\nfilter = \"warn\"\n"
    ));
    let running = bench.start(&broker, false, false).map_err(Failure::new)?;
    let (options, over) = (bench.options, AtomicBool::new(false));
    let command = ["run", &format!("--seconds={}", options.seconds), &format!("--warm-up={}", options.warm_up), SHAPE]
        .map(str::to_owned);
    thread::scope(|scope| {
        let reloads = scope.spawn(|| {
            let mut reloads = 0;
            while reloading && !over.load(Ordering::Relaxed) {
                reload(bench, &admin.to_string())?;
                reloads += 1;
                thread::sleep(PAUSE);
            }
            Ok::<u64, String>(reloads)
        });
        let measured = running.measure(bench, &command, false);
        over.store(true, Ordering::Relaxed);
        let reloads = reloads.join().map_err(|_| "the thread that reloads panicked".to_owned())??;
        let line = measured?.pop().ok_or("the generator printed nothing")?;
        Ok(json!({ "reloads": reloads, "measured": line }))
    })
    .map_err(|why: String| Failure::new(why))
}

fn reload(bench: &Bench<'_>, admin: &str) -> Result<(), String> {
    let mut command = Command::new(&bench.midge);
    command.args(["plugin", "reload", "asked", "--admin", admin]).stdout(Stdio::null());
    let output = command.output().map_err(|error| format!("midge plugin reload cannot be started: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("midge plugin reload failed: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

fn print_table(rounds: &[Value]) {
    println!(
        "\nMedians; {SHAPE}: an authorizer is asked about every message. A client that is dropped ends the measurement.\n"
    );
    println!("| plugin | reloads | messages | lost | p50 ms | p99 ms | worst ms |");
    println!("|---|---|---|---|---|---|---|");
    for name in ["quiet", "reloaded all the time"] {
        let of = |pick: &dyn Fn(&Value) -> Option<f64>| {
            let values = rounds.iter().filter(|round| round["plugin"] == name).filter_map(pick).collect();
            median(values).unwrap_or(f64::NAN)
        };
        let measured = |key: &'static str| move |round: &Value| round["measured"][key].as_f64();
        println!(
            "| {name} | {:.0} | {:.0} | {:.0} | {:.2} | {:.2} | {:.2} |",
            of(&|round| round["reloads"].as_f64()),
            of(&measured("delivered")),
            of(&measured("lost")),
            of(&measured("latency_p50_us")) / 1000.0,
            of(&measured("latency_p99_us")) / 1000.0,
            of(&measured("latency_max_us")) / 1000.0
        );
    }
}
