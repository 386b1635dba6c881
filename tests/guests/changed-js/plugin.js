// Replaces every message by one whose payload differs in a bit, as `changed` does in Rust. The benchmarks' transformer in JavaScript.

import { Action } from "midge";

export const messages = {
  onPublish({ message }) {
    if (message.payload.length > 0) message.payload[message.payload.length - 1] ^= 1;
    return Action.replace(message);
  },
};
