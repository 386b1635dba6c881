"""Plays the broker, so that a plugin's own classes can be tested without a broker and without WebAssembly.

    PYTHONPATH=build/sdk:build/bindings python -m unittest

    from midge import testing
    from plugin import Authn

    testing.broker.config = {"users": {"alice": "secret"}}
    answer = Authn().authenticate(testing.credentials("alice", "secret"), None)

Importing this module puts the double in the place of what the contract's functions do in a component. It needs Python 3.11 and the
bindings that `midge plugin build` writes.
"""

import hashlib
import json
import os
from typing import Any

from componentize_py_types import Err
from wit_world.imports import broker as _broker
from wit_world.imports import clock as _clock
from wit_world.imports import config as _config
from wit_world.imports import crypto as _crypto
from wit_world.imports import files as _files
from wit_world.imports import identities as _identities
from wit_world.imports import kv as _kv
from wit_world.imports import log as _log
from wit_world.imports import metrics as _metrics
from wit_world.imports import secrets as _secrets
from wit_world.imports import types

__all__ = ["Broker", "broker", "credentials", "identity"]


class Broker:
    """What a test says to the broker that is played, and what the plugin did."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forgets everything."""
        self.config: dict[str, Any] = {}
        self.now = 1_700_000_000_000
        self.identities: dict[int, types.Identity] = {}
        self.files: dict[str, bytes] = {}
        self.secrets: dict[str, bytes] = {}
        #: The granted stores, each with its entries.
        self.stores: dict[str, dict[str, bytes]] = {}
        #: Hashes and the passwords that belong to them.
        self.passwords: dict[str, bytes] = {}
        #: Answers to the next HTTP exchanges, in order.
        self.responses: list[Any] = []
        self.requests: list[Any] = []
        #: Lines of the log: level, message, fields.
        self.logged: list[tuple[str, str, dict[str, str]]] = []
        #: What the plugin ordered: its name and arguments.
        self.orders: list[tuple[Any, ...]] = []
        self.metrics: list[tuple[Any, ...]] = []


broker = Broker()


def credentials(username: str | None = None, password: str | None = None, **more: Any) -> types.Credentials:
    """Credentials as a test needs them: MQTT 5 from 127.0.0.1 over plain TCP."""
    whole: dict[str, Any] = {
        "client_id": "client",
        "username": username,
        "password": None if password is None else password.encode(),
        "certificate_cn": None,
        "listener": "tcp",
        "peer": "127.0.0.1:50000",
        "protocol": types.Protocol.V5,
        "tls": False,
    }
    return types.Credentials(**{**whole, **more})


def identity(principal: str, **more: Any) -> types.Identity:
    """An identity as a test needs it."""
    whole: dict[str, Any] = {
        "client_id": "client",
        "principal": principal,
        "tenant": None,
        "attributes": [],
        "listener": "tcp",
        "peer": "127.0.0.1:50000",
        "protocol": types.Protocol.V5,
    }
    return types.Identity(**{**whole, **more})


def _find(table: dict[str, Any], name: str, error: Any) -> Any:
    if name not in table:
        raise Err(error)
    return table[name]


def _scalar(path: str) -> str | None:
    value: Any = broker.config
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None or isinstance(value, (dict, list)) else str(value)


def _increment(store: str, key: str, by: int, _ttl_ms: int) -> int:
    entries = _find(broker.stores, store, _kv.Error.NOT_GRANTED)
    entries[key] = str(int(entries.get(key, b"0")) + by).encode()
    return int(entries[key])


def _set(store: str, key: str, value: bytes, _ttl_ms: int) -> None:
    _find(broker.stores, store, _kv.Error.NOT_GRANTED)[key] = value


def _write(level: Any, message: str, fields: list[tuple[str, str]]) -> None:
    broker.logged.append((level.name.lower(), message, dict(fields)))


def _send(request: Any) -> Any:
    broker.requests.append(request)
    if not broker.responses:
        raise Err("no answer was set for this exchange")
    return broker.responses.pop(0)


def _install() -> None:
    _config.get, _config.json = _scalar, lambda: json.dumps(broker.config)
    _log.enabled, _log.write = lambda level: True, _write
    _clock.unix_ms, _clock.monotonic_ns = lambda: broker.now, lambda: broker.now * 1_000_000
    _clock.random = os.urandom
    _identities.get = lambda id: broker.identities.get(id)
    _secrets.get = lambda name: _find(broker.secrets, name, _secrets.Error.NOT_GRANTED)
    _files.read = lambda path: _find(broker.files, path, _files.Error_NotGranted())
    _files.version = lambda path: hash(_find(broker.files, path, _files.Error_NotGranted()))
    _kv.get = lambda store, key: _find(broker.stores, store, _kv.Error.NOT_GRANTED).get(key)
    _kv.set, _kv.increment = _set, _increment
    _kv.delete = lambda store, key: _find(broker.stores, store, _kv.Error.NOT_GRANTED).pop(key, None) is not None
    _crypto.sha256 = lambda data: hashlib.sha256(data).digest()
    _crypto.sha512 = lambda data: hashlib.sha512(data).digest()
    _metrics.add = lambda name, labels, by: broker.metrics.append(("counter", name, labels, by))
    _metrics.set = lambda name, labels, to: broker.metrics.append(("gauge", name, labels, to))
    _metrics.observe = lambda name, labels, value: broker.metrics.append(("histogram", name, labels, value))
    _broker.publish = lambda message: broker.orders.append(("publish", message))
    _broker.disconnect = lambda client, code, keep: broker.orders.append(("disconnect", client, code, keep))
    _broker.redirect = lambda client, to: broker.orders.append(("redirect", client, to))
    _broker.revoke = lambda principal: broker.orders.append(("revoke", principal))
    # Only plugins that wait have these.
    try:
        from wit_world.imports import http

        http.send = _send
    except ImportError:
        pass
    try:
        from wit_world.imports import passwords

        passwords.verify = lambda encoded, password: broker.passwords.get(encoded) == password
    except ImportError:
        pass


_install()
