"""A merchant's rules as data: each domain declares its policy as a typed model with defaults, the tenant overrides.

They live in ``tenants.settings["policies"][section]``. What a shop never said is the default of the model.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, ClassVar, Final, TypeVar, cast

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy.orm import Session

from engine.kit.caps import HOME
from engine.kit.errors import Conflict, InvalidInput
from engine.kit.gathering import Rows, Wanted, fetch
from engine.kit.refusals import in_words
from engine.kit.tenancy import Tenant


class Policy(BaseModel):
    """Base of every domain's policy; ``section`` is its name in the tenant's settings. What is written below a field is
    shown beside it in the console.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
    section: ClassVar[str]


class PolicyBroken(Conflict):
    code = "policy_invalid"


P = TypeVar("P", bound=Policy)
_TENANT: Final = Rows(Tenant, "r.id = %(tenant)s")


def policy_of(session: Session, tenant_id: str, kind: type[P]) -> P:
    """The tenant's policy of one domain, defaults filled in."""
    if tenant_id not in session.info:
        fetch_with_tenant(session, tenant_id)
    tenant = session.info[tenant_id]
    return read_policy(tenant.settings, kind, home=tenant.currency)


def fetch_with_tenant(session: Session, tenant_id: str, *wanted: Wanted) -> list[list[Any]]:
    """As ``fetch``; in the same trip the tenant's row is read that policies are asked of, where it was not yet."""
    if tenant_id in session.info:
        return fetch(session, *wanted)
    *found, (tenant,) = fetch(session, *wanted, (_TENANT, {"tenant": tenant_id}))
    session.info[tenant_id] = tenant  # kept: a session forgets
    return found


def read_policy(settings: dict[str, Any], kind: type[P], *, home: str | None = None) -> P:
    """The policy in a tenant's settings; ``home`` is the shop's own currency, of which limits are that name none.
    Raises ``PolicyBroken`` for one that was written before a rule was tightened:
    nothing goes on under a rule nobody made, and the value can be set anew.
    """
    said = settings.get("policies", {}).get(kind.section, {})
    try:
        return cast("P", _read(kind, _written(said), home))
    except ValidationError as error:
        where, words = _first(kind, error)
        raise PolicyBroken(f"This shop's rule {where} cannot be: {words}. It must be set anew.") from None


def _written(said: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(said)
    except TypeError:  # a number of more than 64 bits
        return json.dumps(said).encode()


@lru_cache(maxsize=2_000)
def _read(kind: type[Policy], said: bytes, home: str | None) -> Policy:
    """What is said makes the policy, so the same is read once; nobody changes one (``frozen``)."""
    return kind.model_validate(json.loads(said), context=_context(home))


def change_policy(tenant: Tenant, kind: type[Policy], values: dict[str, Any]) -> Policy:
    """Override some values. Raises ``InvalidInput`` naming the first value that cannot be; then nothing changes."""
    policies = dict(tenant.settings.get("policies", {}))
    wanted = policies.get(kind.section, {}) | values
    try:
        policy = kind.model_validate(wanted, context=_context(tenant.currency))
    except ValidationError as error:
        where, words = _first(kind, error)
        raise InvalidInput(f"{where}: {words}.", param=where) from None
    tenant.settings = tenant.settings | {"policies": policies | {kind.section: wanted}}
    return policy


def _context(home: str | None) -> dict[str, str]:
    return {HOME: home} if home else {}


def _first(kind: type[Policy], error: ValidationError) -> tuple[str, str]:
    """Where the first fault is, and what is wrong with it."""
    first = error.errors()[0]
    return ".".join([kind.section, *map(str, first["loc"])]), in_words(first)
