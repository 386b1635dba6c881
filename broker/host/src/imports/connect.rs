//! `connection`: the rarely needed facts of a CONNECT, fetched on demand from a resource lent for one call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wasmtime::component::Resource;

use super::{PluginState, convert};
use crate::bindings::midge::plugin::connection::{Host, HostConnect, Will};
use crate::contract::ConnectFacts;

/// One CONNECT, as a guest holds it.
#[allow(unreachable_pub, reason = "the generated bindings re-export it under a public name")]
#[derive(Clone)]
pub struct Connect {
    facts: Arc<ConnectFacts>,
    looked_at: Arc<AtomicBool>,
}

impl Connect {
    pub(crate) fn new(facts: Arc<ConnectFacts>) -> Self {
        Self { facts, looked_at: Arc::default() }
    }

    /// The facts, for whoever asks about them again.
    pub(crate) fn facts(&self) -> Arc<ConnectFacts> {
        Arc::clone(&self.facts)
    }

    /// Whether a guest asked for any of the facts.
    pub(crate) fn was_looked_at(&self) -> bool {
        self.looked_at.load(Ordering::Relaxed)
    }
}

impl PluginState {
    fn facts(&self, connect: &Resource<Connect>) -> wasmtime::Result<&ConnectFacts> {
        let connect = self.table.get(connect)?;
        connect.looked_at.store(true, Ordering::Relaxed);
        Ok(&connect.facts)
    }
}

impl Host for PluginState {}

impl HostConnect for PluginState {
    fn clean_start(&mut self, connect: Resource<Connect>) -> wasmtime::Result<bool> {
        Ok(self.facts(&connect)?.clean_start)
    }

    fn keep_alive(&mut self, connect: Resource<Connect>) -> wasmtime::Result<u16> {
        Ok(self.facts(&connect)?.keep_alive)
    }

    fn session_expiry(&mut self, connect: Resource<Connect>) -> wasmtime::Result<u32> {
        Ok(self.facts(&connect)?.session_expiry)
    }

    fn will(&mut self, connect: Resource<Connect>) -> wasmtime::Result<Option<Will>> {
        let shows_payload = self.shared.grants().shows_payload();
        Ok(self.facts(&connect)?.will.as_ref().map(|will| Will {
            topic: will.topic.clone(),
            qos: convert::qos_out(will.qos),
            retain: will.retain,
            payload: if shows_payload { will.payload.to_vec() } else { Vec::new() },
        }))
    }

    fn user_properties(&mut self, connect: Resource<Connect>) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(self.facts(&connect)?.user_properties.clone())
    }

    fn server_name(&mut self, connect: Resource<Connect>) -> wasmtime::Result<Option<String>> {
        Ok(self.facts(&connect)?.server_name.clone())
    }

    fn certificates(&mut self, connect: Resource<Connect>) -> wasmtime::Result<Vec<Vec<u8>>> {
        Ok(self.facts(&connect)?.certificates.clone())
    }

    fn alternative_names(&mut self, connect: Resource<Connect>) -> wasmtime::Result<Vec<String>> {
        Ok(self.facts(&connect)?.alternative_names.clone())
    }

    fn http_header(&mut self, connect: Resource<Connect>, name: String) -> wasmtime::Result<Option<String>> {
        let headers = &self.facts(&connect)?.http_headers;
        Ok(headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(&name)).map(|(_, value)| value.clone()))
    }

    fn channel_binding(&mut self, connect: Resource<Connect>, kind: String) -> wasmtime::Result<Option<Vec<u8>>> {
        let bindings = &self.facts(&connect)?.channel_bindings;
        Ok(bindings.iter().find(|(known, _)| *known == kind).map(|(_, data)| data.clone()))
    }

    fn drop(&mut self, connect: Resource<Connect>) -> wasmtime::Result<()> {
        self.table.delete(connect)?;
        Ok(())
    }
}
