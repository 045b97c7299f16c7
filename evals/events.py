"""What happens in a scenario beside the conversation: people of the shop, parcels, stock, a sign-in."""

from __future__ import annotations

from sqlalchemy import select

from engine.catalog.changes import set_price
from engine.customers import codes, verifying
from engine.inventory import adjusting
from engine.kit.identity import Identity
from engine.support import desk
from engine.support.models import Case
from evals.references import sent_code
from evals.suite import Meanwhile, NotThere, Staff, Turn
from evals.world import World, deliver_order, release_order, ship_order


def happen(world: World, speaker: Identity, thread_id: str, turn: Turn) -> tuple[str, Identity]:
    """Let it happen; what it was in words, and as whom the speaker goes on. Raises what the engine raises."""
    if turn.staff is not None:
        return _work(world, thread_id, turn.staff), speaker
    if turn.meanwhile is not None:
        return _pass(world, turn.meanwhile), speaker
    assert turn.sign_in is not None
    return f"[signs in as {turn.sign_in}]", _sign_in(world, speaker, turn.sign_in)


def _work(world: World, thread_id: str, staff: Staff) -> str:
    """One of the shop's people at the newest case of the conversation."""
    with world.uow() as session:
        query = select(Case).where(Case.tenant_id == world.tenant_id, Case.thread_id == thread_id)
        case = session.scalars(query.order_by(Case.id.desc())).first()
        if case is None:
            raise NotThere("a case of this conversation for the shop's people")
        if staff.reply is not None:
            desk.reply(session, world.staff, case.id, staff.reply)
            return f"[staff: {staff.reply}]"
        if staff.take:
            desk.assign(session, world.staff, case.id, world.staff.who, expected=case.assignee)
            return "[staff takes the case]"
        assert staff.resolve is not None
        desk.resolve(session, world.staff, case.id, then=staff.resolve)
        return "[staff resolves the case]"


def _pass(world: World, what: Meanwhile) -> str:
    for name, act in (("release", release_order), ("ship", ship_order), ("deliver", deliver_order)):
        if order := getattr(what, name):
            act(world, order)
            return f"[{name}: {order}]"
    with world.uow() as session:
        for sku, amount in (what.price or {}).items():
            set_price(session, world.staff, variant_id=world.variants[sku], amount=amount)
        for sku, places in (what.stock or {}).items():
            for place, delta in places.items():
                adjusting.adjust(
                    session,
                    world.tenant_id,
                    actor=world.staff.id,
                    variant_id=world.variants[sku],
                    location_id=world.places[place],
                    delta=delta,
                    reason="Counted",
                )
    return f"[meanwhile: {what.model_dump(exclude_none=True)}]"


def _sign_in(world: World, speaker: Identity, name: str) -> Identity:
    """By a code, as everybody does."""
    email = world.emails[name]
    address = codes.limit_asking(world.runtime, speaker, email)
    with world.uow() as session:
        codes.ask(session, world.runtime, speaker, address)
    checked = codes.check(world.runtime, speaker, address, sent_code(world, speaker))
    with world.uow() as session:
        return verifying.verify(session, speaker, checked)
