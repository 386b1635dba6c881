// Tokens by Node's own cryptography, shown by MQTT.js:
//   mqtt_js_jwt.cjs keys DIRECTORY            makes keys.json, and private.json for the next call
//   mqtt_js_jwt.cjs connect DIRECTORY PORT    connects with a token of each algorithm, and with a forged one
//   mqtt_js_jwt.cjs renew DIRECTORY PORT      connects with tokens that soon expire, and shows a newer one in AUTH
"use strict";

const assert = require("node:assert");
const crypto = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");

const [command, directory, port] = process.argv.slice(2);
const file = (name) => path.join(directory, name);

const pss = { padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: crypto.constants.RSA_PSS_SALTLEN_DIGEST };
const point = { dsaEncoding: "ieee-p1363" };
const ALGORITHMS = {
  RS256: { type: "rsa", hash: "sha256" },
  RS384: { type: "rsa", hash: "sha384" },
  RS512: { type: "rsa", hash: "sha512" },
  PS256: { type: "rsa", hash: "sha256", sign: pss },
  PS384: { type: "rsa", hash: "sha384", sign: pss },
  PS512: { type: "rsa", hash: "sha512", sign: pss },
  ES256: { type: "ec", make: { namedCurve: "P-256" }, hash: "sha256", sign: point },
  ES384: { type: "ec", make: { namedCurve: "P-384" }, hash: "sha384", sign: point },
  EdDSA: { type: "ed25519", hash: null },
};

function makeKeys() {
  const published = [];
  const kept = {};
  for (const [alg, { type, make }] of Object.entries(ALGORITHMS)) {
    const { publicKey, privateKey } = crypto.generateKeyPairSync(type, make ?? { modulusLength: 2048 });
    published.push({ ...publicKey.export({ format: "jwk" }), kid: `key of ${alg}`, alg, use: "sig" });
    kept[alg] = privateKey.export({ format: "pem", type: "pkcs8" });
  }
  fs.writeFileSync(file("keys.json"), JSON.stringify({ keys: published }));
  fs.writeFileSync(file("private.json"), JSON.stringify(kept));
}

function token(alg, key, claims) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${part({ alg, typ: "JWT", kid: `key of ${alg}` })}.${part(claims)}`;
  const { hash, sign } = ALGORITHMS[alg];
  const signature = crypto.sign(hash, Buffer.from(signed), { key: crypto.createPrivateKey(key), ...sign });
  return `${signed}.${signature.toString("base64url")}`;
}

async function connect() {
  const mqtt = require("mqtt");
  const keys = JSON.parse(fs.readFileSync(file("private.json")));
  const open = (password) =>
    mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, {
      protocolVersion: 5,
      username: "device",
      password,
      reconnectPeriod: 0,
      connectTimeout: 20000,
    });
  for (const alg of Object.keys(ALGORITHMS)) {
    const claims = { sub: alg, aud: "mqtt", exp: Math.floor(Date.now() / 1000) + 600, mqtt: { publish: ["%u/#"], subscribe: ["%u/#"] } };
    const good = token(alg, keys[alg], claims);
    const client = await open(good);
    const message = new Promise((resolve) => client.on("message", (topic, payload) => resolve(`${topic} ${payload}`)));
    await client.subscribeAsync(`${alg}/#`, { qos: 1 });
    await client.publishAsync(`${alg}/up`, "hello", { qos: 1 });
    assert.strictEqual(await message, `${alg}/up hello`);
    await client.endAsync();

    // Another subject under the same signature.
    const [header, , signature] = good.split(".");
    const forged = Buffer.from(JSON.stringify({ ...claims, sub: "root" })).toString("base64url");
    await assert.rejects(open(`${header}.${forged}.${signature}`), (error) => error.code === 0x86);
    console.log(`${alg} let in, forged refused`);
  }
}

async function renew() {
  const mqtt = require("mqtt");
  const keys = JSON.parse(fs.readFileSync(file("private.json")));
  const properties = (seconds) => {
    const claims = { sub: "device", aud: "mqtt", exp: Math.floor(Date.now() / 1000) + seconds };
    return { authenticationMethod: "JWT", authenticationData: Buffer.from(token("ES256", keys.ES256, claims)) };
  };
  const open = () =>
    mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5, reconnectPeriod: 0, properties: properties(5) });
  const [silent, client] = await Promise.all([open(), open()]);
  const failed = new Promise((_, reject) => client.on("error", reject).on("close", () => reject(new Error("closed"))));
  failed.catch(() => {});
  const within = (promise) => Promise.race([promise, failed]);
  const renewed = new Promise((resolve) => {
    client.handleAuth = (packet, callback) => {
      callback();
      resolve(packet.reasonCode);
    };
  });
  const disconnected = new Promise((resolve) => silent.on("disconnect", (packet) => resolve(packet.reasonCode)));

  client._sendPacket({ cmd: "auth", reasonCode: 0x19, properties: properties(600) });
  assert.strictEqual(await within(renewed), 0);
  assert.strictEqual(await within(disconnected), 0x87);
  await within(client.publishAsync("t", "still here", { qos: 1 }));
  await client.endAsync();
  console.log("renewed");
}

const run = { keys: makeKeys, connect, renew }[command];
Promise.resolve(run()).then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
