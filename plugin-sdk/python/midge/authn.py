"""The hook `authn`: who is this?"""

from typing import Any

from wit_world.exports import authn as _authn
from wit_world.exports.authn import Verdict_Allow, Verdict_Deny, Verdict_Next, Verdict_Redirect
from wit_world.imports.connection import Connect
from wit_world.imports.types import Credentials, Grant, Limits, Redirection, Refusal, Reuse

from midge import Reason
from midge._grant import grant_of, limits
from midge._hook import Hook

__all__ = ["Answer", "Authenticator", "Connect", "Credentials", "Grant", "Limits", "limits"]


class Answer:
    """What an authenticator says."""

    @staticmethod
    def allow(principal: str, reuse_ms: int = 0, **grant: Any) -> _authn.Answer:
        """Let in as `principal`. Whatever else a `Grant` has may be given by name: `tenant="acme", permissions=[…]`."""
        return _authn.Answer(Verdict_Allow(grant_of(principal, grant)), Reuse(reuse_ms, None))

    @staticmethod
    def deny(
        reason: str | None, code: int = Reason.BAD_USER_NAME_OR_PASSWORD, reuse_ms: int = 0
    ) -> _authn.Answer:
        """Refuse; nobody else is asked. `reason` is logged, and shown to MQTT 5 clients that ask for it."""
        return _authn.Answer(Verdict_Deny(Refusal(code, reason)), Reuse(reuse_ms, None))

    @staticmethod
    def redirect(server_reference: str, permanent: bool = False, reason: str | None = None) -> _authn.Answer:
        """Refuse, and send it to another server: "host" or "host:port", for good or for this time."""
        return _authn.Answer(Verdict_Redirect(Redirection(server_reference, permanent, reason)), Reuse(0, None))

    @staticmethod
    def next() -> _authn.Answer:
        """Not mine: ask the next authenticator. The chain's end refuses."""
        return _authn.Answer(Verdict_Next(), Reuse(0, None))


class Authenticator(Hook):
    """Decides who a client is, once per CONNECT. Derive `Authn` from it."""

    def authenticate(self, credentials: Credentials, connect: Connect) -> _authn.Answer:
        """Decides on one CONNECT. `connect` has the rarely needed facts and is valid during the call."""
        raise NotImplementedError
