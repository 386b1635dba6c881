// What a plugin in JavaScript or TypeScript imports from "midge". The types, with all documentation, are in midge.d.ts.

import * as broker from "midge:plugin/broker";
import * as clock from "midge:plugin/clock";
import * as table from "midge:plugin/config";
import * as crypto from "midge:plugin/crypto";
import * as files from "midge:plugin/files";
import * as http from "midge:plugin/http";
import * as identities from "midge:plugin/identities";
import * as kv from "midge:plugin/kv";
import * as lines from "midge:plugin/log";
import * as metrics from "midge:plugin/metrics";
import * as passwords from "midge:plugin/passwords";
import * as secrets from "midge:plugin/secrets";
import * as tcp from "midge:plugin/tcp";

export { broker, crypto, files, http, kv, metrics, passwords, secrets, tcp };

const NEVER = { ttlMs: 0, covers: null };

export const Reason = {
  badUserNameOrPassword: 0x86,
  notAuthorized: 0x87,
  serverUnavailable: 0x88,
  quotaExceeded: 0x97,
  payloadFormatInvalid: 0x99,
};

const grantOf = (principal, grant) => ({
  principal,
  tenant: null,
  clientId: null,
  attributes: [],
  permissions: null,
  expiresAt: null,
  userProperties: [],
  ...grant,
  limits: grant.limits ? { ...NO_LIMITS, ...grant.limits } : null,
});

const redirect = (serverReference, { permanent = false, reason = null } = {}) => ({
  tag: "redirect",
  val: { serverReference, permanent, reason },
});

const refusal = (code, reason) => ({ code, reason: reason ?? null });

export const Answer = {
  allow: (principal, { reuseMs = 0, ...grant } = {}) => ({
    verdict: { tag: "allow", val: grantOf(principal, grant) },
    reuse: { ttlMs: reuseMs, covers: null },
  }),
  deny: (reason, { code = Reason.badUserNameOrPassword, reuseMs = 0 } = {}) => ({
    verdict: { tag: "deny", val: refusal(code, reason) },
    reuse: { ttlMs: reuseMs, covers: null },
  }),
  redirect: (serverReference, options) => ({ verdict: redirect(serverReference, options), reuse: NEVER }),
  next: () => ({ verdict: { tag: "next" }, reuse: NEVER }),
};

export const Step = {
  challenge: (data, state) => ({ tag: "challenge", val: { data: raw(data), state: raw(state) } }),
  allow: (principal, { data, ...grant } = {}) => ({
    tag: "allow",
    val: { grant: grantOf(principal, grant), data: raw(data) },
  }),
  deny: (reason, code = Reason.notAuthorized) => ({ tag: "deny", val: refusal(code, reason) }),
  redirect: (serverReference, options) => redirect(serverReference, options),
};

/** Bytes as they are, a text as its UTF-8. */
const raw = (data) => (typeof data === "string" ? bytes(data) : (data ?? null));

const NO_LIMITS = {
  publishPerSecond: null,
  bytesPerSecond: null,
  inflight: null,
  queuedMessages: null,
  sessionExpiry: null,
  packetSize: null,
  keepAlive: null,
  maximumQos: null,
  retainAvailable: null,
  receiveMaximum: null,
  topicAliasMaximum: null,
};

const ruling = (verdict, { maxQos = "exactly-once", reuseMs = 0, covers = null } = {}, refused = null) => ({
  verdict,
  maxQos,
  reuse: { ttlMs: reuseMs, covers },
  refusal: refused,
});

export const Ruling = {
  allow: (options) => ruling("allow", options),
  deny: (reason, { code = Reason.notAuthorized, ...options } = {}) =>
    ruling("deny", options, refusal(code, reason)),
  next: () => ruling("next"),
};

const permission = (effect) => (topicFilter, { publish, subscribe, maxQos = "exactly-once", retain = true } = {}) => {
  const both = publish === undefined && subscribe === undefined;
  const actions = { publish: both || publish === true, subscribe: both || subscribe === true };
  return { effect, actions, topicFilter, maxQos, retain };
};

export const Permission = { allow: permission("allow"), deny: permission("deny") };

export const Action = {
  keep: () => ({ tag: "keep" }),
  replace: (message) => ({ tag: "replace", val: message }),
  replaceWithMany: (messages) => ({ tag: "replace-with-many", val: messages }),
  drop: () => ({ tag: "drop" }),
  refuse: (reason, code = Reason.notAuthorized) => ({ tag: "refuse", val: refusal(code, reason) }),
};

export const Verdict = {
  allow: () => ({ tag: "allow" }),
  deny: (reason, code = Reason.notAuthorized) => ({ tag: "deny", val: refusal(code, reason) }),
  next: () => ({ tag: "next" }),
};

const delivery = (verdict, { reuseMs = 0, covers = null } = {}) => ({ verdict, reuse: { ttlMs: reuseMs, covers } });

export const DeliveryRuling = {
  allow: (options) => delivery("allow", options),
  deny: (options) => delivery("deny", options),
  next: () => delivery("next"),
};

export const Admit = {
  yes: ({ reuseMs = 0 } = {}) => ({ admit: true, reuse: { ttlMs: reuseMs, covers: null } }),
  no: ({ reuseMs = 0 } = {}) => ({ admit: false, reuse: { ttlMs: reuseMs, covers: null } }),
};

export const Outcome = {
  done: () => ({ tag: "done" }),
  retry: (ms = 0) => ({ tag: "retry", val: ms }),
  reject: (why) => ({ tag: "reject", val: why }),
};

export const message = (topic, payload, properties = {}) => ({
  topic,
  payload: raw(payload),
  qos: "at-most-once",
  retain: false,
  payloadIsUtf8: false,
  messageExpiry: null,
  contentType: null,
  responseTopic: null,
  correlationData: null,
  userProperties: [],
  ...properties,
});

export const config = () => JSON.parse(table.json());

export const identity = (id) => identities.get(id) ?? undefined;

export const now = () => Number(clock.unixMs());

export const monotonicMs = () => Number(clock.monotonicNs()) / 1e6;

export const random = (length) => clock.random(length);

const line = (level) => (text, fields = {}) => {
  if (lines.enabled(level)) {
    lines.write(level, String(text), Object.entries(fields).map(([name, value]) => [name, String(value)]));
  }
};

export const log = {
  trace: line("trace"),
  debug: line("debug"),
  info: line("info"),
  warn: line("warn"),
  error: line("error"),
};

export const text = (data) => {
  let out = "";
  for (let at = 0; at < data.length; ) {
    const [point, length] = decodeOne(data, at);
    out += String.fromCodePoint(point);
    at += length;
  }
  return out;
};

// One code point and its bytes. What is no UTF-8 is U+FFFD, one for each byte.
function decodeOne(data, at) {
  const first = data[at];
  if (first < 0x80) return [first, 1];
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  const least = [0, 0, 0x80, 0x800, 0x10000][length];
  let point = first & (0xff >> (length + 1));
  for (let next = 1; next < length; next += 1) {
    const byte = data[at + next];
    if (byte === undefined || byte >> 6 !== 2) return [0xfffd, 1];
    point = (point << 6) | (byte & 0x3f);
  }
  const isWrong = first < 0xc2 || first > 0xf4 || point < least || point > 0x10ffff || (point >= 0xd800 && point < 0xe000);
  return isWrong ? [0xfffd, 1] : [point, length];
}

export const bytes = (string) => {
  const out = [];
  for (const character of string) {
    let point = character.codePointAt(0);
    if (point >= 0xd800 && point < 0xe000) point = 0xfffd;
    if (point < 0x80) out.push(point);
    else if (point < 0x800) out.push(0xc0 | (point >> 6), 0x80 | (point & 0x3f));
    else if (point < 0x10000) out.push(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 0x3f), 0x80 | (point & 0x3f));
    else {
      out.push(0xf0 | (point >> 18), 0x80 | ((point >> 12) & 0x3f), 0x80 | ((point >> 6) & 0x3f), 0x80 | (point & 0x3f));
    }
  }
  return new Uint8Array(out);
};
