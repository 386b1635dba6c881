from midge import log, sink
from midge.sink import Outcome
#### code
class Sink(sink.Sink):
    """Takes messages elsewhere: one outcome for each."""

    def deliver(self, batch):
        return [self.send(delivery.inbound.message) for delivery in batch]

    def send(self, message):
        # Here it would be sent somewhere. Outcome.retry() has it come again, an exception the batch.
        log.info(f"{message.topic}: {len(message.payload)} bytes")
        return Outcome.done()
