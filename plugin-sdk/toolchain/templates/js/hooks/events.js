log
//// code
// What happened in the broker.
/** @type {import("midge").Events} */
export const events = {
  onEvents(batch) {
    for (const event of batch) log.info(`${event.kind} ${event.clientId ?? ""}`);
  },
};
