from midge import events, log
#### code
class Events(events.Events):
    """What happened in the broker."""

    def on_events(self, batch):
        for event in batch:
            log.info(f"{event.kind} {event.client_id or ''}")
