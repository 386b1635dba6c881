"""What authenticators give."""

from dataclasses import fields
from typing import Any

from wit_world.imports.types import Grant, Limits


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


def limits(**named: Any) -> Limits:
    """Limits for a client: those that are named, and the broker's own for all others."""
    known = [field.name for field in fields(Limits)]
    unknown = set(named) - set(known)
    if unknown:
        raise TypeError(f"there is no limit {min(unknown)}; there are {', '.join(known)}")
    return Limits(**{name: named.get(name) for name in known})
