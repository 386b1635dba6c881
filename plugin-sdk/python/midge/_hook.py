"""What the base classes of hooks have in common: exceptions become `err`."""

import functools
import traceback
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
        except Err:
            raise
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
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"
