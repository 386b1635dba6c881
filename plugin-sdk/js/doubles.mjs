// The broker that testing.mjs plays: what a test sets, and what the plugin did.

import { createHash, randomBytes } from "node:crypto";

let state;

/** What a test says to the broker that is played, and what it asks it. */
export const broker = {
  /** Forgets everything. */
  reset() {
    state = { config: {}, now: 1_700_000_000_000, identities: new Map(), files: new Map(), secrets: new Map(), stores: new Map() };
    Object.assign(state, { lines: [], requests: [], responses: [], orders: [], metrics: [], passwords: new Map() });
  },
  setConfig: (config) => void (state.config = config),
  setNow: (ms) => void (state.now = ms),
  setIdentity: (id, identity) => void state.identities.set(id, { ...IDENTITY, ...identity }),
  setFile: (path, text) => void state.files.set(path, Buffer.from(text)),
  setSecret: (name, text) => void state.secrets.set(name, Buffer.from(text)),
  grantStore: (name) => void state.stores.set(name, new Map()),
  /** The password that belongs to a hash. */
  setPassword: (hash, password) => void state.passwords.set(hash, password),
  /** Answers the next HTTP exchange that has no answer yet. */
  respondWith: (status, body = "") => void state.responses.push({ status, headers: [], body: Buffer.from(body) }),
  /** Lines of the log: { level, message, fields }. */
  logged: () => state.lines,
  requests: () => state.requests,
  /** What the plugin ordered: { order: "publish", … }. */
  orders: () => state.orders,
  metrics: () => state.metrics,
};

const IDENTITY = { clientId: "client", principal: "alice", tenant: null, attributes: [], listener: "tcp", peer: "127.0.0.1:50000", protocol: "v5" };

/** Credentials as a test needs them: MQTT 5 from 127.0.0.1 over plain TCP. */
export const credentials = (username = null, password = null, more = {}) => ({
  clientId: "client",
  username,
  password: password === null ? null : new Uint8Array(Buffer.from(password)),
  certificateCn: null,
  listener: "tcp",
  peer: "127.0.0.1:50000",
  protocol: "v5",
  tls: false,
  ...more,
});

/** A CONNECT without anything rarely needed, but for what is given: `{ keepAlive: 60 }`. */
export const connect = (facts = {}) => {
  const unsaid = { cleanStart: true, keepAlive: 60, sessionExpiry: 0, will: null, userProperties: [], serverName: null };
  Object.assign(unsaid, { certificates: [], alternativeNames: [], httpHeader: null, channelBinding: null });
  return Object.fromEntries(Object.entries({ ...unsaid, ...facts }).map(([name, value]) => [name, () => value]));
};

const find = (map, name, error = "not-granted") => {
  if (!map.has(name)) throw error;
  return map.get(name);
};

const scalar = (path) => {
  const value = path.split(".").reduce((table, key) => table?.[key], state.config);
  return value === undefined || value === null || typeof value === "object" ? null : String(value);
};

/** The contract's interfaces; what is not played here, such as `tcp`, is what `midge plugin test` is for. */
export const doubles = {
  config: { get: scalar, json: () => JSON.stringify(state.config) },
  log: { enabled: () => true, write: (level, message, fields) => void state.lines.push({ level, message, fields }) },
  clock: { unixMs: () => state.now, monotonicNs: () => state.now * 1e6, random: (length) => new Uint8Array(randomBytes(length)) },
  identities: { get: (id) => state.identities.get(id) ?? null },
  secrets: { get: (name) => find(state.secrets, name) },
  files: { read: (path) => find(state.files, path, { tag: "not-granted" }), version: (path) => find(state.files, path, { tag: "not-granted" }).length },
  kv: {
    get: (store, key) => find(state.stores, store).get(key) ?? null,
    set: (store, key, value) => void find(state.stores, store).set(key, value),
    delete: (store, key) => find(state.stores, store).delete(key),
    increment(store, key, by) {
      const sum = Number(Buffer.from(find(state.stores, store).get(key) ?? "0")) + by;
      find(state.stores, store).set(key, Buffer.from(String(sum)));
      return sum;
    },
  },
  metrics: {
    add: (name, labels, by) => void state.metrics.push({ kind: "counter", name, labels, value: by }),
    set: (name, labels, to) => void state.metrics.push({ kind: "gauge", name, labels, value: to }),
    observe: (name, labels, value) => void state.metrics.push({ kind: "histogram", name, labels, value }),
  },
  crypto: {
    verify: () => false,
    sha256: (data) => new Uint8Array(createHash("sha256").update(data).digest()),
    sha512: (data) => new Uint8Array(createHash("sha512").update(data).digest()),
  },
  broker: {
    publish: (message) => void state.orders.push({ order: "publish", message }),
    disconnect: (clientId, code, keepSession) => void state.orders.push({ order: "disconnect", clientId, code, keepSession }),
    redirect: (clientId, to) => void state.orders.push({ order: "redirect", clientId, to }),
    revoke: (principal) => void state.orders.push({ order: "revoke", principal }),
  },
  passwords: { verify: (hash, password) => state.passwords.get(hash) === Buffer.from(password).toString() },
  http: {
    send(request) {
      state.requests.push(request);
      const response = state.responses.shift();
      if (response === undefined) throw { tag: "connect", val: "no answer was set for this exchange" };
      return response;
    },
  },
};

broker.reset();
