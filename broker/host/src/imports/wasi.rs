//! WASI 0.2, inert: for guests whose language runtime imports it whether or not the plugin needs it, such as Python's and
//! JavaScript's.
//!
//! Clocks and randomness work, and what is written to standard output and standard error becomes lines of the plugin's log.
//! Everything else is denied: there is no environment, no argument, no input, no file, no socket and no HTTP. Nothing here
//! waits: sleeping returns at once, so that a plugin that imports WASI stays in the lane its other imports put it into.
//!
//! What a component imports is linked as it declares it, whichever 0.2 it was built for. [`denial`] finds the answer that says
//! no in a function's own type; only the few functions that do something are named, in [`special`].

mod denial;
mod output;
mod special;

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, LinkerInstance, ResourceType};

use self::denial::deny;
pub(super) use self::output::Output;
use super::PluginState;

/// An interface of WASI 0.2 without its version, such as `cli/stdout`; none if `import` is nothing that is linked here.
pub(crate) fn interface(import: &str) -> Option<&str> {
    let (interface, version) = import.strip_prefix("wasi:")?.split_once('@')?;
    let (package, _) = interface.split_once('/')?;
    let is_ours = PACKAGES.contains(&package) && version.starts_with("0.2.") && !version.contains('-');
    is_ours.then_some(interface)
}

/// Links whatever of WASI 0.2 this component imports.
///
/// # Errors
/// It imports a resource that WASI 0.2 does not have.
pub(super) fn add_to_linker(linker: &mut Linker<PluginState>, component: &Component) -> wasmtime::Result<()> {
    let engine = component.engine();
    for (name, import) in component.component_type().imports(engine) {
        let (Some(interface), ComponentItem::ComponentInstance(instance)) = (interface(name), import.ty) else {
            continue;
        };
        let mut linked = linker.instance(name)?;
        for (item, export) in instance.exports(engine) {
            match export.ty {
                ComponentItem::Resource(_) => {
                    let kind = kind(item).ok_or_else(|| wasmtime::format_err!("{name} has no resource {item}"))?;
                    linked.resource(item, ResourceType::host_dynamic(kind), |_, _| Ok(()))?;
                }
                ComponentItem::ComponentFunc(_) => function(&mut linked, interface, item)?,
                // Types other than resources are compared, not linked.
                _ => {}
            }
        }
    }
    Ok(())
}

fn function(linked: &mut LinkerInstance<'_, PluginState>, interface: &str, function: &str) -> wasmtime::Result<()> {
    if special::add(linked, interface, function)? {
        return Ok(());
    }
    let name = format!("wasi:{interface} {function}");
    linked.func_new(function, move |store, ty, params, results| deny(store, &name, &ty, params, results))
}

/// The number of a resource: what tells its handles from those of the others.
fn kind(resource: &str) -> Option<u32> {
    RESOURCES.iter().zip(0..).find_map(|(name, kind)| (*name == resource).then_some(kind))
}

const PACKAGES: &[&str] = &["cli", "clocks", "filesystem", "http", "io", "random", "sockets"];

/// Every resource of these packages. The place of a name is its kind.
const RESOURCES: &[&str] = &[
    "error",
    "pollable",
    "input-stream",
    "output-stream",
    "terminal-input",
    "terminal-output",
    "descriptor",
    "directory-entry-stream",
    "network",
    "tcp-socket",
    "udp-socket",
    "incoming-datagram-stream",
    "outgoing-datagram-stream",
    "resolve-address-stream",
    "fields",
    "incoming-request",
    "outgoing-request",
    "request-options",
    "response-outparam",
    "incoming-response",
    "incoming-body",
    "future-trailers",
    "outgoing-response",
    "outgoing-body",
    "future-incoming-response",
];
const OUTPUT_STREAM: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wasi_0_2_is_linked_and_no_other() {
        assert_eq!(interface("wasi:cli/stdout@0.2.0"), Some("cli/stdout"));
        assert_eq!(interface("wasi:io/streams@0.2.12"), Some("io/streams"));
        for other in [
            "wasi:cli/stdout@0.3.0",
            "wasi:cli/stdout@0.2.0-rc",
            "wasi:cli/stdout",
            "wasi:keyvalue/store@0.2.0",
            "midge:plugin/log@0.1.0",
            "wasi:nn@0.2.0",
        ] {
            assert_eq!(interface(other), None, "{other}");
        }
    }

    #[test]
    fn the_named_kind_is_where_it_is_said_to_be() {
        assert_eq!(kind("output-stream"), Some(OUTPUT_STREAM));
        assert_eq!(kind("future"), None);
    }
}
