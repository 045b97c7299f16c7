"""Who is asking. It comes from the authenticated session or key: never from a body, an argument or model text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

NAMELESS: Final = ""
"""Who stands behind a key that names nobody."""


class Actor(StrEnum):
    SHOPPER = "shopper"
    API_KEY = "api_key"
    MEMBER = "member"
    """One of the shop's people, signed in to the console."""
    SYSTEM = "system"


class Scope(StrEnum):
    ACP = "acp"
    STAFF = "staff"
    OPS = "ops"
    ADMIN = "admin"


class Role(StrEnum):
    """What somebody does at the shop."""

    SUPPORT = "support"
    SUPERVISOR = "supervisor"
    OPS = "ops"
    ADMIN = "admin"

    @property
    def scopes(self) -> frozenset[Scope]:
        """What it may call. What of it takes another's yes, and whose, is said by the policy ``approvals``."""
        return _SCOPES[self]


_PEOPLE: Final = frozenset({Actor.API_KEY, Actor.MEMBER})
_SCOPES: Final = {
    Role.SUPPORT: frozenset({Scope.STAFF}),
    Role.SUPERVISOR: frozenset({Scope.STAFF}),
    Role.OPS: frozenset({Scope.STAFF, Scope.OPS}),
    Role.ADMIN: frozenset({Scope.STAFF, Scope.OPS, Scope.ADMIN}),
}


@dataclass(frozen=True, slots=True)
class Identity:
    """One authenticated caller of one tenant."""

    tenant_id: str
    actor: Actor
    id: str
    """``shp_…`` of a browser session, ``stf_…`` of one of the shop's people, ``agp_…`` of an agent platform,
    ``key_…`` of any other API key, or ``system``.
    """
    customer_id: str | None = None
    """Only after a verified e-mail."""
    scopes: frozenset[Scope] = frozenset()
    person: str | None = None
    """Who works with the key, when it names somebody; who is signed in."""
    key_id: str | None = None
    """The key that was shown."""
    platform_id: str | None = None
    """The agent platform whose key it is."""
    role: Role | None = None
    """Of one of the shop's people who is signed in; a key has none."""
    name: str | None = None
    """How they are called, as they write it."""
    session: str | None = None
    """The hash of the cookie they showed: when that session ends, so does what still runs in it."""

    @property
    def who(self) -> str:
        """The person, as far as we know: every key of one person has one ``who``."""
        return self.person or self.id

    @property
    def buyer(self) -> Identity:
        """As whom a key buys: as its agent platform, whichever key of it is shown, and with no power but that."""
        return replace(self, id=self.platform_id or self.id, scopes=self.scopes & {Scope.ACP})

    @property
    def counts_as(self) -> str:
        """Who this is where different people are told apart: all keys that name nobody are one, and nobody in
        particular.
        """
        return (self.person or NAMELESS) if self.actor in _PEOPLE else self.id

    @property
    def is_staff(self) -> bool:
        return bool(self.scopes & {Scope.STAFF, Scope.OPS, Scope.ADMIN})

    @property
    def is_operations(self) -> bool:
        return bool(self.scopes & {Scope.OPS, Scope.ADMIN})
