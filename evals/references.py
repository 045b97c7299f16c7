"""``{order:jacket}`` and its like in a scenario's words and arguments, as what they stand for in this shop."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import select

from engine.customers import codes
from engine.customers.models import EmailCode
from engine.kit.identity import Identity
from engine.kit.outbox import OutboxRow
from engine.orders.models import OrderLine
from engine.runtime import Runtime
from engine.support.models import Case
from engine.warranties.models import Warranty
from evals.suite import SuiteInvalid
from evals.world import World, number_of

_REFERENCE: Final = re.compile(r"\{(\w+)(?::([\w-]+))?(?::([\w-]+))?\}")


def resolved(value: Any, world: World, speaker: Identity) -> Any:
    """``value`` with every reference in its texts replaced. Raises ``SuiteInvalid`` for one that means nothing."""
    if isinstance(value, str):
        return _REFERENCE.sub(lambda found: _meaning(found, world, speaker), value)
    if isinstance(value, Mapping):
        return {key: resolved(one, world, speaker) for key, one in value.items()}
    if isinstance(value, list):
        return [resolved(one, world, speaker) for one in value]
    return value


def sent_code(world: World, speaker: Identity) -> str:
    """``newest_code`` in this scenario's shop."""
    return newest_code(world.runtime, speaker)


def newest_code(runtime: Runtime, speaker: Identity) -> str:
    """The newest code that was sent for the speaker's session. Raises ``SuiteInvalid`` where there is none."""
    with runtime.unit_of_work(speaker.tenant_id) as session:
        newest = session.scalars(
            select(EmailCode.id).where(EmailCode.shopper_id == speaker.id).order_by(EmailCode.id.desc())
        ).first()
        row = session.scalars(select(OutboxRow).where(OutboxRow.subject_id == newest)).first() if newest else None
        letter = codes.letter(session, runtime, row) if row else None
    if letter is None:
        raise SuiteInvalid("{code}: no code was sent.")
    return letter.code


def _meaning(found: re.Match[str], world: World, speaker: Identity) -> str:
    kind, name, more = found.group(1), found.group(2) or "", found.group(3) or ""
    if kind not in _KINDS:
        raise SuiteInvalid(f"{found.group()} means nothing; there are: {', '.join(sorted(_KINDS))}.")
    try:
        return _KINDS[kind](world, speaker, name, more)
    except KeyError:
        raise SuiteInvalid(f"{found.group()} is not in this scenario's shop.") from None


def _line(world: World, _speaker: Identity, name: str, sku: str) -> str:
    order_id = world.orders[name]
    with world.uow() as session:
        query = select(OrderLine.id).where(OrderLine.order_id == order_id, OrderLine.sku == sku)
        return session.scalars(query.order_by(OrderLine.position)).first() or ""


def _warranty(world: World, _speaker: Identity, name: str, sku: str) -> str:
    order_id = world.orders[name]
    with world.uow() as session:
        query = select(Warranty.id).where(Warranty.order_id == order_id, Warranty.sku == sku)
        return session.scalars(query.order_by(Warranty.unit)).first() or ""


def _case(world: World, _speaker: Identity, _name: str, _more: str) -> str:
    with world.uow() as session:
        return session.scalars(select(Case.number).order_by(Case.id.desc())).first() or ""


_KINDS: Final[Mapping[str, Callable[[World, Identity, str, str], str]]] = {
    "order": lambda world, _speaker, name, _more: number_of(world, name),
    "order_id": lambda world, _speaker, name, _more: world.orders[name],
    "item": lambda world, _speaker, name, _more: world.variants[name],
    "product": lambda world, _speaker, name, _more: world.products[name],
    "place": lambda world, _speaker, name, _more: world.places[name],
    "email": lambda world, _speaker, name, _more: world.emails[name],
    "line": _line,
    "warranty": _warranty,
    "code": lambda world, speaker, _name, _more: sent_code(world, speaker),
    "case": _case,
}
