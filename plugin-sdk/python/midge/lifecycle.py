"""The hook `lifecycle`: the start and the end of an instance."""

from wit_world.exports.lifecycle import Environment, Registration

from midge._hook import Hook

__all__ = ["Environment", "Lifecycle", "Registration"]


class Lifecycle(Hook):
    """Derive `Lifecycle` from it and write what you need, above all `start`."""

    _infallible = ("shutdown",)

    def init(self, environment: Environment) -> Registration:
        """Called before any other function. Write `start` instead unless you register for topics."""
        self.start(environment)
        return Registration([], True)

    def start(self, environment: Environment) -> None:
        """Read the config here, and raise `Failed` where it is wrong: that stops the broker's start with your words."""

    def health(self) -> None:
        """Called now and then; what is raised makes the plugin unhealthy."""

    def shutdown(self) -> None:
        """The last call before the instance is dropped."""
