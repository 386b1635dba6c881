// SCRAM-SHA-256 by MQTT.js and Node's own cryptography: mqtt_js_scram.cjs PORT USER PASSWORD
"use strict";

const assert = require("node:assert");
const crypto = require("node:crypto");
const mqtt = require("mqtt");

const [port, user, password] = process.argv.slice(2);
const METHOD = "SCRAM-SHA-256";

const hmac = (key, text) => crypto.createHmac("sha256", key).update(text).digest();

// One exchange: the first message, and the answer to the challenge with what the server must say to it.
function exchange() {
  const bare = `n=${user},r=${crypto.randomBytes(18).toString("base64")}`;
  const answer = (challenge) => {
    const part = (name) => challenge.split(",").find((one) => one.startsWith(name)).slice(2);
    const salted = crypto.pbkdf2Sync(password, Buffer.from(part("s="), "base64"), Number(part("i=")), 32, "sha256");
    const withoutProof = `c=biws,r=${part("r=")}`;
    const message = `${bare},${challenge},${withoutProof}`;
    const clientKey = hmac(salted, "Client Key");
    const signature = hmac(crypto.createHash("sha256").update(clientKey).digest(), message);
    const proof = Buffer.from(clientKey.map((byte, index) => byte ^ signature[index]));
    const expected = `v=${hmac(hmac(salted, "Server Key"), message).toString("base64")}`;
    return { last: `${withoutProof},p=${proof.toString("base64")}`, expected };
  };
  return { first: `n,,${bare}`, answer };
}

const auth = (reasonCode, data) => ({
  cmd: "auth",
  reasonCode,
  properties: { authenticationMethod: METHOD, authenticationData: Buffer.from(data) },
});

async function main() {
  let current = exchange();
  let expected;
  let done;
  const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, {
    protocolVersion: 5,
    clientId: "mqtt.js",
    reconnectPeriod: 0,
    properties: { authenticationMethod: METHOD, authenticationData: Buffer.from(current.first) },
  });
  client.handleAuth = (packet, callback) => {
    const data = packet.properties.authenticationData.toString();
    if (packet.reasonCode === 0x18) {
      const { last, expected: signature } = current.answer(data);
      expected = signature;
      callback(undefined, auth(0x18, last));
    } else {
      callback();
      done(data);
    }
  };
  const failed = new Promise((_, reject) => client.on("error", reject).on("close", () => reject(new Error("closed"))));
  failed.catch(() => {});
  const within = (promise) => Promise.race([promise, failed]);

  const connack = await within(new Promise((resolve) => client.on("connect", resolve)));
  assert.strictEqual(connack.properties.authenticationMethod, METHOD);
  assert.strictEqual(connack.properties.authenticationData.toString(), expected);

  const message = new Promise((resolve) => client.on("message", (_, payload) => resolve(payload.toString())));
  await within(client.subscribeAsync("t", { qos: 1 }));

  current = exchange();
  const renewed = new Promise((resolve) => (done = resolve));
  client._sendPacket(auth(0x19, current.first));
  await within(client.publishAsync("t", "meanwhile", { qos: 1 }));
  assert.strictEqual(await within(message), "meanwhile");
  assert.strictEqual(await within(renewed), expected);
  await client.endAsync();
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
