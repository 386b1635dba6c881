//! Every key of the configuration in one table: what it accepts and what it means. The default of each is in the type
//! it belongs to; tests keep this table, the types and `midge.example.toml` equal.

use midge_protocol::TopicFilter;

use super::accepts::Accepts::{self, Address, Flag, Integer, Size, Table, Text, Texts, Word, WordByName, Words};
use super::plugin::{is_hook, is_name, is_sha256, is_topic_filter};
use super::{Durability, SharedStrategy};

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    /// The key with its tables, such as `listener.address`.
    pub(super) path: &'static str,
    /// What it accepts.
    pub(super) accepts: Accepts,
    /// What it means, in one line.
    pub(super) meaning: &'static str,
}

/// The tables of which there may be several.
pub(super) const LISTS: [&str; 3] = ["listener", "plugin", "store.topics"];

/// The key at this path, indexes left out.
pub(super) fn key(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// Whether keys live below this path.
pub(super) fn is_table(path: &str) -> bool {
    KEYS.iter().any(|key| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

/// The names that may stand in the table at this path (`""`: at the top), in the order of the table.
pub(super) fn names_in(path: &str) -> Vec<&'static str> {
    let mut names: Vec<&str> = Vec::new();
    for key in KEYS {
        let below = if path.is_empty() {
            Some(key.path)
        } else {
            key.path.strip_prefix(path).and_then(|rest| rest.strip_prefix('.'))
        };
        if let Some(name) = below.and_then(|below| below.split('.').next())
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
}

const fn row(path: &'static str, accepts: Accepts, meaning: &'static str) -> Key {
    Key { path, accepts, meaning }
}

fn not_empty(text: &str) -> bool {
    !text.is_empty()
}

fn is_http_path(text: &str) -> bool {
    text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'?' && byte != b'#')
}

/// The form of the NAME in `$share/NAME/FILTER` [MQTT-4.8.2-1], [MQTT-4.8.2-2].
fn is_share_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(['/', '+', '#'])
}

/// A filter of topics, not of a subscription: nothing is published to `$share/…`.
fn is_unshared_filter(text: &str) -> bool {
    TopicFilter::new(text).is_ok_and(|filter| filter.share().is_none())
}

fn is_log_filter(text: &str) -> bool {
    !text.trim().is_empty() && tracing_subscriber::filter::EnvFilter::builder().parse(text).is_ok()
}

const FILE: Accepts = Text(not_empty, "the path of a file");
const DIRECTORY: Accepts = Text(not_empty, "the path of a directory");
const NAME: Accepts = Text(is_name, "a name of 1 to 64 letters, digits, \"-\", \"_\" and \".\"");
const COUNT: Accepts = Integer(1, u32::MAX as u64);
const RATE: Accepts = Integer(0, u32::MAX as u64);
const MEMORY: Accepts = Size(1 << 10, 1 << 40);

/// Every key, in the order in which it is explained.
#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    row("listener.name", NAME, "its name in logs, metrics and what plugins are told"),
    row("listener.address", Address, "where clients connect; port 0: the operating system chooses"),
    row("listener.protocol", Word(&["mqtt", "ws"]), "\"mqtt\", or \"ws\" for MQTT in WebSocket frames"),
    row("listener.path", Text(is_http_path, "an HTTP path, such as \"/mqtt\""), "the path of the WebSocket upgrade"),
    row("listener.tls.certificate", FILE, "PEM: the server's certificate, then its intermediates"),
    row("listener.tls.key", FILE, "PEM: the private key of the certificate"),
    row("listener.tls.client_ca", FILE, "PEM: the authorities that sign client certificates"),
    row("listener.tls.client_certificate", Word(&["none", "optional", "required"]), "whether clients show a certificate signed by client_ca"),
    row("listener.anonymous", Flag, "whether clients may connect that no plugin authenticated; unless said, only on loopback while no plugin authenticates"),
    row("listener.versions", Words(&["3.1", "3.1.1", "5"]), "MQTT versions that are accepted"),
    row("listener.connections_max", COUNT, "Network Connections open at once; one more is closed at accept"),
    row("listener.connects_per_second", RATE, "new Network Connections a second, more wait; 0: no limit"),
    row("listener.connect_timeout_ms", Integer(100, 600_000), "from accept to CONNACK, all handshakes included"),

    row("plugin.name", NAME, "its name in logs and metrics"),
    row("plugin.path", Text(not_empty, "the path of a .wasm component, or \"bundled:NAME\""), "the component: a file, or \"bundled:NAME\""),
    row("plugin.sha256", Text(is_sha256, "64 hexadecimal digits"), "the digest that the component must have"),
    row("plugin.hooks", Texts(is_hook, "one of \"authn\", \"enhanced-authn\", \"authz\", \"authz-unsubscribe\", \"authz-will\", \"authz-deliver\", \"messages\", \"sink\", \"events\", \"ticker\", \"admission\" or \"admin\""), "use only these of the hooks that it exports; authz-deliver has to be named"),
    row("plugin.topics", Texts(is_topic_filter, "a topic filter, such as \"sensors/#\""), "the messages that its messages and sink hooks get; unless said, what it registers itself"),
    row("plugin.listeners", Texts(is_name, "the name of a listener"), "the listeners about whose clients it is asked; unless said, all"),
    row("plugin.tenants", Texts(not_empty, "a tenant, as authenticators call it"), "the tenants about whose clients its authz, messages and sink hooks are asked; unless said, all"),
    row("plugin.required", Flag, "whether listeners open only once its health says that it is well"),
    row("plugin.on_error", Word(&["deny", "next", "stale"]), "what a failure to answer means: \"deny\", or as if it were not asked, or of authz and authz-deliver what was last decided"),
    row("plugin.stale_max_s", Integer(1, 86_400), "with on_error = \"stale\", how old a decision may be that stands"),
    row("plugin.tick_interval_ms", Integer(10, 86_400_000), "how long after one of its ticks the next one comes"),
    row("plugin.config", Table, "the plugin's own configuration; its README says what it understands"),
    row("plugin.allow", Table, "what it may reach: http, http_private, tcp, tcp_private, tcp_ca_file, files, append, secrets, kv, publish, disconnect, redirect, revoke, admin, fields"),
    row("plugin.limits.memory_bytes_max", Size(64 << 10, 4 << 30), "linear memory of one instance"),
    row("plugin.limits.cpu_ms", Integer(1, 60_000), "processor time of one call; unless said 50 for authn, enhanced-authn and authz-will, 10 for authz, authz-unsubscribe, authz-deliver, messages and admission, else 100"),
    row("plugin.limits.wait_ms", Integer(1, 600_000), "wall time of one call, what it waits for included; unless said 30000 for sink and ticker, else 5000"),
    row("plugin.limits.init_cpu_ms", Integer(1, 600_000), "processor time of its init"),
    row("plugin.limits.instances_max", Integer(1, 10_000), "instances side by side, where calls can wait; else one for each worker"),
    row("plugin.limits.waiting_max", Integer(0, 1_000_000), "calls that may wait for an instance; one more fails"),
    row("plugin.limits.calls_max", Integer(1, i64::MAX as u64), "calls after which an instance is replaced"),
    row("plugin.limits.queue_max", Integer(1, 10_000_000), "messages or events that may wait for it; more are dropped and counted"),
    row("plugin.limits.batch_max", Integer(1, 10_000), "messages or events in one call"),
    row("plugin.limits.http_requests_max", Integer(1, 65_535), "HTTP requests under way at once; others wait within their call's time"),
    row("plugin.limits.tcp_connections_max", Integer(0, 65_535), "TCP connections that its instances may have open at once"),
    row("plugin.limits.admin_bytes_max", Size(0, 4 << 20), "bytes of the body of a request to its pages on the admin port, and of the answer"),
    row("plugin.limits.state_bytes_max", Size(0, 1 << 20), "bytes kept for it between two steps of one exchange of enhanced authentication"),
    row("plugin.limits.append_bytes_max", Size(1 << 10, 1 << 30), "bytes that may wait to be written to each file that it appends to; more are refused and counted"),

    row("limits.connections_max", COUNT, "clients connected at once, all listeners together; CONNECT is refused with 0x97 beyond"),
    row("limits.refusals_max", Integer(0, 65_535), "Network Connections beyond connections_max that are told so at the same time; more are closed at accept"),
    row("limits.memory_bytes_max", Size(0, 1 << 48), "memory of the process: over three quarters publishers wait, over nine tenths CONNECT is refused with 0x97; unless said, what the machine or the control group has; 0: no limit"),
    row("limits.sessions_max", COUNT, "sessions, connected or not; a CONNECT that needs a new one is refused with 0x97 beyond"),
    row("limits.packet_bytes_max", Size(1 << 10, 268_435_461), "bytes of one packet from a client (Maximum Packet Size)"),
    row("limits.client_id_bytes_max", Integer(23, 65_535), "bytes of a Client Identifier; longer ones are refused with 0x85"),
    row("limits.authentication_steps_max", Integer(1, 1000), "challenges in one exchange of enhanced authentication; one more ends the connection with 0x97"),
    row("limits.topic_levels_max", Integer(1, 65_535), "levels of a topic or filter; deeper ones are refused with 0x90 or 0x8F"),
    row("limits.keep_alive_max_s", Integer(0, 65_535), "the longest Keep Alive; 0: the client's word stands"),
    row("limits.session_expiry_max_s", Integer(0, u32::MAX as u64), "the longest Session Expiry Interval; 4294967295: sessions may last for ever"),
    row("limits.maximum_qos", Integer(0, 2), "highest QoS a client may publish with and a subscription is granted"),
    row("limits.retain_available", Flag, "whether clients may set RETAIN"),
    row("limits.check_payload_format", Flag, "whether a payload that claims to be UTF-8 is checked, and refused with 0x99 if it is not"),
    row("limits.receive_maximum", Integer(1, 65_535), "QoS 1 and 2 messages an MQTT 5 client may have in flight to the broker (Receive Maximum)"),
    row("limits.in_flight_max", Integer(1, 65_535), "QoS 1 and 2 messages sent to a client and not acknowledged, whatever more it offers"),
    row("limits.topic_alias_maximum", Integer(0, 65_535), "topic aliases a client may define (Topic Alias Maximum); 0 forbids them"),
    row("limits.topic_aliases_sent_max", Integer(0, 65_535), "topic aliases the broker defines towards a client, whatever more it offers"),
    row("limits.subscriptions_max", COUNT, "subscriptions of one session; more are refused with 0x97"),
    row("limits.queued_messages_max", COUNT, "messages that wait for one session"),
    row("limits.queued_bytes_max", MEMORY, "bytes of the messages that wait for one session"),
    row("limits.queue_policy", Word(&["drop-oldest", "drop-newest", "refuse"]), "which message a full session queue loses, or that its publisher is refused (0x97); every loss is counted and named"),
    row("limits.outbox_bytes_max", MEMORY, "bytes encoded and not yet taken by one connection"),
    row("limits.outbox_policy", Word(&["drop-newest", "disconnect"]), "QoS 0 for a client that does not read: lose the message, or the client (0x97)"),
    row("limits.slow_down_max_ms", Integer(0, 60_000), "how long publishers wait for a client that takes nothing while more than three quarters of its queue are full; 0: not at all"),
    row("limits.retained_messages_max", COUNT, "retained messages; a new topic is refused with 0x97 beyond"),
    row("limits.retained_bytes_max", MEMORY, "bytes of all retained messages; a new one is refused with 0x97 beyond"),
    row("limits.tick_work_max", Integer(100, 10_000_000), "expired sessions, wills and messages dealt with in one second at most"),
    row("limits.messages_per_second", RATE, "PUBLISH packets a second from one client, above it the client is read more slowly; 0: no limit"),
    row("limits.bytes_per_second", Size(0, 1 << 40), "bytes a second from one client, above it the client is read more slowly; 0: no limit"),
    row("limits.write_stall_max_s", Integer(1, 86_400), "how long a client may take nothing of what waits for it; then it is disconnected with 0x97, its session stays"),
    row("limits.answers_max", Integer(0, u32::MAX as u64), "answers of authenticators, and of authorizers, kept to be used again where they allow it; 0: none"),
    row("limits.answer_reuse_max_s", Integer(0, 86_400), "the longest time an answer of a plugin is used again, whatever it allows; 0: it is asked every time"),
    row("limits.plugin_instances_max", Integer(1, 100_000), "instances of all plugins alive at once; a call that needs one more fails"),

    row("shared_subscriptions.strategy", Word(SharedStrategy::NAMES), "which member of a shared subscription gets a message, among those that are connected and have room"),
    row("shared_subscriptions.strategies", WordByName(is_share_name, "share names", SharedStrategy::NAMES), "strategies of single share names, the NAME of $share/NAME/FILTER"),

    row("store.directory", DIRECTORY, "where sessions, their messages and retained messages are kept; each broker needs its own"),
    row("store.durability", Word(Durability::NAMES), "when a message that must survive is acknowledged: once on stable storage, once the operating system has it, or at once and then it survives nothing"),
    row("store.topics.filter", Text(is_unshared_filter, "a topic filter, such as \"telemetry/#\""), "topics with a level of their own; the first [[store.topics]] that matches decides"),
    row("store.topics.durability", Word(Durability::NAMES), "their level, instead of store.durability"),
    row("store.commit_interval_ms", Integer(0, 10_000), "the least time between two commits: larger ones, later acknowledgements; 0: as soon as the one before is done"),
    row("store.cache_bytes_max", MEMORY, "memory for parts of the store that were read or are about to be"),
    row("store.waiting_bytes_max", MEMORY, "bytes that wait to be written, above it publishers are slowed down"),

    row("admin.enabled", Flag, "whether there is an admin port, for /metrics, /healthz and /readyz, and for midge plugin"),
    row("admin.address", Address, "where it listens"),
    row("admin.allow_remote", Flag, "whether that may be beyond loopback; what is shown there has no authentication"),
    row("admin.token_file", FILE, "a file whose text must be shown by whoever changes something there; unless said, programs on this machine may"),

    row("swap.probation_s", Integer(0, 86_400), "how long the old generation of a plugin stands by after a reload of it, to answer what the new one cannot and to come back; 0: not at all"),
    row("swap.disagreements_max", Integer(0, 10_000), "disagreements of a shadow that are kept for midge plugin status"),
    row("swap.shadow_questions_max", Integer(1, 1_000_000), "questions that may wait for a shadow; more are counted and not put to it"),

    row("log.format", Word(&["text", "json"]), "lines for people, or one JSON object a line"),
    row("log.filter", Text(is_log_filter, "a level (error, warn, info, debug, trace) or a filter such as \"info,midge_host=debug\""), "the least level logged, or a filter by module"),

    row("runtime.shards", Integer(0, 64), "poll loops; 0: one for every 8 threads"),
    row("runtime.threads", Integer(0, 1024), "threads that serve clients; 0: one for each processor"),
    row("runtime.data_dir", DIRECTORY, "where the store is unless store.directory is said, and where compiled plugins are kept between starts"),

    row("sys.interval_s", Integer(0, 86_400), "how often $SYS/broker/... is published; 0: never"),

    row("shutdown.drain_ms", Integer(0, 600_000), "how long clients and plugins get to finish when the broker stops"),
    row("shutdown.wills", Word(&["publish", "withhold"]), "what becomes of the Wills of clients that the broker sends away as it stops"),
];
