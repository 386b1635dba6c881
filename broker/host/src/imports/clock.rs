//! `clock`: time and randomness without WASI.

use std::time::{SystemTime, UNIX_EPOCH};

use ring::rand::{SecureRandom as _, SystemRandom};

use super::PluginState;
use crate::bindings::midge::plugin::clock::Host;

impl Host for PluginState {
    fn unix_ms(&mut self) -> wasmtime::Result<u64> {
        // A clock before 1970 is no clock; 0 then, rather than a trap.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn monotonic_ns(&mut self) -> wasmtime::Result<u64> {
        Ok(u64::try_from(self.shared.born().elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn random(&mut self, len: u32) -> wasmtime::Result<Vec<u8>> {
        if len > RANDOM_BYTES_MAX {
            // Fewer bytes than asked for would be a trap for the guest of another kind.
            wasmtime::bail!("clock.random of {len} bytes: at most {RANDOM_BYTES_MAX} in one call");
        }
        let mut bytes = vec![0; len as usize];
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| wasmtime::format_err!("the operating system has no randomness"))?;
        Ok(bytes)
    }
}

const RANDOM_BYTES_MAX: u32 = 65_536;
