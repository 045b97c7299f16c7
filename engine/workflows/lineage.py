"""Which order is which: of a platform or of ours, in the ERP, and at a warehouse. Kept in ``engine.sync.xref``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.kit import clock
from engine.sync import xref
from engine.sync.canonical import OURS, Document, OrderCreated
from engine.sync.models import System, Xref

ORDER: Final = "order"
"""Internal kind: an order of our own, by its id."""
SOURCE_ORDER: Final = "source_order"
"""Internal kind: a platform's order, by ``{system}:{account}:{id}``."""
SALES_ORDER: Final = "sales_order"
"""Internal kind: an order that began in the ERP, by ``{system}:{account}:{id}``."""
FULFILLMENT: Final = "fulfillment"
"""Internal kind: a fulfillment of ours, of which a warehouse has the work."""
IN_ERP: Final = "salesOrder"
CANCELED: Final = "canceled"
"""The fingerprint of an order that was called off."""
_AT_WAREHOUSE: Final = "order"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an order was placed. ``system`` is a ``System``, or ``OURS``."""

    kind: str
    id: str
    system: str
    account: str
    source_id: str


def internal_of(document: Document) -> tuple[str, str]:
    """What an order is called among ours."""
    return (ORDER, document.source_id) if document.source == OURS else (SOURCE_ORDER, document.key)


def keep_sales_order(
    session: Session,
    tenant_id: str,
    order: OrderCreated,
    erp_account: str,
    erp_id: str,
    *,
    version: str = "",
    goods: str = "",
) -> None:
    """The ERP has an order: ``version`` is the fingerprint of what it was told, ``goods`` of what of that is sent and
    where. Raises ``LinkedElsewhere``.
    """
    kind, name = internal_of(order)
    xref.link(
        session,
        tenant_id=tenant_id,
        system=System.NETSUITE,
        account=erp_account,
        kind=IN_ERP,
        external_id=erp_id,
        internal_kind=kind,
        internal_id=name,
        version=version,
        hash=goods,
    )


def forget_told(session: Session, tenant_id: str, erp_account: str, erp_id: str) -> None:
    """What the ERP was told was called off: whoever looks next tells it again. Whoever hands it over waits for the
    caller's transaction.
    """
    link = session.get(Xref, _key(tenant_id, erp_account, erp_id), with_for_update=True, populate_existing=True)
    if link is not None:
        link.version, link.hash, link.updated_at = "", CANCELED, clock.now()


def doubt_told(session: Session, tenant_id: str, erp_account: str, erp_id: str, goods: str) -> datetime:
    """What the ERP was told may be another's word by now: whoever looks next tells it again. ``goods`` are what the
    caller told it: they are known still where nobody told it others. Returns since when.
    """
    now = clock.now()
    link = session.get(Xref, _key(tenant_id, erp_account, erp_id), with_for_update=True, populate_existing=True)
    if link is not None:
        link.version, link.hash, link.updated_at = "", goods if link.hash == goods else "", now
    return now


def sales_order_link(
    session: Session, tenant_id: str, internal_kind: str, internal_id: str, erp_account: str
) -> Xref | None:
    """An order's link to its sales order; ``version`` is the fingerprint that it had when it was written last."""
    return xref.find_external(
        session,
        tenant_id=tenant_id,
        system=System.NETSUITE,
        account=erp_account,
        kind=IN_ERP,
        internal_kind=internal_kind,
        internal_id=internal_id,
    )


def sales_order_of(
    session: Session, tenant_id: str, internal_kind: str, internal_id: str, erp_account: str
) -> str | None:
    """The ERP's id of an order."""
    found = sales_order_link(session, tenant_id, internal_kind, internal_id, erp_account)
    return found.external_id if found else None


def linked(session: Session, tenant_id: str, erp_account: str, erp_ids: Iterable[str]) -> set[str]:
    """Those of the ERP's orders of which it is known where they were placed."""
    query = select(Xref.external_id).where(
        Xref.tenant_id == tenant_id,
        Xref.system == System.NETSUITE,
        Xref.account == erp_account,
        Xref.kind == IN_ERP,
        Xref.external_id.in_(set(erp_ids)),
    )
    return set(session.scalars(query))


def origin_of(session: Session, tenant_id: str, erp_account: str, erp_id: str) -> Origin | None:
    """Where an order of the ERP was placed; ``None`` of one that began there."""
    found = xref.find(
        session, tenant_id=tenant_id, system=System.NETSUITE, account=erp_account, kind=IN_ERP, external_id=erp_id
    )
    return _origin(found.internal_kind, found.internal_id) if found else None


def keep_warehouse_order(
    session: Session,
    tenant_id: str,
    *,
    system: System,
    account: str,
    number: str,
    internal_kind: str,
    internal_id: str,
) -> None:
    """A warehouse has an order under a number. Raises ``LinkedElsewhere``."""
    xref.link(
        session,
        tenant_id=tenant_id,
        system=system,
        account=account,
        kind=_AT_WAREHOUSE,
        external_id=number,
        internal_kind=internal_kind,
        internal_id=internal_id,
    )


def warehouse_order(
    session: Session, tenant_id: str, *, system: System, account: str, number: str
) -> tuple[str, str] | None:
    """What a warehouse's order is among ours: kind and id."""
    found = xref.find(
        session, tenant_id=tenant_id, system=system, account=account, kind=_AT_WAREHOUSE, external_id=number
    )
    return (found.internal_kind, found.internal_id) if found else None


def handed_over(session: Session, tenant_id: str, internal_kind: str, internal_id: str) -> str:
    """The number under which any warehouse has a thing; nothing where none has it."""
    query = select(Xref.external_id).where(
        Xref.tenant_id == tenant_id,
        Xref.kind == _AT_WAREHOUSE,
        Xref.internal_kind == internal_kind,
        Xref.internal_id == internal_id,
    )
    return session.scalars(query.order_by(Xref.linked_at)).first() or ""


def order_handed_over(session: Session, tenant_id: str, erp_account: str, erp_id: str) -> str:
    """The number under which any warehouse has an order of the ERP as a whole; nothing where none has it."""
    origin = origin_of(session, tenant_id, erp_account, erp_id)
    names = [(origin.kind, origin.id)] if origin else []
    names.append(began_in_erp(erp_account, erp_id))
    return next(filter(None, (handed_over(session, tenant_id, *name) for name in names)), "")


def goods_of(session: Session, tenant_id: str, erp_account: str, erp_id: str) -> str:
    """The fingerprint of what of an order is sent and where, as the ERP was told it last; nothing where nobody knows.
    Whoever else writes or hands over this order waits for the caller's transaction.
    """
    found = session.get(Xref, _key(tenant_id, erp_account, erp_id), with_for_update=True, populate_existing=True)
    return found.hash if found else ""


def warehouse_number(
    session: Session, tenant_id: str, *, system: System, account: str, internal_kind: str, internal_id: str
) -> str | None:
    """The number under which a warehouse has something of ours."""
    found = xref.find_external(
        session,
        tenant_id=tenant_id,
        system=system,
        account=account,
        kind=_AT_WAREHOUSE,
        internal_kind=internal_kind,
        internal_id=internal_id,
    )
    return found.external_id if found else None


def began_in_erp(account: str, erp_id: str) -> tuple[str, str]:
    """What an order of the ERP is called among ours that nobody linked to where it was placed."""
    return SALES_ORDER, key_of(System.NETSUITE, account, erp_id)


def key_of(system: System, account: str, source_id: str) -> str:
    """A thing's name among all systems and accounts."""
    return f"{system}:{account}:{source_id}"


def _key(tenant_id: str, erp_account: str, erp_id: str) -> tuple[str, System, str, str, str]:
    return tenant_id, System.NETSUITE, erp_account, IN_ERP, erp_id


def _origin(kind: str, name: str) -> Origin:
    if kind == ORDER:
        return Origin(kind, name, OURS, "", name)
    system, _, rest = name.partition(":")
    account, _, source_id = rest.rpartition(":")
    return Origin(kind, name, system, account, source_id)
