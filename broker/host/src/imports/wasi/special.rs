//! The functions of WASI that do something: clocks, randomness and output.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, LinkerInstance, Lower, ResourceDynamic, Val};

use super::super::PluginState;
use super::OUTPUT_STREAM;
use super::denial::give_back;
use super::output::Stream;

/// `wasi:clocks/wall-clock.datetime`.
#[derive(Clone, Copy, ComponentType, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

/// `wasi:io/streams.stream-error`.
#[derive(ComponentType, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    #[allow(dead_code, reason = "the type has it; writing to the log does not fail")]
    Failed(ResourceDynamic),
    #[component(name = "closed")]
    #[allow(dead_code, reason = "as above")]
    Closed,
}

type Context<'a> = StoreContextMut<'a, PluginState>;

/// Links a function if it is one of those; says whether it is.
///
/// # Errors
/// The name is taken.
pub(super) fn add(
    linked: &mut LinkerInstance<'_, PluginState>,
    interface: &str,
    function: &str,
) -> wasmtime::Result<bool> {
    match interface {
        "clocks/wall-clock" | "clocks/monotonic-clock" => clock(linked, interface, function),
        "random/random" | "random/insecure" | "random/insecure-seed" => random(linked, function),
        "io/streams" => write(linked, function),
        "io/poll" => poll(linked, function),
        "cli/stdout" | "cli/stderr" | "cli/exit" => process(linked, function),
        _ => Ok(false),
    }
}

fn clock(linked: &mut LinkerInstance<'_, PluginState>, interface: &str, function: &str) -> wasmtime::Result<bool> {
    match (interface, function) {
        ("clocks/wall-clock", "now") => linked.func_wrap(function, |store: Context<'_>, (): ()| {
            let since = store.data().shared.since_epoch();
            Ok((Datetime { seconds: since.as_secs(), nanoseconds: since.subsec_nanos() },))
        })?,
        ("clocks/wall-clock", "resolution") => {
            linked.func_wrap(function, |_: Context<'_>, (): ()| Ok((Datetime { seconds: 0, nanoseconds: 1 },)))?;
        }
        ("clocks/monotonic-clock", "now") => {
            linked.func_wrap(function, |store: Context<'_>, (): ()| Ok((store.data().shared.monotonic_ns(),)))?
        }
        ("clocks/monotonic-clock", "resolution") => {
            linked.func_wrap(function, |_: Context<'_>, (): ()| Ok((1_u64,)))?;
        }
        // `subscribe-duration` and `subscribe-instant` give a handle, and `poll` finds it ready.
        _ => return Ok(false),
    }
    Ok(true)
}

fn random(linked: &mut LinkerInstance<'_, PluginState>, function: &str) -> wasmtime::Result<bool> {
    match function {
        "get-random-bytes" | "get-insecure-random-bytes" => {
            linked.func_wrap(function, |store: Context<'_>, (length,): (u64,)| {
                let length = usize::try_from(length).ok().filter(|length| *length <= RANDOM_BYTES_MAX);
                let length = length.ok_or_else(|| {
                    wasmtime::format_err!("wasi:random: at most {RANDOM_BYTES_MAX} bytes in one call")
                })?;
                let mut bytes = vec![0; length];
                store.data().shared.fill_random(&mut bytes)?;
                Ok((bytes,))
            })?;
        }
        "get-random-u64" | "get-insecure-random-u64" => {
            linked.func_wrap(function, |store: Context<'_>, (): ()| Ok((number(&store)?,)))?;
        }
        "insecure-seed" | "get-insecure-seed" => {
            linked.func_wrap(function, |store: Context<'_>, (): ()| Ok(((number(&store)?, number(&store)?),)))?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Output streams end in the log, which takes everything at once. Input streams are left to the denial: closed.
fn write(linked: &mut LinkerInstance<'_, PluginState>, function: &str) -> wasmtime::Result<bool> {
    match function {
        "[method]output-stream.check-write" => {
            linked.func_wrap(function, |_: Context<'_>, (_,): (ResourceDynamic,)| {
                Ok((Ok::<_, StreamError>(WRITE_BYTES_MAX as u64),))
            })?;
        }
        "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush" => {
            linked.func_wrap(function, |mut store: Context<'_>, (stream, bytes): (ResourceDynamic, Vec<u8>)| {
                if bytes.len() > WRITE_BYTES_MAX {
                    wasmtime::bail!("wasi:io: {} bytes written, where {WRITE_BYTES_MAX} may be", bytes.len());
                }
                if let Some(stream) = Stream::of(stream.rep()) {
                    store.data_mut().print(stream, &bytes);
                }
                Ok((Ok::<(), StreamError>(()),))
            })?;
        }
        "[method]output-stream.flush" | "[method]output-stream.blocking-flush" => {
            linked.func_wrap(function, |_: Context<'_>, (_,): (ResourceDynamic,)| Ok((Ok::<(), StreamError>(()),)))?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Nothing is ever waited for: whatever there is to wait for is ready.
fn poll(linked: &mut LinkerInstance<'_, PluginState>, function: &str) -> wasmtime::Result<bool> {
    match function {
        "poll" => linked.func_new(function, |mut store, _, params, results| {
            give_back(&mut store, params)?;
            let count = params.iter().map(|list| if let Val::List(list) = list { list.len() } else { 0 }).sum();
            let ready = (0_u32..).take(count).map(Val::U32).collect();
            if let Some(result) = results.first_mut() {
                *result = Val::List(ready);
            }
            Ok(())
        })?,
        "[method]pollable.ready" => {
            linked.func_wrap(function, |_: Context<'_>, (_,): (ResourceDynamic,)| Ok((true,)))?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn process(linked: &mut LinkerInstance<'_, PluginState>, function: &str) -> wasmtime::Result<bool> {
    match function {
        "get-stdout" => output_stream(linked, function, Stream::Out)?,
        "get-stderr" => output_stream(linked, function, Stream::Err)?,
        "exit" | "exit-with-code" => linked.func_new(function, |_, _, _, _| {
            wasmtime::bail!("it called exit, which ends a program; a plugin answers `err` or throws")
        })?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn output_stream(linked: &mut LinkerInstance<'_, PluginState>, function: &str, stream: Stream) -> wasmtime::Result<()> {
    linked
        .func_wrap(function, move |_: Context<'_>, (): ()| Ok((ResourceDynamic::new_own(stream.rep(), OUTPUT_STREAM),)))
}

fn number(store: &Context<'_>) -> wasmtime::Result<u64> {
    let mut bytes = [0; 8];
    store.data().shared.fill_random(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

const RANDOM_BYTES_MAX: usize = 65_536;
/// What WASI lets a stream take in one call.
const WRITE_BYTES_MAX: usize = 4096;
