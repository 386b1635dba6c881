// The SDK in node, with the broker that testing.mjs plays: node --import ./testing.mjs --test tests/sdk.test.mjs

import assert from "node:assert/strict";
import test from "node:test";

import { Answer, bytes, config, DeliveryRuling, kv, log, message, Permission, Ruling, Step, text } from "midge";
import { adapt } from "midge/hooks";
import { broker, connect, credentials } from "midge/testing";

test.beforeEach(() => broker.reset());

test("texts survive as UTF-8, and what is no UTF-8 is replaced as elsewhere", () => {
  for (const string of ["", "plain", "grüße", "€", "😀", "\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}"]) {
    assert.deepEqual(bytes(string), new Uint8Array(Buffer.from(string)));
    assert.equal(text(bytes(string)), string);
  }
  assert.equal(text(bytes("\ud800")), "\ufffd", "half a character");
  for (const bad of [[0xff], [0xc3], [0xc0, 0x80], [0xe0, 0x80, 0x80], [0xed, 0xa0, 0x80], [0xf8, 1], [0x80]]) {
    assert.match(text(Uint8Array.from(bad)), /^\ufffd/);
  }
});

test("answers are as the contract has them", () => {
  assert.deepEqual(Answer.next(), { verdict: { tag: "next" }, reuse: { ttlMs: 0, covers: null } });
  const { verdict } = Answer.allow("alice", { tenant: "acme", limits: { inflight: 4 } });
  assert.deepEqual([verdict.val.principal, verdict.val.tenant, verdict.val.limits.inflight], ["alice", "acme", 4]);
  assert.equal(verdict.val.limits.packetSize, null);
  assert.deepEqual(Answer.deny("no").verdict.val, { code: 0x86, reason: "no" });
  assert.deepEqual(Ruling.deny("no", { reuseMs: 5 }).refusal, { code: 0x87, reason: "no" });
  assert.deepEqual(DeliveryRuling.deny({ covers: "a/#" }), { verdict: "deny", reuse: { ttlMs: 0, covers: "a/#" } });
  assert.deepEqual(Permission.allow("a", { subscribe: true }).actions, { publish: false, subscribe: true });
  assert.deepEqual(Permission.deny("a").actions, { publish: true, subscribe: true });
  assert.deepEqual(Step.challenge("ask", "state").val.data, bytes("ask"));
  assert.equal(message("t", "p", { retain: true }).retain, true);
});

test("what a plugin throws is told as err, mistakes with their place", () => {
  const { authenticate } = adapt("authn", {
    authenticate({ username }) {
      if (username === "down") throw new Error("the backend is down");
      return username === "mistaken" ? undefined.at : undefined;
    },
  });
  const thrown = (user) => {
    try {
      return authenticate(credentials(user), connect());
    } catch (error) {
      return error;
    }
  };
  assert.equal(thrown("down"), "the backend is down");
  assert.match(thrown("mistaken"), /^authn\.authenticate: TypeError: /);
  assert.match(thrown("forgetful"), /returned nothing/);
});

test("what has no err is logged, and what is left out is filled in", () => {
  const authz = adapt("authz", { identityGone: () => undefined.at });
  authz.identityGone(1);
  assert.match(broker.logged()[0].message, /^authz\.identityGone: TypeError/);
  assert.deepEqual(authz.authorizeSubscribe(1, [{ filter: "a" }]), [Ruling.next()]);
  assert.equal(authz.permissions(1, {}), null);
  assert.deepEqual(adapt("lifecycle", {}).init({}), { topics: [], wantsPayload: true });
});

test("a class may be a hook", () => {
  class Enhanced {
    methods() {
      return ["WORD"];
    }
    start() {
      return Step.deny("no");
    }
  }
  const hook = adapt("enhanced-authn", new Enhanced());
  assert.deepEqual(hook.methods(), ["WORD"]);
  assert.equal(hook.start({}, null, connect()).tag, "deny");
});

test("the broker that is played has config, stores and a log", () => {
  broker.setConfig({ deep: { key: 1 } });
  assert.equal(config().deep.key, 1);
  assert.throws(() => kv.get("default", "key"), (error) => error === "not-granted");
  broker.grantStore("default");
  kv.set("default", "key", bytes("value"), 0);
  assert.equal(text(kv.get("default", "key")), "value");
  assert.equal(kv.increment("default", "count", 2, 0), 2);
  log.info("seen", { user: "alice" });
  assert.deepEqual(broker.logged(), [{ level: "info", message: "seen", fields: [["user", "alice"]] }]);
});
