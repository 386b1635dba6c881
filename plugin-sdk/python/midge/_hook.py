"""What the base classes of hooks have in common: exceptions become `err`."""

import functools
import traceback
from enum import Enum
from typing import Any, Callable

from componentize_py_types import Err

from midge._output import log


class Failed(Exception):
    """The plugin or its backend failed, and the text says why. Any other exception is told with its type and its place."""


class Hook:
    """Wraps the methods of every class that derives from it."""

    #: Functions whose contract has no `err`: what they raise is logged.
    _infallible: tuple[str, ...] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, member in list(vars(cls).items()):
            if callable(member) and not name.startswith("_") and not isinstance(member, type):
                setattr(cls, name, _lenient(member) if name in cls._infallible else _strict(member))


def _strict(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(*args: Any) -> Any:
        try:
            return method(*args)
        except Err as error:
            if isinstance(error.value, str):
                raise
            # What an import said, and nobody caught: a hook's `err` is a text.
            raise Err(_said(error.value) + _place(error)) from None
        except Exception as error:
            raise Err(_told(error)) from None

    return call


def _lenient(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(*args: Any) -> Any:
        try:
            return method(*args)
        except Exception as error:
            log.error(_told(error))
            return None

    return call


def _told(error: Exception) -> str:
    if isinstance(error, Failed):
        return str(error)
    said = _said(error.value) if isinstance(error, Err) else f"{type(error).__name__}: {error}"
    return said + _place(error)


def _said(error: Any) -> str:
    """An error of the contract in its own words: "not-granted", or "connect: nobody answers"."""
    if isinstance(error, Enum):
        return error.name.lower().replace("_", "-")
    name = type(error).__name__.removeprefix("Error_")
    kebab = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).removeprefix("-")
    payload = getattr(error, "value", None)
    return kebab if payload is None else f"{kebab}: {payload}"


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f" ({frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno})" if frames else ""

