"""The hook `authz`: may this identity do that?"""

from wit_world.exports.authz import Ruling as _Ruling
from wit_world.exports.authz import Subscription, Verdict
from wit_world.imports.types import Identity, Qos, Refusal, Reuse
from wit_world.imports.types import Permission as _Permission

from midge import Reason
from midge._hook import Hook

__all__ = ["Authorizer", "Identity", "Qos", "Ruling", "Subscription"]


class Ruling:
    """What an authorizer says."""

    @staticmethod
    def allow(max_qos: Qos = Qos.EXACTLY_ONCE, reuse_ms: int = 0, covers: str | None = None) -> _Ruling:
        """Yes. With `reuse_ms` the broker may say so again for as long, for everything the filter `covers` contains."""
        return _Ruling(Verdict.ALLOW, max_qos, Reuse(reuse_ms, covers), None)

    @staticmethod
    def deny(
        reason: str | None, code: int = Reason.NOT_AUTHORIZED, reuse_ms: int = 0, covers: str | None = None
    ) -> _Ruling:
        """No; nobody else is asked."""
        return _Ruling(Verdict.DENY, Qos.EXACTLY_ONCE, Reuse(reuse_ms, covers), Refusal(code, reason))

    @staticmethod
    def next() -> _Ruling:
        """Not mine: ask the next authorizer. The chain's end refuses."""
        return _Ruling(Verdict.NEXT, Qos.EXACTLY_ONCE, Reuse(0, None), None)


class Authorizer(Hook):
    """Decides what a client may do. Derive `Authz` from it and write what you need: the rest says "not mine"."""

    _infallible = ("identity_gone",)

    def permissions(self, id: int, who: Identity) -> list[_Permission] | None:
        """The whole authorization of an identity, or `None` to be asked per action."""
        return None

    def authorize_publish(self, who: int, topic: str, qos: Qos, retain: bool) -> _Ruling:
        """May `who` publish this? Also asked for the Will."""
        return Ruling.next()

    def authorize_subscribe(self, who: int, subscriptions: list[Subscription]) -> list[_Ruling]:
        """May `who` subscribe? One ruling for each filter of a SUBSCRIBE, in order."""
        return [self.authorize_filter(who, one) for one in subscriptions]

    def authorize_filter(self, who: int, subscription: Subscription) -> _Ruling:
        """The same for one filter."""
        return Ruling.next()

    def identity_gone(self, who: int) -> None:
        """The identity is gone: forget what was kept under its id."""
