// Midge's contract as TypeScript sees it. Written by types.mjs from the WIT files; do not edit. It is one long file so that one
// reference gives a plugin, and an editor, all modules of the contract; whoever changes it changes the short ones it comes from.

/**
 * The plugin's own pages on the broker's admin port, below `/plugins/NAME/`: to look into it, and to tell it things. Served
 * only if the operator grants it (`allow.admin`).
 *
 * GET and HEAD come from whoever reaches the admin port, browsers and their other pages among them: they must change nothing. All
 * other methods come from whom the operator lets change something: a program of the broker's machine that says `Midge-Admin: 1`,
 * or, where `admin.token_file` is set, whoever shows the token, which the plugin does not get to see. A web page cannot send them, and the
 * plugin's own cannot either: browsers are told to give them an origin of their own (`Content-Security-Policy: sandbox`).
 */
declare module "midge:plugin/admin" {
  /** One request. */
  export interface Request {
    /** "GET", "POST" … */
    method: string;
    /** What follows `/plugins/NAME` in the path, as it was sent: "/" at least. */
    path: string;
    /** What follows the `?`; empty without one. */
    query: string;
    /** Names in lower case and values, in order; those that only concern the connection are left out. */
    headers: Array<[string, string]>;
    /** The body, complete; at most `admin_bytes_max` of the plugin's limits, else the broker answers 413 itself. */
    body: Uint8Array;
  }
  /** The answer. */
  export interface Response {
    /** 200 to 599; anything else is an error. */
    status: number;
    /** Names and values, in order; those that frame the message or concern the connection are the broker's. */
    headers: Array<[string, string]>;
    /** The body; larger than `admin_bytes_max` is an error. */
    body: Uint8Array;
  }
  /**
   * Answers one request. What is changed here is known to this instance alone: what the others must know goes into `kv`.
   *
   * `err` is counted and answered with 502 and without its text, which goes into the log.
   */
  export function handle(request: Request): Response;
}

/**
 * May anybody connect from there? Asked when a connection is accepted, before TLS and before a byte is read, so that who is
 * not wanted costs next to nothing. A connection that is refused is closed without a word.
 *
 * It is called inline, on the thread that accepts: a component that exports it must import nothing that waits, and is not
 * loaded otherwise. Keep what must be known in `files` or `kv`.
 */
declare module "midge:plugin/admission" {
  import type { Reuse } from "midge:plugin/types";
  /** The decision, and whether it may be used again. */
  export interface Answer {
    /**
     * True: as far as this plugin is concerned. The other plugins with this hook are asked as well, and every one of them must
     * say so. False: the connection is closed.
     */
    admit: boolean;
    /** How long the broker may say the same again to connections from this address to this listener. `covers` is ignored here. */
    reuse: Reuse;
  }
  /**
   * May a client connect from `address`, an IPv4 or IPv6 address without port, to this listener? `err` applies `on_error`:
   * refused, unless the operator says otherwise.
   */
  export function admit(listener: string, address: string): Answer;
}

/** Who is this? Asked once per CONNECT that names no Authentication Method, in the order of the operator's chain. */
declare module "midge:plugin/authn" {
  import type { Credentials, Grant, Redirection, Refusal, Reuse } from "midge:plugin/types";
  import type { Connect } from "midge:plugin/connection";
  /** The decision. */
  export type Verdict =
    /** Let in as this. */
    | { tag: "allow"; val: Grant }
    /** Refuse; nobody else is asked. */
    | { tag: "deny"; val: Refusal }
    /** Not mine: ask the next authenticator. The chain's end refuses. */
    | { tag: "next" }
    /** Refuse, and send it to another server; nobody else is asked. */
    | { tag: "redirect"; val: Redirection };
  /** The decision, and whether it may be used again. */
  export interface Answer {
    /** The decision. */
    verdict: Verdict;
    /**
     * How long the broker may say the same again without asking, to a CONNECT with the same credentials: the same in
     * every field, of `peer` in the address and not in the port. A refusal too. `covers` is ignored here.
     *
     * What is fetched from `connect` is no part of the credentials: an answer given after a look at it is used once,
     * whatever this says. No answer is used beyond `grant.expires-at`. `broker.revoke` ends those about its principal, and
     * all refusals; a change in the plugin's backend alone does not.
     */
    reuse: Reuse;
  }
  /**
   * Decides on one CONNECT.
   *
   * `err` is a failure of the plugin or its backend, not a refusal: the broker applies the operator's
   * `on_error` (deny unless configured otherwise) and counts it.
   */
  export function authenticate(credentials: Credentials, connect: Connect): Answer;
}

/**
 * Who is this, in several steps: enhanced authentication of MQTT 5 (section 4.12), such as SCRAM or Kerberos.
 *
 * A CONNECT that names an Authentication Method is judged here and nowhere else: `authn` is not asked about it, and
 * this is not asked about a CONNECT without one. The first plugin of the operator's chain that serves the method
 * judges it alone; where none serves it, the client is refused with 0x8C. There is no `next`: a challenge would already
 * have told the client whose it is.
 *
 * An exchange belongs to no instance. What a plugin must remember between two steps it returns as `challenge.state`;
 * the broker keeps it, never shows it to the client, and hands it back with the client's reply, perhaps to another
 * instance or, after a reload, to a newer version of the plugin. So an exchange that a client leaves hanging costs its
 * state and no instance, a thousand of them block nobody, and there is nothing to abandon. How long an exchange of a
 * CONNECT may take (`connect_timeout_ms`) and how many steps one may have (`authentication_steps_max`) are the
 * operator's keys.
 */
declare module "midge:plugin/enhanced-authn" {
  import type { Credentials, Grant, Redirection, Refusal } from "midge:plugin/types";
  import type { Connect } from "midge:plugin/connection";
  /** Who is at the other end of an exchange. The same in all its steps. */
  export interface Candidate {
    /** The Authentication Method: one of `methods`. */
    method: string;
    /** What CONNECT said. In a re-authentication without password: the broker does not keep it. */
    credentials: Credentials;
    /**
     * Some: a client that was let in as this principal authenticates again (AUTH 0x19) while it goes on. The broker
     * ends its connection (0x87) if the grant is for another principal or client id.
     */
    principal?: string | null;
  }
  /** The broker's next word, and what the plugin needs to judge the reply. */
  export interface Challenge {
    /** Authentication Data of the AUTH packet (0x18); at most 65535 bytes. */
    data?: Uint8Array | null;
    /**
     * Given back to `proceed`; at most `state_bytes_max` bytes of the plugin's limits. It should not be trusted to be
     * of the same version of the plugin.
     */
    state: Uint8Array;
  }
  /** The exchange ends well. */
  export interface Success {
    /**
     * What the client is and may, as from `authn`. It replaces the grant of a client that authenticated again: its
     * identity, permissions, expiry and rates. `user-properties` and all other `limits` are CONNACK's and stay as they
     * were.
     */
    grant: Grant;
    /** Authentication Data of the CONNACK, or of the AUTH (0x00) that ends a re-authentication; at most 65535 bytes. */
    data?: Uint8Array | null;
  }
  /** What comes next. */
  export type Step =
    /** Ask the client and wait. */
    | { tag: "challenge"; val: Challenge }
    /** Let it in, or let it stay. */
    | { tag: "allow"; val: Success }
    /** Refuse: CONNACK with the refusal's code, or DISCONNECT with 0x87, and close. */
    | { tag: "deny"; val: Refusal }
    /** Refuse, or disconnect, and send it to another server. */
    | { tag: "redirect"; val: Redirection };
  /** The Authentication Methods served, such as "SCRAM-SHA-256"; at least one. Asked once, at load. */
  export function methods(): Array<string>;
  /**
   * Begins an exchange. `data` is the Authentication Data of CONNECT or of the AUTH that re-authenticates.
   *
   * `err` is a failure of the plugin or its backend, not a refusal: the broker applies the operator's `on_error`
   * (0x88 and close, unless configured otherwise; `next` asks the next plugin that serves the method) and counts it.
   */
  export function start(client: Candidate, data: Uint8Array | null, connect: Connect): Step;
  /**
   * Judges the reply to a challenge. `state` is the challenge's, `data` the Authentication Data of the client's AUTH.
   *
   * `err` refuses the client, whatever `on_error` says: no other plugin knows the exchange.
   */
  export function proceed(client: Candidate, state: Uint8Array, data: Uint8Array | null, connect: Connect): Step;
}

/**
 * May a client have this message? Asked about each message before it is sent, so only where nothing cheaper will do: what a client
 * may subscribe to is `authz`'s to say, and rules as data say it without any call.
 *
 * It is off unless the operator's `hooks` names it. Where it is on, a client gets what both its subscription and this hook allow,
 * whatever permissions its identity has. The publisher never waits for the answer, and no other client does: the message waits in
 * the session's queue, QoS 0 too, within that queue's bounds, and what comes behind it keeps its order.
 */
declare module "midge:plugin/authz-deliver" {
  import type { IdentityId, Qos, Reuse } from "midge:plugin/types";
  /** Who published a message. */
  export interface Publisher {
    /** The publisher's Client Identifier. */
    clientId: string;
    /**
     * The identity that has this Client Identifier now: none where nobody has. It is who published the message as far as
     * Client Identifiers are not handed on; a message may have waited for long.
     */
    who?: IdentityId | null;
  }
  /** A message on its way to a client. */
  export interface Delivery {
    /** The Topic Name. */
    topic: string;
    /** Who published it; none for what the broker or a plugin did. */
    publisher?: Publisher | null;
    /** The QoS it is sent with: of the message's and the subscription's the lower. */
    qos: Qos;
    /** Whether it is sent as a retained message: because a subscription was made, or with Retain As Published. */
    retain: boolean;
  }
  /** The decision. */
  export type Verdict =
    /** Yes; nobody else is asked. */
    | "allow"
    /**
     * No: the message is dropped for this client and counted as `denied`. Nobody is told, and no other member of a shared
     * subscription gets it instead.
     */
    | "deny"
    /** Not mine: ask the next plugin with this hook. The chain's end refuses. */
    | "next";
  /** The decision with its conditions. */
  export interface Ruling {
    /** The decision. */
    verdict: Verdict;
    /**
     * Whether the broker may use it again: for every message of the topic, or of the topics it covers, whoever published it, with
     * whatever QoS and RETAIN. Who looks at those grants none.
     */
    reuse: Reuse;
  }
  /**
   * May `who` have these? One call for what can be sent to a client next, up to some hundred messages; one ruling for each, in order
   * (any other number is an error). A message that waited for its client is asked about when it can be sent, one that is sent
   * again on another connection is not. `err` applies `on_error` to all of them.
   */
  export function authorizeDeliver(who: IdentityId, deliveries: Array<Delivery>): Array<Ruling>;
}

/** May a client end a subscription? Without this hook every client may. */
declare module "midge:plugin/authz-unsubscribe" {
  import type { IdentityId, Refusal } from "midge:plugin/types";
  /** The decision on one filter. */
  export type Verdict =
    /** Yes; nobody else is asked. */
    | { tag: "allow" }
    /** No: the subscription stays, and UNSUBACK says so. Clients of 3.1 and 3.1.1 cannot be told. */
    | { tag: "deny"; val: Refusal }
    /** Not mine: ask the next plugin with this hook. The chain's end refuses. */
    | { tag: "next" };
  /**
   * One call per UNSUBSCRIBE; one verdict per filter, in order (any other number is an error). The filters are as
   * subscribed, with `$share/NAME/` where they have it. `err` applies `on_error` to all of them.
   */
  export function authorizeUnsubscribe(who: IdentityId, filters: Array<string>): Array<Verdict>;
}

/**
 * May a client leave this Will? Asked at CONNECT, after its permissions or `authz.authorize-publish` have allowed its topic:
 * for what those cannot know, such as its delay and its payload. Without this hook they alone decide.
 */
declare module "midge:plugin/authz-will" {
  import type { IdentityId, Message, Refusal } from "midge:plugin/types";
  /** The decision. */
  export type Verdict =
    /** Yes; nobody else is asked. */
    | { tag: "allow" }
    /** No: the client is not let in. */
    | { tag: "deny"; val: Refusal }
    /** Not mine: ask the next plugin with this hook. The chain's end refuses. */
    | { tag: "next" };
  /**
   * May `who` leave `will`, to be published `delay` seconds after its connection is lost? The payload is empty where the
   * operator's `fields` do not show it. `err` applies `on_error`.
   */
  export function authorizeWill(who: IdentityId, will: Message, delay: number): Verdict;
}

/**
 * May this identity do that? Without this hook, and without `permissions` in the grant, every client may. `authz-unsubscribe`,
 * `authz-will` and `authz-deliver` are hooks of their own for what is rarely asked. The hottest hook: nothing but the question crosses the boundary.
 */
declare module "midge:plugin/authz" {
  import type { Identity, IdentityId, Permission, Qos, Reuse, Refusal } from "midge:plugin/types";
  /** The decision. */
  export type Verdict =
    /** Yes; nobody else is asked. */
    | "allow"
    /** No; nobody else is asked. */
    | "deny"
    /** Not mine: ask the next authorizer. The chain's end refuses. */
    | "next";
  /** The decision with its conditions. */
  export interface Ruling {
    /** The decision. */
    verdict: Verdict;
    /** Subscribe: the maximum granted. Publish: above it is refused. Read when `verdict` is allow. */
    maxQos: Qos;
    /** Whether the broker may use the ruling again. */
    reuse: Reuse;
    /** Read when `verdict` is deny; none = 0x87 Not authorized. */
    refusal?: Refusal | null;
  }
  /** One filter of a SUBSCRIBE. */
  export interface Subscription {
    /** The topic filter, without any `$share/NAME/`. */
    filter: string;
    /** The QoS asked for. */
    qos: Qos;
    /** No Local. */
    noLocal: boolean;
    /** The name of the shared subscription, if it is one. */
    share?: string | null;
  }
  /**
   * The whole authorization of an identity as data. Asked once per identity, before its first action. Some: the
   * broker evaluates the rules itself and asks no further. None: this plugin is asked per action.
   */
  export function permissions(id: IdentityId, who: Identity): Array<Permission> | null;
  /**
   * May `who` publish this? Also asked for the Will, at CONNECT, and before `authz-will`; what a plugin changes or adds by
   * `messages` or `broker.publish` is not asked about.
   */
  export function authorizePublish(who: IdentityId, topic: string, qos: Qos, retain: boolean): Ruling;
  /** May `who` subscribe? One call per SUBSCRIBE; one ruling per filter, in order (any other number is an error). */
  export function authorizeSubscribe(who: IdentityId, subscriptions: Array<Subscription>): Array<Ruling>;
  /** The identity's connection and session are gone: forget what was cached under its id. */
  export function identityGone(who: IdentityId): void;
}

/**
 * The rarely needed facts of a connection that asks to be let in, or to stay, fetched on demand. A resource can get new
 * getters without breaking anyone, which a record cannot.
 */
declare module "midge:plugin/connection" {
  import type { Qos, UserProperty } from "midge:plugin/types";
  /** The Will of a CONNECT. */
  export interface Will {
    /** Will Topic. */
    topic: string;
    /** Will QoS. */
    qos: Qos;
    /** Will Retain. */
    retain: boolean;
    /** Will Payload. */
    payload: Uint8Array;
  }
  /**
   * One CONNECT under consideration; valid during the call it was lent to. No getter waits. In a re-authentication it
   * is the CONNECT of the connection, without its Will.
   */
  export interface Connect {
    /** Clean Start (MQTT 5) or Clean Session. */
    cleanStart(): boolean;
    /** Keep Alive in seconds as the client asked; 0 = off. */
    keepAlive(): number;
    /** Session Expiry Interval in seconds as the client asked; 0xFFFFFFFF = never. */
    sessionExpiry(): number;
    /** The Will, if there is one. */
    will(): Will | null;
    /** The User Properties of CONNECT, in order. */
    userProperties(): Array<UserProperty>;
    /** The TLS server name the client asked for. */
    serverName(): string | null;
    /** The verified client certificate chain, DER, leaf first; empty without one. */
    certificates(): Array<Uint8Array>;
    /** The subject alternative names of the leaf, as "DNS:…", "URI:…", "IP:…" or "email:…". */
    alternativeNames(): Array<string>;
    /** A header of the HTTP upgrade request, for WebSocket clients; the name in any case. */
    httpHeader(name: string): string | null;
    /**
     * Data that binds an exchange to the TLS connection it runs over, so that nobody in between can pass it on.
     * "tls-exporter" (RFC 9266) where TLS 1.3 is spoken, "tls-server-end-point" (RFC 5929) where the server's
     * certificate defines it; none for any other kind, and without TLS.
     */
    channelBinding(kind: string): Uint8Array | null;
  }
}

/**
 * What happened in the broker, in batches; lossy under overload, and losses are reported as `events.lost`.
 *
 * | kind | told when | `topic` | `detail` |
 * |---|---|---|---|
 * | `client.connected` | a client was let in | | `peer`, `listener`, `tenant` if it has one, `mqtt`, `session_present` |
 * | `client.reauthenticated` | a connected client authenticated again | | |
 * | `client.disconnected` | its connection ended | | `end` (one word), `reason`, `peer`, `listener`, `tenant` if it has one |
 * | `client.refused` | a CONNECT was refused by the broker itself | | `end` (one word), `reason`, `peer`, `listener` |
 * | `authn.denied` | a CONNECT was refused by plugins, or because they failed | | `plugin`, `hook`, `cause`, `reason`, `peer`, `listener` |
 * | `authz.denied` | a PUBLISH, or a filter of a SUBSCRIBE or UNSUBSCRIBE, was refused by plugins or permissions | the topic or filter | `action`, `plugin`, `hook`, `cause`, `reason` |
 * | `client.subscribed` | a subscription was made or replaced; `reason-code` is the QoS granted | the filter | |
 * | `client.unsubscribed` | a client ended a subscription | the filter | |
 * | `subscription.revoked` | a subscription ended because its client may not have it any more | the filter | |
 * | `session.created` | a client was let in to a session of its own | | |
 * | `session.resumed` | a client came back to a session | | `before`: the principal whose it was, if that is another |
 * | `session.taken_over` | a newer connection of the client id displaced an older one, which the event is about | | `by`: the principal of the newer one |
 * | `session.ended` | a session is gone | | `cause`: closed, expired, clean_start, administrative |
 * | `message.dropped` | `count` messages did not reach the client | of the first | `reason`: queue_full, outbox_full, too_large, expired, session_ended, unreadable, refused, denied |
 * | `retained.set`, `retained.cleared` | a message with RETAIN was routed | its topic | `bytes` |
 * | `will.published` | a Will was published | its topic | |
 * | `events.lost` | `count` events before this one were lost | | |
 *
 * Events about sessions, messages and Wills are about the client that the session has, or had last: `principal` is there also
 * when that is away, and after a restart of the broker. It is none only of a session that an earlier release has kept and to
 * which nobody has come back since.
 */
declare module "midge:plugin/events" {
  /** One thing that happened. */
  export interface Event {
    /** One of the table above. Any release adds kinds; ignore the unknown. */
    kind: string;
    /** When, in milliseconds since the Unix epoch. */
    atMs: number;
    /** The node it happened on. */
    node: string;
    /** The client it is about. */
    clientId?: string | null;
    /** The client's principal, once authenticated. What a client only says of itself is in no event. */
    principal?: string | null;
    /** The topic it is about. */
    topic?: string | null;
    /** The reason code the client was given, or gave. */
    reasonCode?: number | null;
    /** Equal events folded into this one; at least 1. */
    count: number;
    /** Facts particular to the kind as a JSON object; "" when there are none. */
    detail: string;
  }
  /** Takes a batch, oldest first. `err` is counted and logged; the batch is not offered again. */
  export function onEvents(batch: Array<Event>): void;
}

/** Structured logs. They appear in the broker's log with the plugin's name; a flood is cut off and counted. */
declare module "midge:plugin/log" {
  /** How much it matters. */
  export type Level =
    /** Every step. */
    | "trace"
    /** What a developer wants to see. */
    | "debug"
    /** Life as usual, worth a line. */
    | "info"
    /** Something was lost or refused for cause. */
    | "warn"
    /** The operator must act. */
    | "error";
  /** Whether anyone reads this level: ask before building an expensive message. */
  export function enabled(level: Level): boolean;
  /** Writes one line. `fields` are name and value pairs. Never put credentials in. */
  export function write(level: Level, message: string, fields: Array<[string, string]>): void;
}

/** The plugin's own `config` table. Fixed for the life of the instance; never waits. */
declare module "midge:plugin/config" {
  /** A scalar by dotted path, as text; none when it is absent or no scalar. */
  export function get(path: string): string | null;
  /** The whole table as a JSON object, "{}" when there is none. */
  export function json(): string;
}

/** The facts behind an identity id. Never waits. */
declare module "midge:plugin/identities" {
  import type { IdentityId, Identity } from "midge:plugin/types";
  /** None when the identity is gone. */
  export function get(id: IdentityId): Identity | null;
}

/** Time and randomness without WASI. Never waits. */
declare module "midge:plugin/clock" {
  /** Milliseconds since the Unix epoch. */
  export function unixMs(): number;
  /** Nanoseconds since some moment; never goes back. */
  export function monotonicNs(): number;
  /** `len` unpredictable bytes from the operating system; at most 65536 in one call. */
  export function random(len: number): Uint8Array;
}

/**
 * Metrics of the plugin's own: `midge_custom_METRIC`, of a counter with `_total` behind it, each with the label `plugin`. The
 * host bounds how many names and labels there can be; what is over is dropped and counted. Never waits.
 */
declare module "midge:plugin/metrics" {
  /** Adds to a counter. */
  export function add(counter: string, labels: Array<[string, string]>, by: number): void;
  /** Sets a gauge. */
  export function set(gauge: string, labels: Array<[string, string]>, to: number): void;
  /** Records a value in a histogram. */
  export function observe(histogram: string, labels: Array<[string, string]>, value: number): void;
}

/** Secrets, each granted by name in the config and loaded with the plugin; never in logs. Never waits. */
declare module "midge:plugin/secrets" {
  /** Why there is no secret. */
  export type Error =
    /** The config grants this plugin no secret of that name. */
    | "not-granted"
    /** Granted, but there was nothing to load. */
    | "missing";
  /** The secret's bytes. */
  export function get(name: string): Uint8Array;
}

/**
 * Memory of this node, shared by all instances of the plugin and kept over reloads, and over restarts where the
 * config says so: then an entry is on the disk within a tenth of a second. Bounded: the oldest entries go first.
 * Store names are granted in the config. Never waits.
 */
declare module "midge:plugin/kv" {
  /** Why nothing was done. */
  export type Error =
    /** The config grants this plugin no store of that name. */
    | "not-granted"
    /**
     * The key or value alone is larger than the store may grow, or the store outlives restarts and the disk is full or
     * fails.
     */
    | "over-quota";
  /** The value under a key. */
  export function get(store: string, key: string): Uint8Array | null;
  /** Sets a value; `ttl-ms` 0 = keep. */
  export function set(store: string, key: string, value: Uint8Array, ttlMs: number): void;
  /** Removes a key; says whether it was there. */
  function deleteIt(store: string, key: string): boolean;
  export { deleteIt as delete };
  /**
   * Adds and returns the new value, atomically (absent or no number = 0, saturating; kept as decimal text).
   * The ttl is set when the key is created.
   */
  export function increment(store: string, key: string, by: number, ttlMs: number): number;
}

/**
 * Files, each granted by its path in the config: small ones to read, and ones to append to. The host keeps the content
 * of the first in memory and looks for changes about once a second, and has a queue in front of the second, so nothing
 * here ever waits.
 */
declare module "midge:plugin/files" {
  /** Why there is no content. */
  export type Error =
    /** The config grants this plugin no such file. */
    | { tag: "not-granted" }
    /** There is no such file, or it cannot be read; with the operating system's words. */
    | { tag: "unreadable"; val: string }
    /** Larger than the host keeps (16 MiB unless configured). */
    | { tag: "too-large" };
  /** The file's bytes. `path` is written as in the grant. */
  export function read(path: string): Uint8Array;
  /** A number that changes whenever `read` would answer differently: cheap enough to ask on every call. */
  export function version(path: string): number;
  /** Why nothing was appended. */
  export type AppendError =
    /** The config does not let this plugin append to such a file. */
    | "not-granted"
    /** Too much waits to be written, or the file is as large as it may grow. The host has counted it. */
    | "over-quota";
  /**
   * Adds bytes at the end of a file, all of them or none; those of two calls are never mixed. `ok` means that they wait
   * to be written, in the order of the calls: the operating system has them a moment later, or, where the disk is full
   * or fails, once it works again. `path` is written as in the grant, which says how large the file may grow and whether
   * it then makes room for a new one. The host makes the file, for its own user alone, and finds it again where somebody
   * else has moved it away (logrotate).
   */
  export function append(path: string, data: Uint8Array): void;
}

/**
 * One buffered HTTP exchange over the broker's pooled, TLS-verified client. Only to origins the config grants;
 * redirects are not followed; bodies are capped. The caller waits.
 */
declare module "midge:plugin/http" {
  /** What to send. */
  export interface Request {
    /** "GET", "POST" … */
    method: string;
    /** Absolute, http or https. */
    url: string;
    /** Names and values, in order; `host` and `content-length` are the host's. */
    headers: Array<[string, string]>;
    /** The body; may be empty. */
    body: Uint8Array;
    /** Milliseconds; cut to the time left for the hook. */
    timeoutMs: number;
  }
  /** What came back. */
  export interface Response {
    /** The status code. */
    status: number;
    /** Names in lower case, and values. */
    headers: Array<[string, string]>;
    /** The body, complete. */
    body: Uint8Array;
  }
  /** Why nothing came back. */
  export type Error =
    /** The origin is not granted; with the line that would grant it. */
    | { tag: "not-granted"; val: string }
    /** No complete answer in time. */
    | { tag: "timeout" }
    /** No connection. */
    | { tag: "connect"; val: string }
    /** The server's certificate or the handshake failed. */
    | { tag: "tls"; val: string }
    /** The response is larger than the host allows (1 MiB unless configured). */
    | { tag: "too-large" }
    /** As many exchanges are under way as the plugin may have at once, and none of them ended in time. */
    | { tag: "overloaded" }
    /** Anything else, such as a malformed url. */
    | { tag: "other"; val: string };
  /** Sends and waits for the answer. Any status is an `ok`. */
  export function send(request: Request): Response;
}

/** Native cryptography: 5 to 25 times faster than the same code in Wasm. Never waits. */
declare module "midge:plugin/crypto" {
  /** Signature and MAC algorithms, by their JOSE names. */
  export type Algorithm =
    /** HMAC with SHA-256. */
    | "hs256"
    /** HMAC with SHA-384. */
    | "hs384"
    /** HMAC with SHA-512. */
    | "hs512"
    /** RSASSA-PKCS1-v1_5 with SHA-256. */
    | "rs256"
    /** RSASSA-PKCS1-v1_5 with SHA-384. */
    | "rs384"
    /** RSASSA-PKCS1-v1_5 with SHA-512. */
    | "rs512"
    /** RSASSA-PSS with SHA-256. */
    | "ps256"
    /** RSASSA-PSS with SHA-384. */
    | "ps384"
    /** RSASSA-PSS with SHA-512. */
    | "ps512"
    /** ECDSA on P-256 with SHA-256; the signature is r and s, 64 bytes. */
    | "es256"
    /** ECDSA on P-384 with SHA-384; the signature is r and s, 96 bytes. */
    | "es384"
    /** Ed25519. */
    | "eddsa";
  /** Why no answer could be given. */
  export type Error =
    /** The key does not fit the algorithm. */
    | { tag: "bad-key"; val: string }
    /** The input is unusable. */
    | { tag: "bad-input"; val: string }
    /** The broker was built without it. */
    | { tag: "unsupported" };
  /**
   * Whether the signature is right. `key`: raw bytes for HS*, otherwise SubjectPublicKeyInfo in DER. HMACs are
   * compared in constant time.
   */
  export function verify(algorithm: Algorithm, key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  /** SHA-256, 32 bytes. */
  export function sha256(data: Uint8Array): Uint8Array;
  /** SHA-512, 64 bytes. */
  export function sha512(data: Uint8Array): Uint8Array;
}

/** Password hashes: slow on purpose, so they run on the broker's blocking pool. The caller waits. */
declare module "midge:plugin/passwords" {
  /** Why no answer could be given. */
  export type Error =
    /** Not a hash this function understands; with what is wrong. */
    | { tag: "bad-hash"; val: string }
    /** A scheme this broker does not know, or costs it refuses to pay. */
    | { tag: "unsupported" }
    /** Too many verifications are waiting. */
    | { tag: "overloaded" };
  /**
   * Whether the password belongs to the hash. `encoded`: `$argon2id$…` (also `$argon2i$`, `$argon2d$`), `$2b$…`
   * (also `$2a$`, `$2y$`), `$pbkdf2-sha256$i=N$SALT$HASH` or `$pbkdf2-sha512$…` (salt and hash in base64
   * without padding, `l=` allowed).
   */
  export function verify(encoded: string, password: Uint8Array): boolean;
}

/**
 * Acting on the broker. Each function is granted separately and counted against quotas. Calls are queued and
 * take effect after the hook has returned: no re-entrance. A plugin's sink never gets what the plugin published.
 * Never waits.
 */
declare module "midge:plugin/broker" {
  import type { Message, ReasonCode, Redirection } from "midge:plugin/types";
  /** Why the request was not taken. */
  export type Error =
    /** The config does not grant it. */
    | { tag: "not-granted" }
    /** Too many requests from this plugin are waiting. */
    | { tag: "over-quota" }
    /** The message or code is not valid; with what is wrong. */
    | { tag: "invalid"; val: string };
  /** Publishes a message, to topics the config grants. */
  export function publish(message: Message): void;
  /** Ends a client's connection with this reason code, if it has one. `keep-session` false also ends its session. */
  export function disconnect(clientId: string, code: ReasonCode, keepSession: boolean): void;
  /** Ends a client's connection, if it has one, and sends it to another server. Its session stays here. */
  export function redirect(clientId: string, to: Redirection): void;
  /**
   * What was said about a principal holds no longer: remembered answers are forgotten. A plugin that authenticates so has
   * its connected clients disconnected with 0x87, so that they authenticate anew. One that only authorizes has the broker
   * ask about them again, under new identities: they stay, and lose the subscriptions that they may not have any more.
   */
  export function revoke(principal: string): void;
}

/** Optional. A plugin without it is ready at once and is called for what the config names. */
declare module "midge:plugin/lifecycle" {
  /** Where this instance finds itself. */
  export interface Environment {
    /** The broker's version, as in `midge --version`. */
    brokerVersion: string;
    /** The name of this node. */
    node: string;
    /** The plugin's name in the config. */
    name: string;
    /** This instance's number, from 0. */
    instance: number;
    /** How many instances may live side by side. */
    instances: number;
  }
  /** What the plugin wants to be called for. */
  export interface Registration {
    /**
     * Topic filters that `messages` and `sink` are wanted for; empty = all the operator's `topics` name.
     * Narrows the operator's choice and never widens it.
     */
    topics: Array<string>;
    /** False: payloads arrive empty, which saves copying them. */
    wantsPayload: boolean;
  }
  /**
   * Called once per instance, before any other function; read the config here and refuse a bad one. `err` stops
   * the start-up (first load) or keeps the old generation in service (reload), with this text in the log.
   */
  export function init(environment: Environment): Registration;
  /**
   * Called when the plugin is loaded, and whenever somebody asks for `/readyz`; `err` makes the plugin unhealthy there, and keeps
   * the old generation in service at a reload.
   */
  export function health(): void;
  /**
   * The last call of an instance whose `init` went well, behind `sink.flush` where the plugin is a sink. It comes when the plugin is
   * replaced or the broker stops, and when this instance alone is: it has had `limits.calls_max` calls, its memory has grown beyond
   * three quarters of `limits.memory_bytes_max`, or it was not needed for a minute. Nobody waits for it, and other instances may be
   * in service. It has `limits.init_cpu_ms` and `limits.wait_ms`, at the end of the broker no more than `shutdown.drain_ms` for all.
   * What it orders from the broker is carried out. Send or store here what you hold back.
   *
   * It does not come to an instance that trapped, missed a deadline, or was waiting for its backend when its client went away: that
   * one cannot be called any more. `midge_plugin_lost_total` counts these, and the log names the plugin. So what must not be lost
   * belongs into `kv`, a file or a backend before the call returns that brought it.
   */
  export function shutdown(): void;
}

/**
 * Change, drop, multiply or refuse messages before they are routed. Called for topics that the operator's
 * `topics` and `lifecycle.registration.topics` both name.
 */
declare module "midge:plugin/messages" {
  import type { Inbound, Message, Refusal } from "midge:plugin/types";
  /** What becomes of one message. */
  export type Action =
    /** Route it as it is. */
    | { tag: "keep" }
    /** Route this instead. */
    | { tag: "replace"; val: Message }
    /** Route these instead, in order. */
    | { tag: "replace-with-many"; val: Array<Message> }
    /** Route nothing, but acknowledge it as received. */
    | { tag: "drop" }
    /** Route nothing; the reason code goes into PUBACK or PUBREC. */
    | { tag: "refuse"; val: Refusal };
  /**
   * Decides on a batch: one action per message, in order (any other number is an error). The broker sends what
   * is waiting, 1 to `max_batch`, and never waits to fill a batch. What comes out is not offered to this hook again.
   */
  export function onPublish(batch: Array<Inbound>): Array<Action>;
}

/**
 * Hand messages to a backend: a database, a queue, an HTTP endpoint. At least once while the broker's process
 * lives: a message leaves the plugin's bounded queue only as `done` or `reject`.
 */
declare module "midge:plugin/sink" {
  import type { Inbound } from "midge:plugin/types";
  /** One message to be delivered. */
  export interface Delivery {
    /** Grows by one per message of this sink; starts at 1 with the broker's process. */
    sequence: number;
    /** How often it was tried before; 0 on the first try. */
    attempt: number;
    /** The message with where it came from. */
    inbound: Inbound;
  }
  /** What became of one message. */
  export type Outcome =
    /** Delivered. */
    | { tag: "done" }
    /** Try again, no sooner than in this many milliseconds (the broker adds jitter and a ceiling). */
    | { tag: "retry"; val: number }
    /** Never try again: logged with this text and counted. */
    | { tag: "reject"; val: string };
  /**
   * Delivers a batch: one outcome per delivery, in order (any other number is an error). `err` = try the whole
   * batch again, with back-off.
   */
  export function deliver(batch: Array<Delivery>): Array<Outcome>;
  /** Called before the instance is retired and at shutdown: send what is buffered. */
  export function flush(): void;
}

/**
 * Connections over TCP to hosts the config grants, with TLS by the host where it is asked for. What is spoken over them
 * (Redis, PostgreSQL, NATS, LDAP …) is the plugin's; in Rust a client without I/O of its own is a good start.
 *
 * A connection belongs to the instance that opened it and stays open between its calls: keep it, and open another when it
 * fails. It ends with the instance, which may be at any time: after a trap or a missed deadline, at a reload, or when the
 * instance is replaced because it is old. Nobody waits for what was written last then, so a plugin that must know reads an
 * answer.
 *
 * The host resolves names, and judges every address a name leads to as well as the name: public ones may be reached,
 * private ones with `tcp_private`, this machine and link-local ones only if the config lists the address itself.
 *
 * Everything but `is-open` waits, and so the caller does. Each call waits `timeout-ms` at most, cut to the time left for the hook; 0
 * asks for all of that. What waits until the hook's own time is over costs the instance, like every missed deadline, so ask
 * for less than the hook has.
 */
declare module "midge:plugin/tcp" {
  /** Why nothing came of it. */
  export type Error =
    /** The host and port are not granted, or the name leads to an address that is not; with the line that would grant it. */
    | { tag: "not-granted"; val: string }
    /**
     * Not in time. A read may be tried again; after a write or a handshake the connection is closed, since nobody knows how
     * much of it arrived.
     */
    | { tag: "timeout" }
    /** No connection: the name has no address, or nobody answers there. */
    | { tag: "connect"; val: string }
    /** The server's certificate or the handshake failed. The connection is closed. */
    | { tag: "tls"; val: string }
    /** The connection is closed: by this side after an earlier failure, or by the other, which a write may notice late. */
    | { tag: "closed" }
    /** The plugin has as many connections as it may, `tcp_connections_max` of its limits for all its instances and 32 for one. */
    | { tag: "overloaded" }
    /** Anything else, in the operating system's words. The connection is closed. */
    | { tag: "other"; val: string };
  /** An open connection. Drop it to close it. */
  export interface Connection {
    /**
     * Goes on with TLS: the server's certificate must be good for `server-name` (none = the host's name or address), signed by
     * a public authority or one of the config's `tcp_ca_file`. Call it at once, or where the protocol says so (STARTTLS). Not
     * twice.
     */
    secure(serverName: string | null, timeoutMs: number): void;
    /**
     * What has arrived, as soon as anything has: at least one byte and at most `max`, never more than 65536. Empty: the other
     * side has sent all it will. `max` 0 is an `other`.
     */
    read(max: number, timeoutMs: number): Uint8Array;
    /** Writes all of it. */
    write(bytes: Uint8Array, timeoutMs: number): void;
    /**
     * Whether it is worth a try: false once it failed, or once the other side is known to have closed. Never waits. A connection
     * that was idle may be closed and not known to be.
     */
    isOpen(): boolean;
  }
  /** Opens a connection to a host, by name or address, and port. The first address that answers is taken. */
  export function connect(host: string, port: number, timeoutMs: number): Connection;
}

/**
 * The plugin's own turn, again and again without anybody asking: refresh keys or a list of who is revoked, send what was
 * gathered, look after a backend.
 */
declare module "midge:plugin/ticker" {
  /**
   * One turn. The first comes as soon as the plugin is in service, each other `tick_interval_ms` of the operator's config
   * after the one before has ended; a new generation has its first at once. There is never more than one under way of a
   * plugin, whatever its number of instances, also while one generation follows another.
   *
   * It is called in whichever instance is free. What the others must know goes into `kv`, or is revoked by
   * `broker.revoke`. All imports may be used.
   *
   * `err` is counted and logged; the next turn comes all the same, unless turns fail again and again: then they are left out
   * for up to half a minute at a time.
   */
  export function tick(): void;
}

/** Words shared by all hooks. Names are those of the MQTT specification. */
declare module "midge:plugin/types" {
  /** The MQTT version a client speaks. */
  export type Protocol =
    /** MQTT 3.1 (protocol name "MQIsdp"). */
    | "v31"
    /** MQTT 3.1.1. */
    | "v311"
    /** MQTT 5.0. */
    | "v5";
  /** Quality of Service. */
  export type Qos =
    /** QoS 0. */
    | "at-most-once"
    /** QoS 1. */
    | "at-least-once"
    /** QoS 2. */
    | "exactly-once";
  /**
   * An MQTT 5 Reason Code (section 2.4). The broker translates it for 3.1 and 3.1.1 clients where their
   * version has a place for it, and otherwise drops the message or closes the connection.
   */
  export type ReasonCode = number;
  /** An MQTT 5 User Property: name and value. */
  export type UserProperty = [string, string];
  /**
   * Names one *immutable* authenticated identity. Re-authentication makes a new id and ids are never reused
   * while the process lives, so whatever a plugin caches under an id cannot go stale. Look the facts up once
   * with `identities.get`, keep them, and drop them on `authz.identity-gone`.
   */
  export type IdentityId = number;
  /** What authentication established about a client. */
  export interface Identity {
    /** The Client Identifier in use, after any replacement by the authenticator. */
    clientId: string;
    /** The stable name of the user or device: the subject of permissions, quotas and audit. */
    principal: string;
    /** The label of the tenant, if the authenticator gave one. It changes no topic; rules may say `%t`. */
    tenant?: string | null;
    /** Facts the authenticator attached (`grant.attributes`), in its order. */
    attributes: Array<[string, string]>;
    /** The name of the listener the client came in by. */
    listener: string;
    /** The client's address, "ip:port". */
    peer: string;
    /** The MQTT version the client speaks. */
    protocol: Protocol;
  }
  /** An application message. The property set is closed by the MQTT 5 specification. */
  export interface Message {
    /** The Topic Name: at least one character, no wildcards, no U+0000. */
    topic: string;
    /** The Application Message itself; empty when the plugin registered with `wants-payload` false. */
    payload: Uint8Array;
    /** The Quality of Service it was or is to be published with. */
    qos: Qos;
    /** Whether the message is retained (an empty payload then removes the retained message). */
    retain: boolean;
    /** Payload Format Indicator 1: the sender says the payload is UTF-8. */
    payloadIsUtf8: boolean;
    /** Message Expiry Interval: seconds left to live; none = for ever. */
    messageExpiry?: number | null;
    /** Content Type. */
    contentType?: string | null;
    /** Response Topic. */
    responseTopic?: string | null;
    /** Correlation Data. */
    correlationData?: Uint8Array | null;
    /** User Properties, in order. */
    userProperties: Array<UserProperty>;
  }
  /** A message a client published, with where it came from. */
  export interface Inbound {
    /** The publisher's identity; `identities.get` has the facts while its session lives. */
    who: IdentityId;
    /** The publisher's Client Identifier. */
    clientId: string;
    /** When the broker received it, in milliseconds since the Unix epoch. */
    receivedAt: number;
    /** The message as published. */
    message: Message;
  }
  /** A refusal, as the client will see it. */
  export interface Refusal {
    /**
     * Goes into CONNACK, SUBACK, PUBACK or PUBREC. Values below 0x80 are no refusal: the broker then sends
     * 0x87 Not authorized and logs the plugin's mistake.
     */
    code: ReasonCode;
    /** Sent as Reason String to MQTT 5 clients that allow problem information; always logged. */
    reason?: string | null;
  }
  /**
   * Another server for a client to use (MQTT 5, 4.11). A client of 3.1 or 3.1.1 cannot be told: it is refused as by a
   * server that is not available, or disconnected.
   */
  export interface Redirection {
    /**
     * The Server Reference: "host" or "host:port", an IPv6 address in brackets; several are separated by spaces, the first
     * choice first. 1 to 65535 bytes without U+0000. What the client makes of it is the client's.
     */
    serverReference: string;
    /** True: Server moved (0x9D), the client should forget this one. False: Use another server (0x9C), this time. */
    permanent: boolean;
    /** Sent as Reason String to MQTT 5 clients that allow problem information; always logged. */
    reason?: string | null;
  }
  /** How long, and for what, the broker may use an answer again without asking. */
  export interface Reuse {
    /** Milliseconds; 0 = never. The operator's `limits.answer_reuse_max_s` caps it. */
    ttlMs: number;
    /**
     * A topic filter that contains the topic or filter asked about: the answer then holds for everything it
     * contains (same identity, same action). None = for exactly what was asked.
     */
    covers?: string | null;
  }
  /** What a permission does when it applies. */
  export type Effect =
    /** Allow the action. */
    | "allow"
    /** Refuse the action. */
    | "deny";
  /** What a permission is about. */
  export interface Actions {
    /** PUBLISH, the Will included. */
    publish?: boolean;
    /** SUBSCRIBE. */
    subscribe?: boolean;
  }
  /**
   * A rule the broker evaluates itself, without calling any plugin. Of a list of rules the first that applies
   * decides; when none applies the action is refused.
   *
   * A rule applies to a PUBLISH whose topic its filter matches. An `allow` applies to a SUBSCRIBE whose filter
   * it contains entirely; a `deny` applies to a SUBSCRIBE whose filter has any topic in common with it, so a
   * wide subscription cannot reach round a narrow prohibition.
   */
  export interface Permission {
    /** Allow or deny. */
    effect: Effect;
    /** The actions it is about. */
    actions: Actions;
    /**
     * A topic filter in which `%c`, `%u` and `%t` stand for client id, principal and tenant. Names never act as
     * wildcards or extra levels: where the value is absent, empty or has `/`, `+` or `#` in it, an `allow`
     * applies to nothing and a `deny` to every topic.
     */
    topicFilter: string;
    /** Allow only. PUBLISH above it is refused; SUBSCRIBE is granted at most this. */
    maxQos: Qos;
    /** Allow only. Whether publishing with RETAIN is allowed. */
    retain: boolean;
  }
  /** What a client that wants to be let in says about itself; the rest is on `connection.connect`. */
  export interface Credentials {
    /** The Client Identifier, or the one the broker chose when the client sent none. */
    clientId: string;
    /** User Name of CONNECT. */
    username?: string | null;
    /** Password of CONNECT; also none when the operator did not let this plugin see it. */
    password?: Uint8Array | null;
    /** Subject common name of the verified client certificate. */
    certificateCn?: string | null;
    /** The name of the listener the client came in by. */
    listener: string;
    /** The client's address, "ip:port". */
    peer: string;
    /** The MQTT version the client speaks. */
    protocol: Protocol;
    /** Whether the connection is encrypted. */
    tls: boolean;
  }
  /**
   * Limits for this client; each only narrows the broker's own. None = the broker's. What CONNACK can tell, an MQTT 5
   * client is told.
   */
  export interface Limits {
    /** PUBLISH packets a second. */
    publishPerSecond?: number | null;
    /** Bytes received a second. */
    bytesPerSecond?: number | null;
    /** Unacknowledged QoS 1 and 2 messages towards the client. */
    inflight?: number | null;
    /** Messages kept for the client while it cannot take them. */
    queuedMessages?: number | null;
    /** Session Expiry Interval, seconds. */
    sessionExpiry?: number | null;
    /** Maximum Packet Size towards the broker, bytes. */
    packetSize?: number | null;
    /** Longest Keep Alive, seconds, told as Server Keep Alive. A client of 3.1 or 3.1.1 cannot be told and keeps its own. */
    keepAlive?: number | null;
    /** Maximum QoS: a PUBLISH or a Will above it is refused (0x9B), a subscription is granted at most this. */
    maximumQos?: Qos | null;
    /** Retain Available: false refuses a PUBLISH or a Will with RETAIN (0x9A). */
    retainAvailable?: boolean | null;
    /** Receive Maximum of the broker: QoS 1 and 2 messages an MQTT 5 client may have unacknowledged towards it; at least 1. */
    receiveMaximum?: number | null;
    /** Topic Alias Maximum of the broker: aliases the client may define. */
    topicAliasMaximum?: number | null;
  }
  /** Everything the broker learns from an authenticator about a client that was let in. */
  export interface Grant {
    /** The stable name of the user or device; not empty. */
    principal: string;
    /** A label for the tenant the client belongs to. It changes no topic; rules may say `%t`. */
    tenant?: string | null;
    /** Replaces the client id (and takes over that session). An MQTT 5 client learns it from CONNACK. */
    clientId?: string | null;
    /** Facts for other plugins; they find them in `identity`. */
    attributes: Array<[string, string]>;
    /**
     * Some: the whole authorization of this identity, evaluated by the broker; no plugin is asked again.
     * None: the authorization chain is asked.
     */
    permissions?: Array<Permission> | null;
    /** Limits for this client. */
    limits?: Limits | null;
    /**
     * Seconds since the Unix epoch. Then the broker ends the connection (0x87), unless the client has authenticated again
     * (`enhanced-authn`).
     */
    expiresAt?: number | null;
    /** Sent in CONNACK to MQTT 5 clients. */
    userProperties: Array<UserProperty>;
  }
}
