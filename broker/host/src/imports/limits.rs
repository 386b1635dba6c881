//! How much of the broker's own resources plugins may use through their imports.

use std::path::PathBuf;
use std::time::Duration;

/// Bounds on the imports, the same for every plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportLimits {
    /// Log lines a second and plugin, with a burst of as many; more are dropped and counted. Default 1,000.
    pub log_lines_per_second: u32,
    /// Metric series (a name with its labels) per plugin; more are dropped and counted. Default 1,000.
    pub metric_series_max: usize,
    /// Bytes of one HTTP response body. Default 1 MiB.
    pub http_response_bytes_max: usize,
    /// Longest wait for a connection. Default 5 s.
    pub http_connect_timeout: Duration,
    /// A PEM file with certificate authorities to trust besides the public ones. Default none.
    pub http_ca_file: Option<PathBuf>,
    /// Password hashes computed at once, for all plugins. Default: the number of processors.
    pub password_parallel_max: usize,
    /// Password checks that may wait for their turn, for all plugins. Default 1,024.
    pub password_waiting_max: usize,
    /// Bytes of one granted file. Default 16 MiB.
    pub file_bytes_max: u64,
    /// How often a granted file is looked at for changes. Default 1 s.
    pub file_check_interval: Duration,
    /// Orders to the broker (publish, disconnect, redirect, revoke) from one call. Default 1,024.
    pub orders_per_call_max: usize,
    /// Orders to the broker a second and plugin, with a burst of as many. Default 20,000.
    pub orders_per_second: u32,
}

impl Default for ImportLimits {
    fn default() -> Self {
        Self {
            log_lines_per_second: 1_000,
            metric_series_max: 1_000,
            http_response_bytes_max: 1 << 20,
            http_connect_timeout: Duration::from_secs(5),
            http_ca_file: None,
            password_parallel_max: std::thread::available_parallelism().map_or(1, usize::from),
            password_waiting_max: 1_024,
            file_bytes_max: 16 << 20,
            file_check_interval: Duration::from_secs(1),
            orders_per_call_max: 1_024,
            orders_per_second: 20_000,
        }
    }
}
