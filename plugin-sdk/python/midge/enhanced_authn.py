"""The hook `enhanced-authn`: who is this, in several steps?"""

from typing import Any

from wit_world.exports import enhanced_authn as _enhanced
from wit_world.exports.enhanced_authn import (
    Candidate,
    Challenge,
    Step_Allow,
    Step_Challenge,
    Step_Deny,
    Step_Redirect,
    Success,
)
from wit_world.imports.connection import Connect
from wit_world.imports.types import Redirection, Refusal

from midge import Reason
from midge._grant import grant_of
from midge._hook import Hook

__all__ = ["Candidate", "Connect", "EnhancedAuthenticator", "Step"]


class Step:
    """What comes next in an exchange."""

    @staticmethod
    def challenge(data: bytes | None, state: bytes) -> Step_Challenge:
        """Ask the client and wait. `state` comes back with its reply."""
        return Step_Challenge(Challenge(data, state))

    @staticmethod
    def allow(principal: str, data: bytes | None = None, **grant: Any) -> Step_Allow:
        """Let the client in, or let it stay. Whatever else a `Grant` has may be given by name; `data` goes to the client."""
        return Step_Allow(Success(grant_of(principal, grant), data))

    @staticmethod
    def deny(reason: str | None, code: int = Reason.NOT_AUTHORIZED) -> Step_Deny:
        """Refuse and close."""
        return Step_Deny(Refusal(code, reason))

    @staticmethod
    def redirect(server_reference: str, permanent: bool = False, reason: str | None = None) -> Step_Redirect:
        """Refuse, or disconnect, and send it to another server."""
        return Step_Redirect(Redirection(server_reference, permanent, reason))


class EnhancedAuthenticator(Hook):
    """Decides who a client is by an exchange. Derive `EnhancedAuthn` from it."""

    _infallible = ("methods",)

    def methods(self) -> list[str]:
        """The Authentication Methods served; at least one."""
        raise NotImplementedError

    def start(self, client: Candidate, data: bytes | None, connect: Connect) -> _enhanced.Step:
        """Begins an exchange."""
        raise NotImplementedError

    def proceed(self, client: Candidate, state: bytes, data: bytes | None, connect: Connect) -> _enhanced.Step:
        """Judges the reply to a challenge."""
        raise NotImplementedError
