/// <reference path="./contract.d.ts" />

import type * as admin from "midge:plugin/admin";
import type * as admission from "midge:plugin/admission";
import type * as authn from "midge:plugin/authn";
import type * as authz from "midge:plugin/authz";
import type * as delivering from "midge:plugin/authz-deliver";
import type * as unsubscribing from "midge:plugin/authz-unsubscribe";
import type * as wills from "midge:plugin/authz-will";
import type * as enhanced from "midge:plugin/enhanced-authn";
import type * as events from "midge:plugin/events";
import type * as life from "midge:plugin/lifecycle";
import type * as messages from "midge:plugin/messages";
import type * as sinks from "midge:plugin/sink";
import type * as types from "midge:plugin/types";

export type { Connect, Will } from "midge:plugin/connection";
export type {
  Credentials,
  Grant,
  Identity,
  IdentityId,
  Inbound,
  Limits,
  Message,
  Protocol,
  Qos,
  Refusal,
} from "midge:plugin/types";
export type { Candidate } from "midge:plugin/enhanced-authn";
export type { Delivery } from "midge:plugin/sink";
export type { Environment, Registration } from "midge:plugin/lifecycle";
export type { Event } from "midge:plugin/events";
export type { Subscription } from "midge:plugin/authz";

/** Publish, disconnect, revoke. Each needs a grant. */
export * as broker from "midge:plugin/broker";
/** Signatures and digests. */
export * as crypto from "midge:plugin/crypto";
/** Small files, kept in memory by the host. Each path needs a grant. */
export * as files from "midge:plugin/files";
/** One HTTP exchange. Waits: a plugin that uses it is called on a fiber. Each origin needs a grant. */
export * as http from "midge:plugin/http";
/** Memory shared by the plugin's instances. Each store needs a grant. */
export * as kv from "midge:plugin/kv";
/** Counters, gauges, histograms. */
export * as metrics from "midge:plugin/metrics";
/** Verifying password hashes. Waits: a plugin that uses it is called on a fiber. */
export * as passwords from "midge:plugin/passwords";
/** Secrets by name. Each needs a grant. */
export * as secrets from "midge:plugin/secrets";
/** Connections over TCP. Waits, as `http` does. Each host and port needs a grant. */
export * as tcp from "midge:plugin/tcp";

// ── The hooks: a plugin exports an object for each that it has ──────────────────────────────────────────────────────────────────────
//
// What a method throws becomes the contract's `err`: the plugin or its backend failed. A refusal is an answer, not an exception.
// `throw new Error("text")` gives the text; any other kind of error is told with its name and place.

/** `export const lifecycle`: the start and the end of an instance. */
export interface Lifecycle {
  /** Called before any other function: read and check the config here. What is thrown stops the broker's start. */
  init?(environment: life.Environment): Partial<life.Registration> | void;
  /** Called now and then; what is thrown makes the plugin unhealthy. */
  health?(): void;
  /** The last call before the instance is dropped. */
  shutdown?(): void;
}

/** `export const authn`: who is this? Asked once per CONNECT without an Authentication Method. */
export interface Authenticator {
  /** Decides on one CONNECT. `connect` has the rarely needed facts and is valid during the call. */
  authenticate(credentials: types.Credentials, connect: import("midge:plugin/connection").Connect): authn.Answer;
}

/** `export const enhancedAuthn`: who is this, in several steps? */
export interface EnhancedAuthenticator {
  /** The Authentication Methods served; at least one. */
  methods(): string[];
  /** Begins an exchange. */
  start(
    client: enhanced.Candidate,
    data: Uint8Array | null,
    connect: import("midge:plugin/connection").Connect,
  ): enhanced.Step;
  /** Judges the reply to a challenge. */
  proceed(
    client: enhanced.Candidate,
    state: Uint8Array,
    data: Uint8Array | null,
    connect: import("midge:plugin/connection").Connect,
  ): enhanced.Step;
}

/** `export const authz`: may this identity do that? What is not written says "not mine". */
export interface Authorizer {
  /** The whole authorization of an identity, or nothing to be asked per action. */
  permissions?(id: types.IdentityId, who: types.Identity): types.Permission[] | null | undefined;
  /** May `who` publish this? Also asked for the Will. */
  authorizePublish?(who: types.IdentityId, topic: string, qos: types.Qos, retain: boolean): authz.Ruling;
  /** May `who` subscribe to this? Asked for every filter of a SUBSCRIBE. */
  authorizeSubscribe?(who: types.IdentityId, subscription: authz.Subscription): authz.Ruling;
  /** The identity is gone: forget what was kept under its id. */
  identityGone?(who: types.IdentityId): void;
}

/** `export const messages`: change, drop, multiply or refuse messages before they are routed. One of the two is needed. */
export interface Messages {
  /** Decides on one message. */
  onPublish?(inbound: types.Inbound): messages.Action;
  /** Decides on what is waiting: one action for each message, in order. */
  onBatch?(batch: types.Inbound[]): messages.Action[];
}

/** `export const sink`: hand messages to a backend. */
export interface Sink {
  /** One outcome for each delivery, in order. What is thrown has the whole batch tried again. */
  deliver(batch: sinks.Delivery[]): sinks.Outcome[];
  /** Called before the instance is retired and at shutdown. */
  flush?(): void;
}

/** `export const events`: what happened in the broker. */
export interface Events {
  /** Takes a batch, oldest first. */
  onEvents(batch: events.Event[]): void;
}

/** `export const ticker`: the plugin's own turn, again and again. */
export interface Ticker {
  /** One turn; what is thrown is counted and logged. */
  tick(): void;
}

/** `export const authzUnsubscribe`: may a client end a subscription? */
export interface UnsubscribeAuthorizer {
  /** One verdict for each filter of an UNSUBSCRIBE, in order. */
  authorizeUnsubscribe(who: types.IdentityId, filters: string[]): unsubscribing.Verdict[];
}

/** `export const authzWill`: may a client leave this Will? */
export interface WillAuthorizer {
  /** Asked at CONNECT; `delay` in seconds. */
  authorizeWill(who: types.IdentityId, will: types.Message, delay: number): wills.Verdict;
}

/** `export const authzDeliver`: may a client have this message? The operator has to name the hook. */
export interface DeliveryAuthorizer {
  /** One ruling for each message that would be sent to `who` next, in order. */
  authorizeDeliver(who: types.IdentityId, deliveries: delivering.Delivery[]): delivering.Ruling[];
}

/** `export const admission`: may anybody connect from there? The plugin must use nothing that waits. */
export interface Admission {
  /** Asked when a connection is accepted; `address` is without port. */
  admit(listener: string, address: string): admission.Answer;
}

/** `export const admin`: the plugin's own pages on the broker's admin port. */
export interface Admin {
  /** Answers one request. */
  handle(request: admin.Request): admin.Response;
}

// ── Answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Reason codes a plugin refuses with. */
export const Reason: {
  readonly badUserNameOrPassword: 0x86;
  readonly notAuthorized: 0x87;
  readonly serverUnavailable: 0x88;
  readonly quotaExceeded: 0x97;
  readonly payloadFormatInvalid: 0x99;
};

/** What an authenticator says. */
export const Answer: {
  /** Let in as `principal`, with whatever else a grant has. `reuseMs`: how long the broker may say so again without asking. */
  allow(principal: string, grant?: Partial<Omit<types.Grant, "principal">> & { reuseMs?: number }): authn.Answer;
  /** Refuse as Bad User Name or Password, unless `code` says otherwise. The reason is logged, and shown to who asks for it. */
  deny(reason?: string | null, options?: { code?: number; reuseMs?: number }): authn.Answer;
  /** Refuse, and send it to another server: "host" or "host:port", for good or for this time. */
  redirect(serverReference: string, options?: { permanent?: boolean; reason?: string | null }): authn.Answer;
  /** Not mine: ask the next authenticator. The chain's end refuses. */
  next(): authn.Answer;
};

/** What comes next in an exchange of enhanced authentication. A text stands for its UTF-8. */
export type Step = enhanced.Step;
export const Step: {
  /** Ask the client and wait. `state` comes back with its reply. */
  challenge(data: Uint8Array | string | null, state: Uint8Array | string): enhanced.Step;
  /** Let the client in, or let it stay, with whatever else a grant has. `data` goes to the client. */
  allow(
    principal: string,
    grant?: Partial<Omit<types.Grant, "principal">> & { data?: Uint8Array | string },
  ): enhanced.Step;
  /** Refuse and close. */
  deny(reason?: string | null, code?: number): enhanced.Step;
  /** Refuse, or disconnect, and send it to another server. */
  redirect(serverReference: string, options?: { permanent?: boolean; reason?: string | null }): enhanced.Step;
};

/** For how long, and for what, the broker may use a ruling again; allow: the highest QoS. */
export interface RulingOptions {
  maxQos?: types.Qos;
  reuseMs?: number;
  covers?: string | null;
}

/** What an authorizer says. */
export const Ruling: {
  /** Yes. */
  allow(options?: RulingOptions): authz.Ruling;
  /** Refuse as Not authorized, unless `code` says otherwise. */
  deny(reason?: string | null, options?: { code?: number } & RulingOptions): authz.Ruling;
  /** Not mine: ask the next authorizer. The chain's end refuses. */
  next(): authz.Ruling;
};

/** What a permission is about: both, unless one is named; at any QoS, with RETAIN. */
export interface PermissionOptions {
  publish?: boolean;
  subscribe?: boolean;
  maxQos?: types.Qos;
  retain?: boolean;
}

/** A rule the broker evaluates itself; of a list of them the first that applies decides. */
export type Permission = types.Permission;
export const Permission: {
  /** Allows; `%c`, `%u` and `%t` in the filter are client id, principal and tenant. */
  allow(topicFilter: string, options?: PermissionOptions): types.Permission;
  /** Refuses. */
  deny(topicFilter: string, options?: PermissionOptions): types.Permission;
};

/** What becomes of a published message. */
export const Action: {
  /** Route it as it is. */
  keep(): messages.Action;
  /** Route this instead. */
  replace(message: types.Message): messages.Action;
  /** Route these instead, in order. */
  replaceWithMany(messages: types.Message[]): messages.Action;
  /** Route nothing, but acknowledge it. */
  drop(): messages.Action;
  /** Route nothing; the code (Not authorized, unless given) goes into PUBACK or PUBREC. */
  refuse(reason?: string | null, code?: number): messages.Action;
};

/** What `authzUnsubscribe` and `authzWill` say of one filter or Will. */
export const Verdict: {
  /** Yes. */
  allow(): wills.Verdict;
  /** No; as Not authorized, unless `code` says otherwise. */
  deny(reason?: string | null, code?: number): wills.Verdict;
  /** Not mine: ask the next plugin with the hook. The chain's end refuses. */
  next(): wills.Verdict;
};

/** What `authzDeliver` says of one message; for how long, and for which topics, the broker may say so again. */
export const DeliveryRuling: {
  /** The client gets it. */
  allow(options?: { reuseMs?: number; covers?: string | null }): delivering.Ruling;
  /** It is dropped for this client, and counted. */
  deny(options?: { reuseMs?: number; covers?: string | null }): delivering.Ruling;
  /** Not mine: ask the next plugin with the hook. The chain's end refuses. */
  next(): delivering.Ruling;
};

/** What `admission` says; for how long the broker may say so again to the same address. */
export const Admit: {
  yes(options?: { reuseMs?: number }): admission.Answer;
  no(options?: { reuseMs?: number }): admission.Answer;
};

/** What became of a delivery. */
export const Outcome: {
  /** Delivered. */
  done(): sinks.Outcome;
  /** Try again, no sooner than in this many milliseconds. */
  retry(ms?: number): sinks.Outcome;
  /** Never try again; logged with this text and counted. */
  reject(why: string): sinks.Outcome;
};

/** A message with QoS 0 and no properties, but for those that are given. A string is its UTF-8. */
export function message(
  topic: string,
  payload: Uint8Array | string,
  properties?: Partial<Omit<types.Message, "topic" | "payload">>,
): types.Message;

// ── What the broker does for plugins ────────────────────────────────────────────────────────────────────────────────────────────────

/** The plugin's `config` table. It is parsed in each call of this function: do it once, in `init`. */
export function config<T = Record<string, unknown>>(): T;

/** The facts behind an identity id; undefined when it is gone. */
export function identity(id: types.IdentityId): types.Identity | undefined;

/** Milliseconds since the Unix epoch. */
export function now(): number;

/** Milliseconds since some moment; never goes back. */
export function monotonicMs(): number;

/** Unpredictable bytes; at most 65536 in one call. */
export function random(length: number): Uint8Array;

/** One line in the broker's log. Fields are name and value pairs. Never put credentials in. */
export type Line = (text: string, fields?: Record<string, unknown>) => void;

/** The broker's log. `console` writes there too. */
export const log: { trace: Line; debug: Line; info: Line; warn: Line; error: Line };

/** The text of UTF-8 bytes; what is no UTF-8 becomes U+FFFD. */
export function text(data: Uint8Array): string;

/** A text as UTF-8. */
export function bytes(string: string): Uint8Array;
