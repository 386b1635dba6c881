//! How much one instance may allocate, and how much it has.

use wasmtime::ResourceLimiter;

use crate::contract::PluginLimits;

/// Bounds and measures the linear memory of one instance; bounds its tables.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory_bytes: usize,
    memory_bytes_max: usize,
}

impl Limiter {
    pub(crate) const fn new(limits: &PluginLimits) -> Self {
        Self { memory_bytes: 0, memory_bytes_max: limits.memory_bytes_max }
    }

    /// All linear memories of the instance, in bytes. They never shrink.
    pub(crate) const fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.memory_bytes.saturating_add(desired.saturating_sub(current));
        if total > self.memory_bytes_max {
            // A trap instead of a failed allocation: the log then says what happened.
            return Err(wasmtime::format_err!(
                "needs {total} bytes of memory, and its limit is {} (`memory`)",
                self.memory_bytes_max
            ));
        }
        self.memory_bytes = total;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }

    fn instances(&self) -> usize {
        64
    }

    fn tables(&self) -> usize {
        64
    }

    fn memories(&self) -> usize {
        8
    }
}

/// Elements of one table; a component's function tables have some thousand.
const TABLE_ELEMENTS_MAX: usize = 20_000;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn the_memories_of_an_instance_share_one_limit() {
        let mut limiter = Limiter::new(&PluginLimits { memory_bytes_max: 3 << 16, ..PluginLimits::default() });
        assert!(limiter.memory_growing(0, 1 << 16, None).unwrap());
        assert!(limiter.memory_growing(0, 1 << 16, None).unwrap());
        assert!(limiter.memory_growing(1 << 16, 2 << 16, None).unwrap());
        assert_eq!(limiter.memory_bytes(), 3 << 16);
        let refused = limiter.memory_growing(2 << 16, 3 << 16, None).unwrap_err();
        assert!(refused.to_string().contains("262144 bytes"), "{refused}");
        assert_eq!(limiter.memory_bytes(), 3 << 16);
    }
}
