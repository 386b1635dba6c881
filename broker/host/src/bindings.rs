//! The contract's types and host traits, generated from `wit/`. Nothing else belongs here.
//!
//! Exports are called through typed functions found one by one (`plugin.rs`), so that a component may export any
//! subset of the hooks; the generated `Everything` with its "all of them" is not used.

#![allow(missing_docs, reason = "generated; the documentation is in wit/")]
#![allow(unreachable_pub, reason = "generated")]
#![allow(clippy::all, reason = "generated")]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "midge:plugin/everything",
    imports: {
        "midge:plugin/http.send": async | trappable,
        "midge:plugin/passwords.verify": async | trappable,
        "midge:plugin/tcp.connect": async | trappable,
        "midge:plugin/tcp.[method]connection.secure": async | trappable,
        "midge:plugin/tcp.[method]connection.read": async | trappable,
        "midge:plugin/tcp.[method]connection.write": async | trappable,
        default: trappable,
    },
    with: {
        "midge:plugin/connection.connect": crate::imports::Connect,
        "midge:plugin/tcp.connection": crate::imports::Connection,
    },
    require_store_data_send: true,
});
