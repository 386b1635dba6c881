//! The page as a scraper sees it.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

use midge_host::contract::{
    BreakerState, CustomMetric, CustomMetricKind, Hook, HookStatus, Lane, LatencyHistogram, OnError, QueueStatus,
};

use midge_core::DropReason;

use super::*;
use crate::backlog::Waiting;
use crate::drops::ClientDrops;
use crate::memory::Memory;

fn plugin() -> PluginStatus {
    let mut latency = LatencyHistogram::default();
    latency.counts[1] = 2;
    latency.sum_ns = 1_500;
    PluginStatus {
        name: "acl".into(),
        origin: "bundled:acl-file".into(),
        digest: "00ff".into(),
        generation: 1,
        track: "0.1",
        lane: Lane::Inline,
        grants: Vec::new(),
        on_error: OnError::Deny,
        listeners: None,
        tenants: None,
        required: true,
        hooks: vec![HookStatus {
            hook: Hook::Authz,
            answered: 5,
            refused: 2,
            errors: 0,
            traps: 1,
            deadlines: 0,
            wait_timeouts: 0,
            overloaded: 0,
            not_called: 0,
            bad_answers: 0,
            breaker: BreakerState::Open,
            latency,
        }],
        instances: 2,
        instantiations: 3,
        retired: 1,
        lost: 0,
        memory_bytes_max: 65_536,
        queues: vec![QueueStatus {
            hook: Hook::Events,
            depth: 4,
            capacity: 10,
            done: 1,
            retried: 0,
            rejected: 0,
            dropped: 6,
        }],
        imports: Default::default(),
        custom: vec![CustomMetric {
            name: "rules.loaded".into(),
            labels: vec![("file".into(), "a\"b".into())],
            value: CustomMetricKind::Gauge(7.0),
        }],
        trial: None,
    }
}

fn page(metrics: &ServerMetrics) -> String {
    let statistics =
        Statistics { connections: 3, dropped_queue_full: 9, messages_sent_qos1: 4, ..Statistics::default() };
    let cache = CacheStatus { hits: 1, ..CacheStatus::default() };
    let authentications = ReuseStatus { hits: 2, ..ReuseStatus::default() };
    let store = StoreStatus {
        health: midge_core::Health::Behind,
        statistics: midge_storage::Statistics { commits: 8, bytes_waiting: 5, ..Default::default() },
    };
    let uptime = Duration::from_secs(1);
    let clients = ClientsStatus {
        waiting: Waiting { connections: 2, bytes: 300 },
        drops: vec![ClientDrops { client_id: "slow \"1\"".into(), reason: DropReason::OutboxFull, count: 11 }],
    };
    let memory = MemoryStatus::from(&Memory::new(1 << 30));
    let plugins = vec![plugin()];
    let store = Some(store);
    let admissions = ReuseStatus { size: 6, ..ReuseStatus::default() };
    let snapshot = Snapshot { statistics, clients, memory, store, plugins, cache, authentications, admissions, uptime };
    render(metrics, snapshot).unwrap()
}

#[test]
fn what_is_counted_is_on_the_page() {
    let metrics = ServerMetrics::new();
    metrics.connection_opened("tcp");
    metrics.connection_opened("tcp");
    metrics.connection_closed("tcp", "keep_alive");
    metrics.connect_refused("malformed_packet");
    metrics.denied(Some("acl"), "authz", "refused");
    metrics.denied(None, "authn", "nobody_allowed");
    metrics.closed_at_accept("tcp", "limits.connections_max");
    metrics.accept_failed("tcp");
    metrics.handshake_failed("tls", "tls");
    metrics.slowed_down("queue", Duration::from_millis(500));
    metrics.slowed_down("queue", Duration::from_millis(1000));
    metrics.received(10);
    metrics.received_packets(2);
    metrics.sent(20);
    let page = page(&metrics);
    for line in [
        "midge_connections_opened_total{listener=\"tcp\"} 2",
        "midge_connections_open{listener=\"tcp\"} 1",
        "midge_connections_closed_total{listener=\"tcp\",reason=\"keep_alive\"} 1",
        "midge_connects_refused_total{reason=\"malformed_packet\"} 1",
        "midge_denied_total{plugin=\"acl\",hook=\"authz\",cause=\"refused\"} 1",
        "midge_denied_total{plugin=\"\",hook=\"authn\",cause=\"nobody_allowed\"} 1",
        "midge_connections_closed_at_accept_total{listener=\"tcp\",limit=\"limits.connections_max\"} 1",
        "midge_accepts_failed_total{listener=\"tcp\"} 1",
        "midge_handshakes_failed_total{listener=\"tls\",what=\"tls\"} 1",
        "midge_publishers_slowed_total{reason=\"queue\"} 2",
        "midge_publishers_slowed_seconds_total{reason=\"queue\"} 1.5",
        "midge_outbox_bytes 300.0",
        "midge_outbox_connections 2.0",
        "midge_client_messages_dropped_total{client_id=\"slow \\\"1\\\"\",reason=\"outbox_full\"} 11",
        "midge_memory_budget_bytes 1073741824.0",
        "midge_memory_pressure 0.0",
        "midge_received_bytes_total 10",
        "midge_received_packets_total 2",
        "midge_sent_bytes_total 20",
        "midge_connections 3.0",
        "midge_store_health 1.0",
        "midge_store_commits_total 8",
        "midge_store_waiting_bytes 5.0",
        "midge_store_commit_seconds_bucket{le=\"+Inf\"} 0",
        "midge_messages_dropped_total{reason=\"queue_full\"} 9",
        "midge_messages_sent_total{qos=\"1\"} 4",
        "midge_plugin_calls_total{plugin=\"acl\",hook=\"authz\",outcome=\"answered\"} 3",
        "midge_plugin_calls_total{plugin=\"acl\",hook=\"authz\",outcome=\"refused\"} 2",
        "midge_plugin_calls_total{plugin=\"acl\",hook=\"authz\",outcome=\"trap\"} 1",
        "midge_plugin_breaker{plugin=\"acl\",hook=\"authz\"} 2.0",
        "midge_plugin_call_seconds_count{plugin=\"acl\",hook=\"authz\"} 2",
        "midge_plugin_call_seconds_bucket{le=\"+Inf\",plugin=\"acl\",hook=\"authz\"} 2",
        "midge_plugin_queue_depth{plugin=\"acl\",hook=\"events\"} 4.0",
        "midge_plugin_queue_entries_total{plugin=\"acl\",hook=\"events\",outcome=\"dropped\"} 6",
        "midge_custom_rules_loaded{plugin=\"acl\",file=\"a\\\"b\"} 7.0",
        "midge_ruling_cache_hits_total 1",
        "midge_authentication_cache_hits_total 2",
    ] {
        assert!(page.lines().any(|it| it == line), "{line}\nis not in\n{page}");
    }
}

#[test]
fn the_page_is_whole_and_names_no_metric_twice() {
    let page = page(&ServerMetrics::new());
    assert!(page.ends_with("# EOF\n"));
    let mut types: Vec<_> = page.lines().filter(|line| line.starts_with("# TYPE")).collect();
    let count = types.len();
    types.sort_unstable();
    types.dedup();
    assert_eq!(types.len(), count);
}
