"""The hook `sink`: hand messages to a backend."""

from wit_world.exports import sink as _sink
from wit_world.exports.sink import Delivery, Outcome_Done, Outcome_Reject, Outcome_Retry

from midge._hook import Hook

__all__ = ["Delivery", "Outcome", "Sink"]


class Outcome:
    """What became of a delivery."""

    @staticmethod
    def done() -> _sink.Outcome:
        """Delivered."""
        return Outcome_Done()

    @staticmethod
    def retry(ms: int = 0) -> _sink.Outcome:
        """Try again, no sooner than in this many milliseconds."""
        return Outcome_Retry(ms)

    @staticmethod
    def reject(why: str) -> _sink.Outcome:
        """Never try again; logged with this text and counted."""
        return Outcome_Reject(why)


class Sink(Hook):
    """Takes messages elsewhere. Derive `Sink` from it."""

    def deliver(self, batch: list[Delivery]) -> list[_sink.Outcome]:
        """One outcome for each delivery, in order. What is raised has the whole batch tried again."""
        raise NotImplementedError

    def flush(self) -> None:
        """Called before the instance is retired and at shutdown."""
