"""Write Midge plugins in Python.

A plugin is a module `plugin` with a class for each hook, named after the hook: `Authn`, `EnhancedAuthn`, `Authz`, `Messages`,
`Sink`, `Events`, `Lifecycle`. Each derives from the base class of its hook, which is in the module of that name:

    from midge.authn import Answer, Authenticator

    class Authn(Authenticator):
        def authenticate(self, credentials, connect):
            if credentials.username == "alice" and credentials.password == b"secret":
                return Answer.allow("alice")
            return Answer.next()

What a method raises becomes the contract's `err`: the plugin or its backend failed. A refusal is an answer, not an exception.
An instance of each class is made when the plugin is built; read the config in `Lifecycle.init`, or when you are first asked.

`http` and `passwords` wait: `from midge import http` puts the plugin into the lane of plugins that may wait.
"""

import json
from typing import Any

from wit_world.imports import broker, clock, crypto, files, identities, kv, metrics, secrets, types
from wit_world.imports import config as _config
from wit_world.imports.types import Actions, Effect, Identity, Message, Qos, Refusal, Reuse

from midge import _output as _output
from midge._hook import Failed
from midge._output import log

__all__ = [
    "Actions", "Effect", "Failed", "Identity", "Message", "Permission", "Qos", "Reason", "Refusal", "Reuse",
    "broker", "clock", "config", "crypto", "files", "identity", "kv", "log", "metrics", "now", "random", "secrets", "types",
]


class Reason:
    """Reason codes a plugin refuses with."""

    BAD_USER_NAME_OR_PASSWORD = 0x86
    NOT_AUTHORIZED = 0x87
    SERVER_UNAVAILABLE = 0x88
    QUOTA_EXCEEDED = 0x97
    PAYLOAD_FORMAT_INVALID = 0x99


class Permission:
    """Rules the broker evaluates itself; of a list of them the first that applies decides."""

    @staticmethod
    def allow(
        topic_filter: str,
        actions: Actions = Actions.PUBLISH | Actions.SUBSCRIBE,
        max_qos: Qos = Qos.EXACTLY_ONCE,
        retain: bool = True,
    ) -> types.Permission:
        """Allows the actions on what the filter matches; `%c`, `%u` and `%t` in it are client id, principal and tenant."""
        return types.Permission(Effect.ALLOW, actions, topic_filter, max_qos, retain)

    @staticmethod
    def deny(topic_filter: str, actions: Actions = Actions.PUBLISH | Actions.SUBSCRIBE) -> types.Permission:
        """Refuses the actions on what the filter matches."""
        return types.Permission(Effect.DENY, actions, topic_filter, Qos.EXACTLY_ONCE, True)


def config() -> dict[str, Any]:
    """The plugin's `config` table."""
    return json.loads(_config.json())


def identity(who: int) -> Identity | None:
    """The facts behind an identity id; none when it is gone."""
    return identities.get(who)


def now() -> int:
    """Milliseconds since the Unix epoch."""
    return clock.unix_ms()


def random(length: int) -> bytes:
    """Unpredictable bytes; at most 65536 in one call."""
    return clock.random(length)


def message(topic: str, payload: bytes | str, **properties: Any) -> Message:
    """A message with QoS 0 and no properties, but for those that are given."""
    whole = Message(
        topic=topic,
        payload=payload.encode() if isinstance(payload, str) else payload,
        qos=Qos.AT_MOST_ONCE,
        retain=False,
        payload_is_utf8=False,
        message_expiry=None,
        content_type=None,
        response_topic=None,
        correlation_data=None,
        user_properties=[],
    )
    for name, value in properties.items():
        if not hasattr(whole, name):
            raise TypeError(f"a message has no property {name}")
        setattr(whole, name, value)
    return whole
