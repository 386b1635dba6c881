"""The hook `authz-unsubscribe`: may a client end a subscription?"""

from wit_world.exports import authz_unsubscribe as _hook
from wit_world.exports.authz_unsubscribe import Verdict_Allow, Verdict_Deny, Verdict_Next
from wit_world.imports.types import Refusal

from midge import Reason
from midge._hook import Hook

__all__ = ["UnsubscribeAuthorizer", "Verdict"]


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


class UnsubscribeAuthorizer(Hook):
    """Derive `AuthzUnsubscribe` from it."""

    def authorize_unsubscribe(self, who: int, filters: list[str]) -> list[_hook.Verdict]:
        """One verdict for each filter of an UNSUBSCRIBE, in order."""
        raise NotImplementedError
