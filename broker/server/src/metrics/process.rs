//! The process as its operating system sees it. Where there is no `/proc`, what it would tell is left out.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::text::Text;
use crate::memory::Memory;

/// How much memory there may be, and what happens for want of it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MemoryStatus {
    /// 0: no limit.
    budget: u64,
    used: u64,
    pressure: u8,
}

impl From<&Memory> for MemoryStatus {
    fn from(memory: &Memory) -> Self {
        Self { budget: memory.budget(), used: memory.used(), pressure: memory.pressure() as u8 }
    }
}

pub(super) fn write(uptime: Duration, memory: MemoryStatus, text: &mut Text<'_>) -> fmt::Result {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let started = now.saturating_sub(uptime).as_secs_f64();
    text.gauge("process_start_time_seconds", "When the broker started, since the Unix epoch", started)?;
    if let Some(bytes) = resident_bytes() {
        text.gauge("process_resident_memory_bytes", "Resident memory", bytes as f64)?;
    }
    let MemoryStatus { budget, used, pressure } = memory;
    text.gauge("midge_memory_budget_bytes", "Memory that the broker may use; 0: no limit", budget as f64)?;
    let help = "Memory that it uses: what is resident, but for what the allocator has free; 0: nobody looks";
    text.gauge("midge_memory_used_bytes", help, used as f64)?;
    let help = "0: there is enough, 1: publishers wait, 2: and new clients are refused";
    text.gauge("midge_memory_pressure", help, f64::from(pressure))?;
    if let Ok(descriptors) = std::fs::read_dir("/proc/self/fd") {
        text.gauge("process_open_fds", "Open file descriptors", descriptors.count() as f64)?;
    }
    Ok(())
}

/// Resident memory, from the line `VmRSS:  12345 kB`.
pub(crate) fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}
