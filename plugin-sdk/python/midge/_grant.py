"""What authenticators give."""

from typing import Any

from wit_world.imports.types import Grant


def grant_of(principal: str, more: dict[str, Any]) -> Grant:
    """A grant that says nothing but who, and whatever else is given by name."""
    grant = Grant(
        principal=principal,
        tenant=None,
        client_id=None,
        attributes=[],
        permissions=None,
        limits=None,
        expires_at=None,
        user_properties=[],
    )
    for name, value in more.items():
        if not hasattr(grant, name):
            raise TypeError(f"a grant has no {name}")
        setattr(grant, name, value)
    return grant
