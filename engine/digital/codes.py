"""A variant's pool of licence codes: what is brought, and what is taken out again. Free codes are its units on hand."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from engine.catalog.models import Variant
from engine.digital.errors import CodesInUse, NotDigital
from engine.digital.models import CodeStatus, DigitalCode
from engine.inventory import levels
from engine.inventory.books import post_adjustment, post_receipt
from engine.inventory.levels import Move
from engine.inventory.models import Location, MovementKind, StockLevel
from engine.kit import audit
from engine.kit.envelope import derive, seal
from engine.kit.errors import Conflict, InvalidInput, NotFound
from engine.kit.identity import Identity
from engine.kit.ids import new_id
from engine.shipping.digital import Digital

MOST: Final = 10_000
"""Codes in one go."""
LONGEST: Final = 500


@dataclass(frozen=True, slots=True)
class Pool:
    """How many codes of a variant are there, by what became of them."""

    variant_id: str
    sku: str
    free: int
    claimed: int
    revoked: int


@dataclass(frozen=True, slots=True)
class Added:
    added: int
    known: int
    """Codes that the pool had already: they were left alone."""
    pool: Pool


def add(session: Session, secret_key: bytes, identity: Identity, variant_id: str, codes: Sequence[str]) -> Added:
    """Bring codes; each is kept once, sealed. Raises ``NotFound``, ``NotDigital`` for an item without a pool,
    ``InvalidInput``, ``Conflict`` where the shop has no location that they could count at.
    """
    variant = _locked(session, identity.tenant_id, variant_id)
    hashes = _hashed(secret_key, variant, codes)
    there = _of(variant).where(DigitalCode.code_hash.in_(hashes)).with_only_columns(DigitalCode.code_hash)
    known = set(session.scalars(there))
    fresh = {key: code for key, code in hashes.items() if key not in known}
    session.add_all(_row(secret_key, identity, variant, key, code) for key, code in fresh.items())
    session.flush()
    if fresh:
        _count(session, identity, variant, len(fresh))
    return Added(len(fresh), len(codes) - len(fresh), pool(session, identity.tenant_id, variant_id))


def withdraw(session: Session, identity: Identity, variant_id: str, units: int) -> Pool:
    """Take free codes out for good, the newest first. Raises ``CodesInUse`` for more than nobody has bought,
    ``NotFound``, ``NotDigital``.
    """
    variant = _locked(session, identity.tenant_id, variant_id)
    if units < 1:
        raise InvalidInput("Say how many codes go.", param="units")
    free = _of(variant).where(DigitalCode.status == CodeStatus.FREE).order_by(DigitalCode.id.desc())
    rows = list(session.scalars(free.limit(units).with_for_update()))
    if len(rows) < units:
        raise CodesInUse(f"Only {len(rows)} codes are free.")
    _count(session, identity, variant, -units)
    for row in rows:
        session.delete(row)
    session.flush()
    return pool(session, identity.tenant_id, variant_id)


def pool(session: Session, tenant_id: str, variant_id: str) -> Pool:
    """Raises ``NotFound``."""
    sku = session.scalar(select(Variant.sku).where(Variant.tenant_id == tenant_id, Variant.id == variant_id))
    if sku is None:
        raise NotFound("There is no such variant in this shop.")
    mine = (DigitalCode.tenant_id == tenant_id, DigitalCode.variant_id == variant_id)
    rows = session.execute(select(DigitalCode.status, func.count()).where(*mine).group_by(DigitalCode.status))
    counts = {CodeStatus(status): int(units) for status, units in rows}
    return Pool(variant_id, sku, *(counts.get(one, 0) for one in CodeStatus))


def code_context(code_id: str) -> str:
    """What a sealed code opens with."""
    return f"digital-code|{code_id}"


def _locked(session: Session, tenant_id: str, variant_id: str) -> Variant:
    variant = session.get(Variant, (tenant_id, variant_id), with_for_update=True, populate_existing=True)
    if variant is None:
        raise NotFound("There is no such variant in this shop.")
    if variant.digital is None or not Digital.model_validate(variant.digital).codes:
        raise NotDigital(f"{variant.sku} comes without codes: say so of it first.")
    return variant


def _of(variant: Variant) -> Select[DigitalCode]:
    return select(DigitalCode).where(DigitalCode.tenant_id == variant.tenant_id, DigitalCode.variant_id == variant.id)


def _hashed(secret_key: bytes, variant: Variant, codes: Sequence[str]) -> dict[str, str]:
    """Keyed hash → code. Raises ``InvalidInput``; it repeats nothing of what was sent."""
    if not codes or len(codes) > MOST:
        raise InvalidInput(f"Between 1 and {MOST} codes at once.", param="codes")
    key = derive(secret_key, f"digital-codes:{variant.tenant_id}")
    found = {}
    for number, said in enumerate(codes):
        code = said.strip()
        if not code or len(code) > LONGEST or not code.isprintable():
            raise InvalidInput(f"A code has 1 to {LONGEST} letters, on one line.", param=f"codes[{number}]")
        found[hmac.new(key, code.encode(), sha256).hexdigest()] = code
    return found


def _row(secret_key: bytes, identity: Identity, variant: Variant, key: str, code: str) -> DigitalCode:
    code_id = new_id("digital_code")
    return DigitalCode(
        tenant_id=variant.tenant_id,
        id=code_id,
        variant_id=variant.id,
        code_sealed=seal(secret_key, variant.tenant_id, code_context(code_id), code),
        code_hash=key,
        added_by=identity.id,
    )


def _count(session: Session, identity: Identity, variant: Variant, units: int) -> None:
    """As many units more on hand, or fewer, at what they cost."""
    tenant_id, subject = variant.tenant_id, new_id("movement")
    kind = MovementKind.RECEIPT if units > 0 else MovementKind.ADJUST
    place = _place(session, tenant_id, variant.id)
    move = Move(variant.id, place, kind, subject, on_hand=units, reason="codes")
    if levels.change(session, tenant_id, [move]):
        raise CodesInUse("So many codes are not free: units of it are sold and about to be given out.")
    if units > 0:
        post_receipt(session, tenant_id, subject=subject, cost=variant.cost * units)
    else:
        post_adjustment(session, tenant_id, subject=subject, cost=variant.cost * units)
    facts = {"units": units, "sku": variant.sku}
    audit.record(session, tenant_id, actor=identity.id, action="digital.codes_changed", subject=variant.id, facts=facts)


def _place(session: Session, tenant_id: str, variant_id: str) -> str:
    """Where a pool counts: where it did before, else at the first location that ships, or at which orders are fetched:
    the places that a checkout looks at.
    """
    before = select(StockLevel.location_id).where(
        StockLevel.tenant_id == tenant_id, StockLevel.variant_id == variant_id
    )
    if known := session.scalar(before.order_by(StockLevel.on_hand.desc()).limit(1)):
        return known
    usual = select(Location.id).where(Location.tenant_id == tenant_id, Location.ships | Location.pickup.is_not(None))
    place = session.scalar(usual.order_by(Location.ships.desc(), Location.position, Location.id).limit(1))
    if place is None:
        raise Conflict("Add a location first: codes are counted at one.")
    return place
