"""Password hashes. Importing this puts the plugin into the lane of plugins that may wait."""

from wit_world.imports.passwords import verify

__all__ = ["verify"]
