from midge import lifecycle, log
#### code
class Lifecycle(lifecycle.Lifecycle):
    """The start and the end of an instance."""

    def start(self, environment):
        # The place to read and check the config: an exception stops the broker's start, with its text.
        log.info(f"{environment.name} starts")
