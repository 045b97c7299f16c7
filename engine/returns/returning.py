"""Working out a return or an exchange: which units, what they count for, and what of it is money. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select

from engine.catalog.models import Variant
from engine.kit import clock
from engine.kit.caps import cap
from engine.kit.money import share_ppm
from engine.kit.policies import policy_of
from engine.kit.tenancy import Tenant
from engine.orders.changes import items, methods
from engine.orders.changes.case import Case, refund_target
from engine.orders.changes.effect import Added, Effect, Returned, Terms
from engine.orders.changes.wanted import BackUnits, ReturnWanted
from engine.orders.errors import ItemUnavailable, OrderBusy
from engine.orders.models import ChangeKind, ChangeStatus
from engine.orders.shares import Worth, kept, share
from engine.returns import eligibility
from engine.returns.eligibility import Facts
from engine.returns.errors import ExchangeRefused, TooManyUnits
from engine.returns.policy import ReturnReason, ReturnsPolicy
from engine.returns.taken import Before, parts_of, taken_with
from engine.returns.worth import next_worth, spread, whole_units


@dataclass(frozen=True, slots=True)
class Scene:
    """The order as a return finds it, and the rules."""

    case: Case
    policy: ReturnsPolicy
    before: Before
    facts: dict[str, Facts]


@dataclass(frozen=True, slots=True)
class _Piece:
    """Units that are asked for, with what they stand for."""

    asked: BackUnits
    facts: Facts
    reason: ReturnReason
    worth: Worth
    instead: int = 0
    """What is had in exchange is worth, without tax."""

    @property
    def exchanged(self) -> bool:
        return self.asked.exchange_variant_id is not None


def scene_of(case: Case) -> Scene:
    """Everything a decision about a return rests on, read now."""
    session, order = case.session, case.order
    wanted = eligibility.categories(order.tenant_id, case.parts.lines)
    before, (rows,) = taken_with(session, order.tenant_id, order.id, wanted)
    known = {row["id"]: row["category"] for row in rows}
    facts = {
        line.id: Facts(
            line,
            known.get(line.product_id, ""),
            eligibility.arrivals(case.parts.shipments, line.id),
            parts_of(session, line),
            before.of(line.id),
        )
        for line in case.parts.lines
    }
    return Scene(case, policy_of(session, order.tenant_id, ReturnsPolicy), before, facts)


def work_out(case: Case, wanted: ReturnWanted) -> Effect:
    """What the return would do.

    Raises the errors of ``returns.errors`` for what the shop's rules or the order's state refuse; for an exchange also
    ``WrongProduct``, ``ItemUnavailable``, and for its difference what ``methods.choose`` raises.
    """
    scene = scene_of(case)
    eligibility.check_order(case.order, case.money, scene.policy, returns_before=scene.before.count)
    if any(change.status == ChangeStatus.CHARGING for change in case.parts.changes):
        raise OrderBusy("The payment for another change of this order is being made. Please wait a moment.")
    eligibility.check_arrived(case.parts.lines)
    exchanged = [one.exchange_variant_id is not None for one in wanted.lines]
    back_to = None if any(exchanged) else refund_target(case, wanted.refund_to, scene.policy.refund_to)
    pieces = _pieces(scene, wanted)
    added = _replacements(scene, [one for one in pieces if one.exchanged])
    if back_to is None:
        back_to = refund_target(case, wanted.refund_to, scene.policy.refunds_to(exchange=all(exchanged)))
    keep = not added and _may_keep(scene, pieces)
    back = _capped(scene, _priced(scene, _against(pieces, added), keep=keep))
    return _effect(scene, wanted, back, added, back_to, keep=keep)


def _pieces(scene: Scene, wanted: ReturnWanted) -> list[_Piece]:
    """What is asked for, piece after piece: each may take only what those before it left."""
    if any(one.exchange_variant_id for one in wanted.lines) and not scene.policy.exchanges:
        raise ExchangeRefused("This shop exchanges nothing. Send it back and buy the other one.")
    found: list[_Piece] = []
    facts = dict(scene.facts)
    for asked in wanted.lines:
        for line_id, one in _by_line(scene.policy, facts, asked):
            known = facts.get(line_id)
            if known is None:
                raise TooManyUnits("The order has no such line.")
            piece = _piece(scene.policy, known, one)
            found.append(piece)
            after = known.taken.plus(one.quantity, one.component_variant_id, piece.worth, at=clock.now())
            facts[line_id] = replace(known, taken=after)
    return found


def _by_line(policy: ReturnsPolicy, facts: Mapping[str, Facts], one: BackUnits) -> list[tuple[str, BackUnits]]:
    """Units that are named by their variant, line by line as far as each has some that can come back; what is left is
    asked of the last, which says why not.
    """
    if one.line_id is not None:
        return [(one.line_id, one)]
    lines = [known for known in facts.values() if known.line.variant_id == one.variant_id]
    if not lines:
        raise TooManyUnits("The order has no such item.")
    fault, part = eligibility.reason_of(policy, one.reason).shop_fault, one.component_variant_id
    left, found = one.quantity, []
    for known in lines:
        take = min(left, eligibility.judge(known, policy, shop_fault=fault, part=part).units)
        left -= take
        if take:
            found.append((known.line.id, take))
    found += [(lines[-1].line.id, left)] if left else []
    return [(line_id, one.model_copy(update={"line_id": line_id, "quantity": take})) for line_id, take in found]


def _piece(policy: ReturnsPolicy, known: Facts, one: BackUnits) -> _Piece:
    reason = eligibility.reason_of(policy, one.reason)
    eligibility.check_condition(policy, reason, one.condition, known.line.title)
    part = one.component_variant_id
    verdict = eligibility.judge(known, policy, shop_fault=reason.shop_fault, part=part)
    if verdict.refusal is not None:
        raise verdict.refusal
    if one.quantity > verdict.units:
        raise TooManyUnits(f"Of {known.line.title} only {verdict.units} can come back.")
    return _Piece(one, known, reason, next_worth(known.line, known.parts, known.taken, one.quantity, part))


def _may_keep(scene: Scene, pieces: Sequence[_Piece]) -> bool:
    """Whether the goods, with those of the order that were kept before, are worth little enough."""
    policy, kept = scene.policy, scene.before.kept
    most = cap(policy.keep_below, scene.case.order.currency, unlisted=None)
    if most is None or kept + sum(one.worth.total for one in pieces) > most:
        return False
    return not policy.keep_only_for_fault or all(one.reason.shop_fault for one in pieces)


def _priced(scene: Scene, pieces: Sequence[_Piece], *, keep: bool) -> list[Returned]:
    shipping = _shipping(scene, pieces)
    policy = scene.policy
    own = [0 if keep else _restocking(policy, one) - _waived(policy, one) for one in pieces]
    fees = _fees(policy, pieces, own, currency=scene.case.order.currency, keep=keep)
    titles = part_titles(scene)
    return [
        Returned(
            line_id=one.facts.line.id,
            component_variant_id=one.asked.component_variant_id,
            variant_id=one.asked.component_variant_id or one.facts.line.variant_id,
            title=titles.get(one.asked.component_variant_id or "", one.facts.line.title),
            options=one.facts.line.options if one.asked.component_variant_id is None else {},
            quantity=one.asked.quantity,
            reason=one.reason.code,
            condition=one.asked.condition,
            goods=one.worth.goods,
            discount=one.worth.discount,
            tax=one.worth.tax,
            shipping=ship.goods,
            shipping_tax=ship.tax,
            fee=fee,
            waived_fee=min(one.worth.net - fee, _waived(policy, one)),
            exchanged=one.exchanged,
        )
        for one, ship, fee in zip(pieces, shipping, fees, strict=True)
    ]


def part_titles(scene: Scene) -> dict[str, str]:
    """Part of a bundle → what it is called."""
    ids = {one.variant_id for facts in scene.facts.values() for one in facts.parts}
    if not ids:
        return {}
    tenant_id = scene.case.order.tenant_id
    rows = scene.case.session.execute(
        select(Variant.id, Variant.title).where(Variant.tenant_id == tenant_id, Variant.id.in_(ids))
    )
    return {row.id: row.title for row in rows}


def _shipping(scene: Scene, pieces: Sequence[_Piece]) -> list[Worth]:
    """What each piece gets back of what was paid for shipping: its share of what the goods were paid, to the cent."""
    order, policy = scene.case.order, scene.policy
    shares = [one.reason.shop_fault or policy.refund_shipping == "share" for one in pieces]
    gets = [yes and not one.exchanged for one, yes in zip(pieces, shares, strict=True)]
    everything = _all_back(scene, pieces) and not any(one.exchanged for one in pieces)
    if everything and (policy.refund_shipping == "full_return" or all(gets)):
        gets, target = [True for _ in pieces], Worth(order.shipping, 0, order.shipping_tax)
    else:
        whole = sum(kept(line).net for line in scene.case.parts.lines) - scene.before.exchanged_net
        net = sum(one.worth.net for one, yes in zip(pieces, gets, strict=True) if yes)
        net += sum(net for code, net in scene.before.shipping_net.items() if _shares(policy, code))
        target = Worth(_of(order.shipping, whole, net), 0, _of(order.shipping_tax, whole, net))
    fee = max(0, target.goods - scene.before.shipping.goods)
    tax = max(0, target.tax - scene.before.shipping.tax)
    if not any(gets):
        return [Worth(0, 0, 0) for _ in pieces]
    weights = [one.worth.net + 1 if yes else 0 for one, yes in zip(pieces, gets, strict=True)]
    return [Worth(part, 0, taxed) for part, taxed in zip(spread(fee, weights), spread(tax, weights), strict=True)]


def _shares(policy: ReturnsPolicy, code: str) -> bool:
    reason = policy.reason(code)
    return policy.refund_shipping == "share" or (reason is not None and reason.shop_fault)


def _of(amount: int, whole: int, part: int) -> int:
    return share(amount, whole, 0, min(part, whole)) if whole else 0


def _all_back(scene: Scene, pieces: Sequence[_Piece]) -> bool:
    """Whether nothing that was kept stays with the shopper."""
    after = {line_id: facts.taken for line_id, facts in scene.facts.items()}
    for one in pieces:
        part = one.asked.component_variant_id
        line_id = one.facts.line.id
        after[line_id] = after[line_id].plus(one.asked.quantity, part, Worth(0, 0, 0))
    return all(
        line.ordered - line.canceled == whole_units(scene.facts[line.id].parts, after[line.id])
        for line in scene.case.parts.lines
    )


def _against(pieces: Sequence[_Piece], added: Sequence[Added]) -> list[_Piece]:
    """The pieces, those that are exchanged with what is had for them."""
    new = iter(added)
    return [replace(one, instead=_net(next(new))) if one.exchanged else one for one in pieces]


def _net(new: Added) -> int:
    return new.total - new.tax


def _fees(
    policy: ReturnsPolicy, pieces: Sequence[_Piece], own: Sequence[int], *, currency: str, keep: bool
) -> list[int]:
    """Restocking (``own``) and label, by piece; never more than what was paid for it without tax."""
    fault = any(one.reason.shop_fault for one in pieces)
    exchange = all(one.exchanged for one in pieces)
    costs = cap(policy.label_fee, currency) or 0
    label = costs if _label(policy, fault=fault, keep=keep, exchange=exchange) == "customer" else 0
    labels = spread(label, [one.worth.net for one in pieces])
    return [min(one.worth.net, fee + part) for one, fee, part in zip(pieces, own, labels, strict=True)]


def _restocking(policy: ReturnsPolicy, one: _Piece) -> int:
    """What restocking costs; nothing for the shop's own fault."""
    if one.reason.shop_fault:
        return 0
    return share_ppm(one.worth.net, policy.restocking_ppm(one.facts.category, one.asked.condition))


def _waived(policy: ReturnsPolicy, one: _Piece) -> int:
    """What of it an exchange is spared: by the shop's rule all, or what the worth of the new units is of the old."""
    if not one.exchanged or policy.exchange_restocking == "always":
        return 0
    fee = _restocking(policy, one)
    if policy.exchange_restocking == "never" or one.instead >= one.worth.net:
        return fee
    return share(fee, one.worth.net, 0, one.instead)


def _label(policy: ReturnsPolicy, *, fault: bool, keep: bool, exchange: bool) -> str:
    """Who pays for it; nobody where nothing is sent."""
    if keep:
        return ""
    return "shop" if fault or (exchange and policy.free_exchange_label) else policy.label_paid_by


def _capped(scene: Scene, back: list[Returned]) -> list[Returned]:
    """No more than what is left of what was paid: goodwill that was given before is part of it."""
    money, before = scene.case.money, scene.before
    taxes, nets = [one.credit_tax for one in back], [one.credit - one.credit_tax - one.fee for one in back]
    over = sum(one.credit for one in back) - max(0, min(money.due, money.settled) - before.outstanding)
    if over <= 0:
        return back
    tax_left = max(0, min(money.due_tax, money.settled_tax) - before.outstanding_tax)
    tax = min(sum(taxes), over, max(0, sum(taxes) - tax_left, over - sum(nets)))
    less, less_tax = spread(min(sum(nets), over - tax), nets), spread(tax, taxes)
    return [
        one.model_copy(update={"withheld": off + off_tax, "withheld_tax": off_tax})
        for one, off, off_tax in zip(back, less, less_tax, strict=True)
    ]


def _replacements(scene: Scene, pieces: Sequence[_Piece]) -> list[Added]:
    """The new lines, one for each piece: today's price, less what was taken off the old units. Of a bundle's part that
    is also what it was cheaper in the bundle than by itself.
    """
    case = scene.case
    if not pieces:
        return []
    products = _products(scene, pieces)
    moves = [
        items.Move(
            one.facts.line,
            str(one.asked.exchange_variant_id),
            one.asked.quantity,
            products.get(one.asked.component_variant_id or ""),
        )
        for one in pieces
    ]
    added = items.priced(case, moves, [one.worth.discount for one in pieces])
    saved = [_saved(case, one, new) for one, new in zip(pieces, added, strict=True)]
    if any(saved):
        added = items.priced(case, moves, [one.worth.discount + off for one, off in zip(pieces, saved, strict=True)])
    if short := next((one for one in added if one.later), None):
        raise ItemUnavailable(f"{short.title} is not available like that.")
    return added


def _products(scene: Scene, pieces: Sequence[_Piece]) -> dict[str, str]:
    """Part of a bundle → its product."""
    ids = {one.asked.component_variant_id for one in pieces if one.asked.component_variant_id}
    if not ids:
        return {}
    rows = scene.case.session.execute(
        select(Variant.id, Variant.product_id).where(
            Variant.tenant_id == scene.case.order.tenant_id, Variant.id.in_(ids)
        )
    )
    return {row.id: row.product_id for row in rows}


def _saved(case: Case, one: _Piece, new: Added) -> int:
    """What a part of a bundle cost less there than in the list of its day, and for one that is cheaper in the list so
    much less; in the shop's own currency alone: list prices in others are not kept.
    """
    part = next((part for part in one.facts.parts if part.variant_id == one.asked.component_variant_id), None)
    home = case.session.get_one(Tenant, case.order.tenant_id).currency
    if part is None or not part.share or case.order.currency != home:
        return 0
    listed = part.price * one.asked.quantity
    saved = max(0, listed - share(part.share, part.per_unit, 0, one.asked.quantity))
    return min(saved, saved * new.unit_price * new.quantity // listed) if saved else 0


def _effect(
    scene: Scene,
    wanted: ReturnWanted,
    back: list[Returned],
    added: list[Added],
    back_to: Mapping[str, Any],
    *,
    keep: bool,
) -> Effect:
    case, policy, money = scene.case, scene.policy, scene.case.money
    credit, credit_tax = sum(one.credit for one in back), sum(one.credit_tax for one in back)
    fee, cost, cost_tax = sum(one.fee for one in back), sum(one.total for one in added), sum(one.tax for one in added)
    charge, refund = max(0, cost + fee - credit), max(0, credit - fee - cost)
    charge_tax, refund_tax = max(0, min(cost_tax - credit_tax, charge)), max(0, min(credit_tax - cost_tax, refund))
    method = None
    if charge:
        method = methods.choose(case.session, case.identity, case.order, wanted.payment_method_ref, amount=charge)
    later = charge > 0 and policy.exchange_charge_at == "received"
    to_charge, to_charge_tax = (charge, charge_tax) if later else (0, 0)
    charge, charge_tax = charge - to_charge, charge_tax - to_charge_tax
    reviewed = _is_reviewed(case, policy, back, credit + scene.before.unseen)
    terms = Terms(
        credit=credit,
        credit_tax=credit_tax,
        fee=fee,
        replacement=cost,
        replacement_tax=cost_tax,
        refund=refund,
        refund_tax=refund_tax,
        to_charge=to_charge,
        to_charge_tax=to_charge_tax,
        keep=keep,
        reviewed=reviewed,
        refund_at="approved" if keep else policy.refund_at,
        label=_label(policy, fault=_at_fault(policy, back), keep=keep, exchange=len(added) == len(back)),
        send_within_days=policy.send_within_days,
        valid_minutes=policy.review_days * 24 * 60 if reviewed else None,
    )
    now: dict[str, Any] = {"amount": charge, "tax": charge_tax}
    if keep:
        now = {"amount": -refund, "tax": -refund_tax, "refund": refund, "refund_tax": refund_tax}
    return Effect(
        kind=ChangeKind.RETURN,
        added=tuple(added),
        shipping=case.order.shipping,
        shipping_tax=case.order.shipping_tax,
        charge=charge,
        charge_tax=charge_tax,
        method=method,
        due=money.due + now["amount"],
        balance=money.balance + now["amount"] - charge + now.get("refund", 0),
        reason=back[0].reason,
        returned=tuple(back),
        terms=terms,
        **back_to,
        **now,
    )


def _at_fault(policy: ReturnsPolicy, back: Sequence[Returned]) -> bool:
    return any((found := policy.reason(one.reason)) is not None and found.shop_fault for one in back)


def _is_reviewed(case: Case, policy: ReturnsPolicy, back: Sequence[Returned], credit: int) -> bool:
    if case.identity.is_staff:
        return False
    most = cap(policy.review_above, case.order.currency)
    dear = most is not None and credit > most
    return not policy.auto_approve or dear or any(one.reason in policy.review_reasons for one in back)
