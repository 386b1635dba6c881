"""The hook `events`: what happened in the broker."""

from wit_world.exports.events import Event

from midge._hook import Hook

__all__ = ["Event", "Events"]


class Events(Hook):
    """Watches what happens. Derive `Events` from it."""

    def on_events(self, batch: list[Event]) -> None:
        """Takes a batch, oldest first."""
        raise NotImplementedError
