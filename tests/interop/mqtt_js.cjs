// MQTT.js against the broker: mqtt_js.cjs CA_FILE (LISTENER PORT)...
"use strict";

const assert = require("node:assert");
const fs = require("node:fs");
const mqtt = require("mqtt");

const PATIENCE = 20_000;
const SCHEMES = { tcp: "mqtt", tls: "mqtts", ws: "ws", wss: "wss" };

function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took too long`)), PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// A client whose messages wait in a queue.
class Client {
  static async connect(way, version, clientId, more = {}) {
    const client = new Client();
    client.messages = [];
    client.waiting = [];
    client.mqtt = mqtt.connect(`${SCHEMES[way.listener]}://localhost:${way.port}${way.listener.startsWith("ws") ? "/mqtt" : ""}`, {
      clientId,
      protocolVersion: version,
      ca: way.authority,
      reconnectPeriod: 0,
      clean: true,
      ...more,
    });
    client.mqtt.on("message", (topic, payload, packet) => {
      const message = { topic, payload: payload.toString(), qos: packet.qos, retain: packet.retain, packet };
      const next = client.waiting.shift();
      if (next) next(message);
      else client.messages.push(message);
    });
    client.connack = await within(
      new Promise((resolve, reject) => {
        client.mqtt.once("connect", resolve);
        client.mqtt.once("error", reject);
        client.mqtt.once("close", () => reject(new Error("closed before CONNACK")));
      }),
      "CONNACK",
    );
    return client;
  }

  subscribe(topic, options) {
    return within(this.mqtt.subscribeAsync(topic, options), "SUBACK");
  }

  publish(topic, payload, options) {
    return within(this.mqtt.publishAsync(topic, payload, options), "PUBLISH");
  }

  take() {
    const message = this.messages.shift();
    if (message) return Promise.resolve(message);
    return within(new Promise((resolve) => this.waiting.push(resolve)), "a message");
  }

  leave() {
    return within(this.mqtt.endAsync(), "DISCONNECT");
  }

  // Cuts the connection without a DISCONNECT.
  vanish() {
    this.mqtt.on("error", () => {});
    this.mqtt.stream.destroy();
  }
}

async function everyQuality(way, version) {
  const client = await Client.connect(way, version, "qualities");
  await client.subscribe("all/#", { qos: 2 });
  for (const qos of [0, 1, 2]) {
    await client.publish(`all/${qos}`, `message ${qos}`, { qos });
    const { topic, payload, qos: received } = await client.take();
    assert.deepStrictEqual([topic, payload, received], [`all/${qos}`, `message ${qos}`, qos]);
  }
  const large = "x".repeat(300_000);
  await client.publish("all/large", large, { qos: 2 });
  assert.strictEqual((await client.take()).payload, large);
  await client.leave();
}

async function retained(way, version) {
  const client = await Client.connect(way, version, "retained");
  await client.publish("kept", "state", { qos: 1, retain: true });
  await client.subscribe("kept", { qos: 1 });
  const message = await client.take();
  assert.deepStrictEqual([message.payload, message.retain], ["state", true]);
  await client.publish("kept", "", { qos: 1, retain: true });
  await client.leave();
}

async function will(way, version) {
  const witness = await Client.connect(way, version, "witness");
  await witness.subscribe("wills", { qos: 1 });
  const mortal = await Client.connect(way, version, "mortal", { will: { topic: "wills", payload: "gone", qos: 1 } });
  mortal.vanish();
  assert.strictEqual((await witness.take()).payload, "gone");
  await witness.leave();
}

async function shared(way, version) {
  const members = [await Client.connect(way, version, "member 0"), await Client.connect(way, version, "member 1")];
  for (const member of members) await member.subscribe("$share/group/work", { qos: 1 });
  const publisher = await Client.connect(way, version, "publisher");
  for (let number = 0; number < 10; number++) await publisher.publish("work", String(number), { qos: 1 });
  const taken = [];
  for (let number = 0; number < 10; number++) taken.push(Number((await members[number % 2].take()).payload));
  assert.deepStrictEqual(taken.sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  for (const client of [...members, publisher]) await client.leave();
}

async function resumed(way, version) {
  const kept = version === 5 ? { clean: false, properties: { sessionExpiryInterval: 60 } } : { clean: false };
  const first = await Client.connect(way, version, "resumed", kept);
  await first.subscribe("missed", { qos: 2 });
  await first.leave();
  const publisher = await Client.connect(way, version, "publisher");
  for (const qos of [1, 2]) await publisher.publish("missed", String(qos), { qos });
  await publisher.leave();
  const second = await Client.connect(way, version, "resumed", kept);
  assert.strictEqual(second.connack.sessionPresent, true, "session present");
  assert.deepStrictEqual([(await second.take()).payload, (await second.take()).payload], ["1", "2"]);
  await second.leave();
  await (await Client.connect(way, version, "resumed")).leave();
}

async function main() {
  const [file, ...ways] = process.argv.slice(2);
  const authority = fs.readFileSync(file);
  for (let at = 0; at < ways.length; at += 2) {
    const way = { listener: ways[at], port: ways[at + 1], authority };
    for (const version of [4, 5]) {
      for (const test of [everyQuality, retained, will, shared, resumed]) {
        console.log(`${way.listener} version ${version}: ${test.name}`);
        await test(way, version);
      }
    }
  }
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
