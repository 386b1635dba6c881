"""The hook `admission`: may anybody connect from there? A plugin with it must import nothing that waits."""

from wit_world.exports.admission import Answer
from wit_world.imports.types import Reuse

from midge._hook import Hook

__all__ = ["Admission", "Admit", "Answer"]


class Admit:
    """The decision, and for how long the broker may say so again to the same address."""

    @staticmethod
    def yes(reuse_ms: int = 0) -> Answer:
        """As far as this plugin is concerned."""
        return Answer(True, Reuse(reuse_ms, None))

    @staticmethod
    def no(reuse_ms: int = 0) -> Answer:
        """The connection is closed."""
        return Answer(False, Reuse(reuse_ms, None))


class Admission(Hook):
    """Derive `Admission` from it."""

    def admit(self, listener: str, address: str) -> Answer:
        """Asked when a connection is accepted; `address` is without port."""
        raise NotImplementedError
