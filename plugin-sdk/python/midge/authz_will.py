"""The hook `authz-will`: may a client leave this Will?"""

from wit_world.exports import authz_will as _hook
from wit_world.exports.authz_will import Verdict_Allow, Verdict_Deny, Verdict_Next
from wit_world.imports.types import Message, Refusal

from midge import Reason
from midge._hook import Hook

__all__ = ["WillAuthorizer", "Verdict"]


class Verdict:
    """The decision."""

    @staticmethod
    def allow() -> _hook.Verdict:
        """Yes; nobody else is asked."""
        return Verdict_Allow()

    @staticmethod
    def deny(reason: str | None, code: int = Reason.NOT_AUTHORIZED) -> _hook.Verdict:
        """No."""
        return Verdict_Deny(Refusal(code, reason))

    @staticmethod
    def next() -> _hook.Verdict:
        """Not mine: ask the next plugin with this hook. The chain's end refuses."""
        return Verdict_Next()


class WillAuthorizer(Hook):
    """Derive `AuthzWill` from it."""

    def authorize_will(self, who: int, will: Message, delay: int) -> _hook.Verdict:
        """Asked at CONNECT; `delay` in seconds."""
        raise NotImplementedError
