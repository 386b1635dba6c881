"""The hook `admin`: the plugin's own pages on the broker's admin port."""

from wit_world.exports.admin import Request, Response

from midge._hook import Hook

__all__ = ["Admin", "Request", "Response"]


class Admin(Hook):
    """Derive `Admin` from it."""

    def handle(self, request: Request) -> Response:
        """Answers one request."""
        raise NotImplementedError
