// Plays the broker, so that a plugin's own functions can be tested with node's test runner, without a broker and without WebAssembly:
//
//   node --import ./build/sdk/testing.mjs --test
//
//   import { authn } from "./plugin.js";
//   import { broker } from "midge/testing";
//   broker.setConfig({ users: { alice: "secret" } });
//   assert.equal(authn.authenticate(credentials("alice", "secret"), connect()).verdict.tag, "allow");
//
// TypeScript needs a node that reads it (22.18 and later).

import { register } from "node:module";

register("./testing-hooks.mjs", import.meta.url);
