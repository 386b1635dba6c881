log, Outcome, type Sink
//// code
// Takes messages elsewhere: one outcome for each.
export const sink: Sink = {
  deliver: (batch) =>
    batch.map(({ inbound: { message } }) => {
      // Here it would be sent somewhere. Outcome.retry() has it come again, an exception the batch.
      log.info(`${message.topic}: ${message.payload.length} bytes`);
      return Outcome.done();
    }),
};
