//! The state of each plugin as metrics, and the metrics that plugins report themselves.

use std::collections::BTreeMap;
use std::fmt;

use midge_host::contract::{
    BreakerState, CacheStatus, CustomMetric, CustomMetricKind, Hook, HookStatus, ImportStatus, LATENCY_BOUNDS,
    LatencyHistogram, PluginStatus, QueueStatus, ReuseStatus, ShadowStatus,
};

use super::text::{Histogram, Row, Text};

pub(super) fn write(
    plugins: &[PluginStatus],
    cache: &CacheStatus,
    authentications: &ReuseStatus,
    text: &mut Text<'_>,
) -> fmt::Result {
    of_plugins(plugins, text)?;
    of_hooks(plugins, text)?;
    of_queues(plugins, text)?;
    of_imports(plugins, text)?;
    of_trials(plugins, text)?;
    text.counter("midge_ruling_cache_hits", "Questions answered from the verdict cache", cache.hits)?;
    text.counter("midge_ruling_cache_misses", "Questions that went to a plugin", cache.misses)?;
    text.counter(
        "midge_ruling_cache_stale",
        "Questions that a plugin could not answer and an older ruling did",
        cache.stale,
    )?;
    text.gauge("midge_ruling_cache_entries", "Rulings in the verdict cache", cache.size as f64)?;
    text.gauge(
        "midge_ruling_cache_identities",
        "Identities with permissions or rulings at hand",
        cache.identities as f64,
    )?;
    let ReuseStatus { hits, misses, size } = *authentications;
    text.counter("midge_authentication_cache_hits", "Clients judged by an answer that was kept", hits)?;
    text.counter(
        "midge_authentication_cache_misses",
        "Clients that plugins were asked about, since one of them first let an answer be kept",
        misses,
    )?;
    text.gauge("midge_authentication_cache_entries", "Answers of authenticators kept", size as f64)?;
    custom(plugins, text)
}

/// What is remembered about addresses.
pub(super) fn write_admissions(admissions: &ReuseStatus, text: &mut Text<'_>) -> fmt::Result {
    let ReuseStatus { hits, misses, size } = *admissions;
    text.counter(
        "midge_admission_cache_hits",
        "Connections judged by an answer about their address that was kept",
        hits,
    )?;
    text.counter("midge_admission_cache_misses", "Connections whose address plugins were asked about", misses)?;
    text.gauge("midge_admission_cache_entries", "Answers about addresses kept", size as f64)
}

fn of_plugins(plugins: &[PluginStatus], text: &mut Text<'_>) -> fmt::Result {
    let mut info: Vec<Row<'_, f64>> = Vec::new();
    for it in plugins {
        let labels =
            vec![("plugin", it.name.as_str()), ("origin", &it.origin), ("digest", &it.digest), ("track", it.track)];
        info.push((labels, 1.0));
    }
    text.gauges("midge_plugin_info", "What is loaded", &info)?;

    fn rows<V>(plugins: &[PluginStatus], value: impl Fn(&PluginStatus) -> V) -> Vec<Row<'_, V>> {
        plugins.iter().map(|it| (vec![("plugin", it.name.as_str())], value(it))).collect()
    }
    let instances = rows(plugins, |it| it.instances as f64);
    text.gauges("midge_plugin_instances", "Instances alive", &instances)?;
    let memory = rows(plugins, |it| it.memory_bytes_max as f64);
    text.gauges("midge_plugin_memory_bytes_max", "Largest linear memory of an instance after a call", &memory)?;
    let made = rows(plugins, |it| it.instantiations);
    text.counters("midge_plugin_instantiations", "Instances made", &made)?;
    let retired = rows(plugins, |it| it.retired);
    text.counters("midge_plugin_retired", "Instances replaced because they were old or had grown", &retired)?;
    let lost = rows(plugins, |it| it.lost);
    text.counters(
        "midge_plugin_lost",
        "Instances that ended without lifecycle.shutdown: they broke, or their call was abandoned",
        &lost,
    )
}

fn of_hooks(plugins: &[PluginStatus], text: &mut Text<'_>) -> fmt::Result {
    let (mut calls, mut breakers, mut seconds) = (Vec::new(), Vec::new(), Vec::new());
    for (plugin, hook) in plugins.iter().flat_map(|plugin| plugin.hooks.iter().map(move |hook| (plugin, hook))) {
        for (outcome, count) in outcomes(hook) {
            let mut labels = labels(plugin, hook.hook);
            labels.push(("outcome", outcome));
            calls.push((labels, count));
        }
        breakers.push((labels(plugin, hook.hook), breaker(hook.breaker)));
        seconds.push((labels(plugin, hook.hook), latency(&hook.latency)));
    }
    text.counters("midge_plugin_calls", "Calls of a hook, by outcome", &calls)?;
    text.gauges("midge_plugin_breaker", "Circuit breaker: 0 closed, 1 half open, 2 open", &breakers)?;
    text.histograms("midge_plugin_call_seconds", "How long calls took, failures included", &seconds)
}

fn of_queues(plugins: &[PluginStatus], text: &mut Text<'_>) -> fmt::Result {
    let queues = || plugins.iter().flat_map(|plugin| plugin.queues.iter().map(move |queue| (plugin, queue)));
    let depth: Vec<_> = queues().map(|(plugin, it)| (labels(plugin, it.hook), it.depth as f64)).collect();
    text.gauges("midge_plugin_queue_depth", "Entries that wait for a plugin", &depth)?;
    let capacity: Vec<_> = queues().map(|(plugin, it)| (labels(plugin, it.hook), it.capacity as f64)).collect();
    text.gauges("midge_plugin_queue_capacity", "Entries that may wait for a plugin", &capacity)?;
    let mut entries = Vec::new();
    for (plugin, queue) in queues() {
        for (outcome, count) in fates(queue) {
            let mut labels = labels(plugin, queue.hook);
            labels.push(("outcome", outcome));
            entries.push((labels, count));
        }
    }
    text.counters("midge_plugin_queue_entries", "What became of the entries of a plugin's queue", &entries)
}

fn of_imports(plugins: &[PluginStatus], text: &mut Text<'_>) -> fmt::Result {
    let mut uses = Vec::new();
    for plugin in plugins {
        for (what, count) in import_uses(&plugin.imports) {
            uses.push((vec![("plugin", plugin.name.as_str()), ("what", what)], count));
        }
    }
    text.counters("midge_plugin_imports", "What became of uses of the broker by a plugin, by what", &uses)?;
    let kv: Vec<Row<'_, f64>> =
        plugins.iter().map(|it| (vec![("plugin", it.name.as_str())], it.imports.kv_bytes as f64)).collect();
    text.gauges("midge_plugin_kv_bytes", "Bytes in the stores that a plugin may use", &kv)?;
    let waiting: Vec<Row<'_, f64>> =
        plugins.iter().map(|it| (vec![("plugin", it.name.as_str())], it.imports.append_waiting_bytes as f64)).collect();
    text.gauges("midge_plugin_append_waiting_bytes", "Bytes that wait to be written to a plugin's files", &waiting)?;
    let appended: Vec<Row<'_, u64>> =
        plugins.iter().map(|it| (vec![("plugin", it.name.as_str())], it.imports.appended_bytes)).collect();
    text.counters("midge_plugin_appended_bytes", "Bytes written to files that a plugin appends to", &appended)?;
    let open: Vec<Row<'_, f64>> =
        plugins.iter().map(|it| (vec![("plugin", it.name.as_str())], it.imports.tcp_connections as f64)).collect();
    text.gauges("midge_plugin_tcp_connections", "TCP connections that a plugin has open", &open)?;
    let mut bytes = Vec::new();
    for PluginStatus { name, imports, .. } in plugins {
        bytes.push((vec![("plugin", name.as_str()), ("direction", "read")], imports.tcp_bytes_read));
        bytes.push((vec![("plugin", name.as_str()), ("direction", "written")], imports.tcp_bytes_written));
    }
    text.counters("midge_plugin_tcp_bytes", "Bytes over the TCP connections of a plugin", &bytes)
}

/// Which generations are in force, and those that are to follow: their calls are counted apart, and from 0 for each.
fn of_trials(plugins: &[PluginStatus], text: &mut Text<'_>) -> fmt::Result {
    let (mut generations, mut candidates, mut calls, mut rescued, mut answers) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for plugin in plugins {
        let name = ("plugin", plugin.name.as_str());
        generations.push((vec![name], plugin.generation as f64));
        let Some(trial) = &plugin.trial else { continue };
        candidates.push((vec![name, ("mode", trial.mode.name())], trial.candidate.generation as f64));
        rescued.push((vec![name], trial.rescued));
        for hook in &trial.candidate.hooks {
            for (outcome, count) in outcomes(hook) {
                calls.push((vec![name, ("hook", hook.hook.name()), ("outcome", outcome)], count));
            }
        }
        let ShadowStatus { agreed, disagreed, skipped, .. } = trial.shadow;
        for (outcome, count) in [("agreed", agreed), ("disagreed", disagreed), ("skipped", skipped)] {
            answers.push((vec![name, ("outcome", outcome)], count));
        }
    }
    text.gauges("midge_plugin_generation", "Which loading of the plugin is in force", &generations)?;
    text.gauges("midge_plugin_trial", "Which loading of the plugin is on trial", &candidates)?;
    text.counters("midge_plugin_trial_calls", "Calls of the generation on trial, by outcome", &calls)?;
    text.counters(
        "midge_plugin_trial_rescued",
        "Calls that the generation on trial failed and the one in force answered",
        &rescued,
    )?;
    text.counters("midge_plugin_shadow_answers", "Answers of a shadow compared with those obeyed", &answers)
}

fn import_uses(imports: &ImportStatus) -> [(&'static str, u64); 12] {
    [
        ("append_lost", imports.appends_lost),
        ("http_answered", imports.http_exchanges),
        ("http_failed", imports.http_failures),
        ("tcp_connected", imports.tcp_connects),
        ("tcp_failed", imports.tcp_failures),
        ("tcp_overloaded", imports.tcp_overloaded),
        ("not_granted", imports.denials),
        ("order_refused", imports.orders_refused),
        ("password_overloaded", imports.passwords_overloaded),
        ("log_line_dropped", imports.log_lines_dropped),
        ("metric_update_dropped", imports.metric_updates_dropped),
        ("kv_entry_evicted", imports.kv_evicted),
    ]
}

fn labels(plugin: &PluginStatus, hook: Hook) -> Vec<(&str, &str)> {
    vec![("plugin", &plugin.name), ("hook", hook.name())]
}

/// A refusal is an answer, so it is shown apart and taken off the answers.
fn outcomes(hook: &HookStatus) -> [(&'static str, u64); 9] {
    [
        ("answered", hook.answered.saturating_sub(hook.refused)),
        ("refused", hook.refused),
        ("error", hook.errors),
        ("trap", hook.traps),
        ("deadline", hook.deadlines),
        ("wait_timeout", hook.wait_timeouts),
        ("overloaded", hook.overloaded),
        ("breaker_open", hook.not_called),
        ("bad_answer", hook.bad_answers),
    ]
}

fn fates(queue: &QueueStatus) -> [(&'static str, u64); 4] {
    [("done", queue.done), ("retried", queue.retried), ("rejected", queue.rejected), ("dropped", queue.dropped)]
}

fn breaker(state: BreakerState) -> f64 {
    match state {
        BreakerState::Closed => 0.0,
        BreakerState::HalfOpen => 1.0,
        BreakerState::Open => 2.0,
    }
}

fn latency(histogram: &LatencyHistogram) -> Histogram {
    let bounds = LATENCY_BOUNDS.iter().map(|ns| *ns as f64 / 1e9).chain([f64::INFINITY]);
    Histogram {
        sum: histogram.sum_ns as f64 / 1e9,
        count: histogram.counts.iter().sum(),
        buckets: bounds.zip(histogram.counts).collect(),
    }
}

/// What plugins report, as `midge_custom_…` with the plugin as a label. Two plugins may use one name; where they mean
/// different kinds of metric by it, only the first kind is shown, since a name has one kind.
fn custom(plugins: &[PluginStatus], text: &mut Text<'_>) -> fmt::Result {
    let mut by_name: BTreeMap<String, Vec<(&PluginStatus, &CustomMetric)>> = BTreeMap::new();
    for plugin in plugins {
        for metric in &plugin.custom {
            by_name.entry(metric_name(&metric.name)).or_default().push((plugin, metric));
        }
    }
    for (name, metrics) in &by_name {
        let (mut counters, mut gauges, mut histograms) = (Vec::new(), Vec::new(), Vec::new());
        for (plugin, metric) in metrics {
            let own = metric.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let labels: Vec<_> = [("plugin", plugin.name.as_str())].into_iter().chain(own).collect();
            match &metric.value {
                CustomMetricKind::Counter(value) => counters.push((labels, *value)),
                CustomMetricKind::Gauge(value) => gauges.push((labels, *value)),
                CustomMetricKind::Histogram { count, sum, buckets } => {
                    histograms.push((labels, custom_histogram(*count, *sum, buckets)));
                }
            }
        }
        let help = "Reported by a plugin";
        match metrics.first().map(|(_, metric)| &metric.value) {
            Some(CustomMetricKind::Counter(_)) => text.counters(name, help, &counters)?,
            Some(CustomMetricKind::Gauge(_)) => text.gauges(name, help, &gauges)?,
            Some(CustomMetricKind::Histogram { .. }) => text.histograms(name, help, &histograms)?,
            None => {}
        }
    }
    Ok(())
}

/// Characters that Prometheus does not take become `_`.
fn metric_name(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    format!("midge_custom_{}", name.chars().map(safe).collect::<String>())
}

fn custom_histogram(count: u64, sum: f64, cumulative: &[(f64, u64)]) -> Histogram {
    let mut below = 0;
    let mut buckets: Vec<_> = cumulative
        .iter()
        .filter(|(bound, _)| bound.is_finite())
        .map(|(bound, up_to)| {
            let own = up_to.saturating_sub(below);
            below = *up_to;
            (*bound, own)
        })
        .collect();
    buckets.push((f64::INFINITY, count.saturating_sub(below)));
    Histogram { sum, count, buckets }
}
