// Between the contract and a plugin: what is thrown becomes `err`, and what a plugin leaves out is filled in. build.mjs wraps every
// hook in this; nothing here is for authors.

import { log, random, Ruling } from "midge";

const join = (values) => values.map((value) => (typeof value === "string" ? value : inspect(value))).join(" ");

const inspect = (value) => {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
};

// QuickJS has no console; this one writes to the broker's log.
globalThis.console ??= {
  debug: (...values) => log.debug(join(values)),
  log: (...values) => log.info(join(values)),
  info: (...values) => log.info(join(values)),
  warn: (...values) => log.warn(join(values)),
  error: (...values) => log.error(join(values)),
};

// A component is a snapshot taken when it was built: what QuickJS calls random would be the same in every instance.
Math.random = () => {
  const [a, b, c, d, e, f, g] = random(7);
  return (((a & 31) * 2 ** 48 + b * 2 ** 40 + c * 2 ** 32 + d * 2 ** 24 + e * 2 ** 16 + f * 2 ** 8 + g) / 2 ** 53);
};

/** A hook as the broker calls it, made of what the plugin exports under its name. */
export function adapt(hook, plugin) {
  const adapted = { ...(ADAPTERS[hook]?.(plugin) ?? bound(plugin)) };
  for (const [name, call] of Object.entries(adapted)) {
    adapted[name] = INFALLIBLE.includes(name) ? lenient(hook, name, call) : strict(hook, name, call);
  }
  return adapted;
}

const ADAPTERS = {
  lifecycle: (plugin) => ({
    init: (environment) => ({ topics: [], wantsPayload: true, ...plugin.init?.(environment) }),
    health: () => void plugin.health?.(),
    shutdown: () => void plugin.shutdown?.(),
  }),
  authz: (plugin) => ({
    permissions: (id, who) => plugin.permissions?.(id, who) ?? null,
    authorizePublish: (who, topic, qos, retain) =>
      plugin.authorizePublish ? plugin.authorizePublish(who, topic, qos, retain) : Ruling.next(),
    authorizeSubscribe: (who, subscriptions) =>
      plugin.authorizeSubscribe
        ? subscriptions.map((one) => there(plugin.authorizeSubscribe(who, one), "authorizeSubscribe"))
        : subscriptions.map(Ruling.next),
    identityGone: (who) => void plugin.identityGone?.(who),
  }),
  messages: (plugin) => ({
    onPublish: (batch) =>
      plugin.onBatch ? plugin.onBatch(batch) : batch.map((inbound) => there(plugin.onPublish(inbound), "onPublish")),
  }),
  sink: (plugin) => ({
    deliver: (batch) => plugin.deliver(batch),
    flush: () => void plugin.flush?.(),
  }),
  events: (plugin) => ({
    onEvents: (batch) => void plugin.onEvents(batch),
  }),
  ticker: (plugin) => ({
    tick: () => void plugin.tick(),
  }),
};

/** Every function of the plugin's object, its class's methods included. */
function bound(plugin) {
  const names = new Set();
  for (let from = plugin; from && from !== Object.prototype; from = Object.getPrototypeOf(from)) {
    for (const name of Object.getOwnPropertyNames(from)) {
      if (name !== "constructor" && typeof plugin[name] === "function") names.add(name);
    }
  }
  return Object.fromEntries([...names].map((name) => [name, (...given) => there(plugin[name](...given), name)]));
}

function there(answer, name) {
  if (answer === undefined) throw new Error(`${name} returned nothing; it has to return an answer`);
  return answer;
}

/** Functions whose contract has no `err`: what they throw is logged. */
const INFALLIBLE = ["shutdown", "identityGone"];

function strict(hook, name, call) {
  return (...given) => {
    try {
      return call(...given);
    } catch (error) {
      throw told(hook, name, error);
    }
  };
}

function lenient(hook, name, call) {
  return (...given) => {
    try {
      call(...given);
    } catch (error) {
      log.error(told(hook, name, error));
    }
  };
}

/** The text of `err`. A mistake in the program (TypeError and its kin) is told with its place. */
function told(hook, name, error) {
  if (!(error instanceof Error)) return typeof error === "string" ? error : JSON.stringify(error);
  if (error.constructor === Error) return error.message;
  const place = (error.stack ?? "").split("\n").find((line) => line.trim() !== "")?.trim();
  return `${hook}.${name}: ${error.name}: ${error.message}${place ? ` (${place})` : ""}`;
}
