log, type Events
//// code
// What happened in the broker.
export const events: Events = {
  onEvents(batch) {
    for (const event of batch) log.info(`${event.kind} ${event.clientId ?? ""}`);
  },
};
