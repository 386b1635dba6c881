"""The hook `authz-deliver`: may a client have this message?"""

from wit_world.exports.authz_deliver import Delivery, Publisher, Verdict
from wit_world.exports.authz_deliver import Ruling as _Ruling
from wit_world.imports.types import Reuse

from midge._hook import Hook

__all__ = ["Delivery", "DeliveryAuthorizer", "Publisher", "Ruling"]


class Ruling:
    """What is said of one message."""

    @staticmethod
    def allow(reuse_ms: int = 0, covers: str | None = None) -> _Ruling:
        """Yes. With `reuse_ms` the broker may say so again for as long, for every topic that the filter `covers` contains."""
        return _Ruling(Verdict.ALLOW, Reuse(reuse_ms, covers))

    @staticmethod
    def deny(reuse_ms: int = 0, covers: str | None = None) -> _Ruling:
        """No: it is dropped for this client, and counted."""
        return _Ruling(Verdict.DENY, Reuse(reuse_ms, covers))

    @staticmethod
    def next() -> _Ruling:
        """Not mine: ask the next plugin with this hook. The chain's end refuses."""
        return _Ruling(Verdict.NEXT, Reuse(0, None))


class DeliveryAuthorizer(Hook):
    """Derive `AuthzDeliver` from it. The operator has to name the hook."""

    def authorize_deliver(self, who: int, deliveries: list[Delivery]) -> list[_Ruling]:
        """May `who` have these? One ruling for each message, in order."""
        return [self.authorize_message(who, one) for one in deliveries]

    def authorize_message(self, who: int, delivery: Delivery) -> _Ruling:
        """The same for one message."""
        return Ruling.next()
