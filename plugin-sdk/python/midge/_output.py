"""Lines in the broker's log: `log`, and behind Python's own `logging` and `print`."""

import logging
import sys
from typing import Any

from wit_world.imports import log as _log
from wit_world.imports.log import Level


class log:
    """Structured lines. Keyword arguments are fields of the line. Never put credentials in."""

    @staticmethod
    def trace(text: str, **fields: Any) -> None:
        """Every step."""
        _write(Level.TRACE, text, fields)

    @staticmethod
    def debug(text: str, **fields: Any) -> None:
        """What a developer wants to see."""
        _write(Level.DEBUG, text, fields)

    @staticmethod
    def info(text: str, **fields: Any) -> None:
        """Life as usual, worth a line."""
        _write(Level.INFO, text, fields)

    @staticmethod
    def warn(text: str, **fields: Any) -> None:
        """Something was lost or refused for cause."""
        _write(Level.WARN, text, fields)

    @staticmethod
    def error(text: str, **fields: Any) -> None:
        """The operator must act."""
        _write(Level.ERROR, text, fields)


def _write(level: Level, text: str, fields: dict[str, Any]) -> None:
    if _log.enabled(level):
        _log.write(level, str(text), [(name, str(value)) for name, value in fields.items()])


class _Broker(logging.Handler):
    """Python's `logging`, for libraries that use it."""

    def emit(self, record: logging.LogRecord) -> None:
        _write(_level(record.levelno), self.format(record), {})


def _level(number: int) -> Level:
    if number >= logging.ERROR:
        return Level.ERROR
    if number >= logging.WARNING:
        return Level.WARN
    return Level.INFO if number >= logging.INFO else Level.DEBUG


def _install() -> None:
    root = logging.getLogger()
    if not any(isinstance(handler, _Broker) for handler in root.handlers):
        root.addHandler(_Broker())
        root.setLevel(logging.DEBUG)
    # What is printed appears line by line, not when a buffer is full.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(line_buffering=True)


if sys.platform == "wasi":
    _install()
