"""Sending an order to another address: other shipping, other taxes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import select

from engine.catalog.models import Product, Variant
from engine.compliance import service as compliance
from engine.compliance.policy import CompliancePolicy
from engine.customers.addresses import missing_parts, normalize
from engine.customers.errors import AddressIncomplete
from engine.customers.policy import AddressesPolicy
from engine.kit.policies import policy_of, read_policy
from engine.kit.tenancy import Tenant
from engine.orders import shares
from engine.orders.changes import kept_tax
from engine.orders.changes.case import Case, effect_of
from engine.orders.changes.effect import Effect
from engine.orders.changes.wanted import AddressWanted
from engine.orders.errors import NotDeliverable, NothingToChange
from engine.orders.models import ChangeKind, OrderLine
from engine.orders.ways import goes_apart
from engine.shipping import service as shipping
from engine.shipping.digital import is_digital
from engine.shipping.pickup import fetched
from engine.tax import service as tax


def work_out(case: Case, wanted: AddressWanted) -> Effect:
    """The same goods at the other address: today's price of the same way of shipping there (the cheapest when it is
    not offered) and today's taxes there.

    Raises ``AddressIncomplete``, ``NothingToChange``, ``NotDeliverable``.
    """
    if fetched(case.order.fulfillment):
        raise NotDeliverable("Its buyer comes for this order: it goes to no other address.")
    if is_digital(case.order.fulfillment) or goes_apart(case.parts.lines):
        raise NotDeliverable("Not all of this order goes to an address: please talk to the shop.")
    ship_to = _complete(case, wanted)
    if ship_to == case.order.ship_to:
        raise NothingToChange("The order goes to that address already.")
    kept = [line for line in case.parts.lines if line.ordered > line.canceled]
    facts = _facts(case, kept)
    if case.policy.address_keeps_prices:
        _check_allowed(case, kept, facts, ship_to)
        return effect_of(case, ChangeKind.ADDRESS, amount=0, tax=0, ship_to=ship_to)
    option = _option(case, [line for line in kept if not line.digital], facts, ship_to)
    bill = _bill(case, kept, facts, option, ship_to)
    taxes = {line.id: one.amount for line, one in zip(kept, bill.items, strict=True)}
    fee_tax, included = bill.shipping.amount, case.order.tax_included
    fee = option.amount - (fee_tax if included else 0)
    of_goods = sum(_kept_share(line, taxes[line.id]) - shares.kept(line).tax for line in kept)
    more_tax = of_goods + fee_tax - case.order.shipping_tax
    return effect_of(
        case,
        ChangeKind.ADDRESS,
        amount=fee - case.order.shipping + more_tax - (of_goods if included else 0),
        tax=more_tax,
        refund_to=wanted.refund_to,
        method_ref=wanted.payment_method_ref,
        taxes=taxes,
        tax_parts={line.id: [part.told() for part in one.parts] for line, one in zip(kept, bill.items, strict=True)},
        order_taxes=bill.by_jurisdiction(),
        shipping=fee,
        shipping_tax=fee_tax,
        ship_to=ship_to,
        fulfillment=asdict(option),
    )


def _bill(
    case: Case,
    lines: list[OrderLine],
    facts: Mapping[str, Mapping[str, Any]],
    option: shipping.Option,
    ship_to: Mapping[str, str],
) -> tax.Bill:
    """The taxes there, within prices or on top of them as the order was sold."""
    if kept_tax.applies(case.order):
        return kept_tax.bill(rules_of(case, ship_to), case.order, lines, option.amount)
    items = [
        tax.Item(facts[line.variant_id]["tax_category"], line.unit_price * line.ordered - line.discount, line.ordered)
        for line in lines
    ]
    return rules_of(case, ship_to).bill(items, shipping=option.amount)


def rules_of(case: Case, address: Mapping[str, Any]) -> tax.Rules:
    """The taxes at an address for the order's buyer; where another engine taxed it, the rates it was sold at."""
    order = case.order
    if kept_tax.applies(order):
        return kept_tax.rules(case, address)
    found = tax.rules_at(case.session, order.tenant_id, address, currency=order.currency, customer_id=order.customer_id)
    return replace(found, included=order.tax_included)


def _complete(case: Case, wanted: AddressWanted) -> dict[str, str]:
    as_given = policy_of(case.session, case.order.tenant_id, AddressesPolicy).as_given
    ship_to = normalize(wanted.ship_to.model_dump(), as_given=as_given)
    if not as_given and (lacking := missing_parts(ship_to)):
        words = ", ".join(lacking).replace("_", " ")
        raise AddressIncomplete(f"Still needed: {words}.", param=f"ship_to.{lacking[0]}")
    return ship_to


def _kept_share(line: OrderLine, whole: int) -> int:
    return shares.tax_share(line, whole, 0, line.ordered - line.canceled)


def _facts(case: Case, lines: list[OrderLine]) -> dict[str, Mapping[str, Any]]:
    """Variant → what shipping and taxes ask of it, as the catalog says today."""
    rows = case.session.execute(
        select(
            *(Variant.id, Variant.weight_g, Variant.length_mm, Variant.width_mm, Variant.height_mm),
            *(Product.tax_category, Product.restrictions),
        )
        .join(Product, (Product.tenant_id == Variant.tenant_id) & (Product.id == Variant.product_id))
        .where(Variant.tenant_id == case.order.tenant_id, Variant.id.in_({line.variant_id for line in lines}))
    )
    return {row.id: dict(row._mapping) for row in rows}  # noqa: SLF001 (SQLAlchemy's own name for it)


def _option(
    case: Case, lines: list[OrderLine], facts: Mapping[str, Mapping[str, Any]], ship_to: Mapping[str, str]
) -> shipping.Option:
    offered = shipping.options(
        case.session,
        case.order.tenant_id,
        _parcel(lines, facts, ship_to),
        country=ship_to["country"],
        ground_only=_check_allowed(case, lines, facts, ship_to),
        currency=case.order.currency,
    )
    if not offered:
        raise NotDeliverable("We do not ship this order to that address.")
    same = case.order.fulfillment.get("id")
    return next((option for option in offered if option.id == same), offered[0])


def _check_allowed(
    case: Case, lines: list[OrderLine], facts: Mapping[str, Mapping[str, Any]], ship_to: Mapping[str, str]
) -> bool:
    """Whether the goods must stay on the ground on their way there. Raises ``NotDeliverable`` for what may not go."""
    tenant = case.session.get_one(Tenant, case.order.tenant_id)
    policy, place = read_policy(tenant.settings, CompliancePolicy), _place(tenant, ship_to)
    items = [
        compliance.Item(line.title, facts[line.variant_id]["restrictions"], line.ordered - line.canceled)
        for line in lines
    ]
    if problems := compliance.problems(items, place, policy):
        raise NotDeliverable(" ".join(problems))
    return compliance.ground_only(items, place, policy)


def _place(tenant: Tenant, ship_to: Mapping[str, str]) -> compliance.Place:
    box = shipping.to_po_box(ship_to["line_one"])
    return compliance.Place(tenant.country, ship_to["country"], ship_to["state"], po_box=box)


def _parcel(
    lines: list[OrderLine], facts: Mapping[str, Mapping[str, Any]], ship_to: Mapping[str, str]
) -> shipping.Parcel:
    rows = [(facts[line.variant_id], line.ordered - line.canceled) for line in lines]
    sizes = [(row["length_mm"], row["width_mm"], row["height_mm"]) for row, _ in rows]
    paid = [shares.kept(line) for line in lines]
    return shipping.Parcel(
        weight_g=sum(row["weight_g"] * units for row, units in rows),
        goods=sum(one.net + (one.tax if line.tax_included else 0) for line, one in zip(lines, paid, strict=True)),
        units=sum(units for _, units in rows),
        volume_mm3=sum(a * b * c * units for (a, b, c), (_, units) in zip(sizes, rows, strict=True)),
        longest_mm=max((max(size) for size in sizes), default=0),
        region=ship_to["state"],
        postal_code=ship_to["postal_code"],
        po_box=shipping.to_po_box(ship_to["line_one"]),
    )
