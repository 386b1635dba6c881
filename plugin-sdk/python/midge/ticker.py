"""The hook `ticker`: the plugin's own turn, again and again."""

from midge._hook import Hook

__all__ = ["Ticker"]


class Ticker(Hook):
    """Derive `Ticker` from it."""

    def tick(self) -> None:
        """One turn; what is raised is counted and logged."""
        raise NotImplementedError
