// What an author of JavaScript does every day, and every day's mistakes; the user name or topic says which.

import { Action, Answer, bytes, config, identity, kv, log, message, now, Permission, random, Ruling, text } from "midge";

let greeting;

export const lifecycle = {
  init({ name }) {
    ({ greeting = "hello" } = config());
    if (greeting === "refuse") throw new Error("greeting: refuse is no greeting");
    console.log(greeting, name, { nested: [1, 2] });
  },
};

const CASES = {
  thrown: () => {
    throw new Error("the backend is down");
  },
  mistaken: (credentials) => credentials.nothing.at(0),
  forgetful: () => {},
  connect: (_, connect) =>
    Answer.deny(`${connect.keepAlive()} ${connect.cleanStart()} ${text(connect.will()?.payload ?? bytes("none"))}`),
  random: () => Answer.deny(`${Math.random()} ${random(4).length} ${now() > 1_600_000_000_000}`),
  denied: () => {
    try {
      return Answer.deny(text(kv.get("default", "key") ?? bytes("empty")));
    } catch (error) {
      return Answer.deny(`kv: ${error.payload ?? error}`);
    }
  },
  utf8: ({ password }) => Answer.deny(text(password)),
  ruled: ({ username }) => Answer.allow(username, { permissions: [Permission.allow("%u/#")], reuseMs: 1000 }),
};

export const authn = {
  authenticate(credentials, connect) {
    const decide = CASES[credentials.username];
    return decide ? decide(credentials, connect) : Answer.allow(credentials.username ?? "nobody");
  },
};

export const authz = {
  authorizePublish: (who, topic) =>
    topic.startsWith(`${identity(who)?.principal}/`) ? Ruling.allow({ reuseMs: 1000 }) : Ruling.deny("not your topic"),
  authorizeSubscribe: () => Ruling.allow({ maxQos: "at-least-once" }),
};

export const messages = {
  onPublish({ message: published }) {
    switch (published.topic.split("/")[1]) {
      case "loud":
        return Action.replace({ ...published, payload: bytes(text(published.payload).toUpperCase()) });
      case "twice":
        return Action.replaceWithMany([published, message("copy", published.payload, { qos: published.qos })]);
      case "refused":
        return Action.refuse("not this one", 0x99);
      case "dropped":
        return Action.drop();
      default:
        return Action.keep();
    }
  },
};

export const events = {
  onEvents(batch) {
    for (const { kind, clientId } of batch) log.info(`event ${kind}`, { client: clientId });
  },
};
