"""Connections over TCP. Importing this puts the plugin into the lane of plugins that may wait."""

from wit_world.imports.tcp import Connection, connect

__all__ = ["Connection", "connect"]
