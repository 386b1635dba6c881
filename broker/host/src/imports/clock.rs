//! `clock`: time and randomness without WASI.

use super::PluginState;
use crate::bindings::midge::plugin::clock::Host;

impl Host for PluginState {
    fn unix_ms(&mut self) -> wasmtime::Result<u64> {
        Ok(self.shared.unix_ms())
    }

    fn monotonic_ns(&mut self) -> wasmtime::Result<u64> {
        Ok(self.shared.monotonic_ns())
    }

    fn random(&mut self, len: u32) -> wasmtime::Result<Vec<u8>> {
        if len > RANDOM_BYTES_MAX {
            // Fewer bytes than asked for would be a trap for the guest of another kind.
            wasmtime::bail!("clock.random of {len} bytes: at most {RANDOM_BYTES_MAX} in one call");
        }
        let mut bytes = vec![0; len as usize];
        self.shared.fill_random(&mut bytes)?;
        Ok(bytes)
    }
}

const RANDOM_BYTES_MAX: u32 = 65_536;
