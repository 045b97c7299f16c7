"""``/_sandbox``: whoever tells the story moves the time, brings accidents about, and looks at what was said."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from pydantic import ValidationError

from engine.sync.sandbox.faults import Rule
from engine.sync.sandbox.wire import Answer, BadJson, Call, Json
from engine.sync.sandbox.world import World

PREFIX: Final = "/_sandbox"
Work = Callable[[World, Call], Answer]


def is_control(call: Call) -> bool:
    return call.path == PREFIX or call.path.startswith(f"{PREFIX}/")


def answer_control(world: World, call: Call) -> Answer:
    """Do what the story wants. Nothing here is journaled, limited or struck by faults."""
    from engine.sync.sandbox.emitting import NoSuchThing
    from engine.sync.sandbox.shopify.mistakes import UserErrors

    work = _ROUTES.get((call.method, call.path.removeprefix(PREFIX)))
    if work is None and call.method == "DELETE" and call.path.startswith(f"{PREFIX}/faults/"):
        work = _remove_fault
    if work is None:
        return Answer(404, {"error": "There is no such control."})
    try:
        return work(world, call)
    except (BadJson, ValidationError, KeyError, TypeError, ValueError, NoSuchThing, UserErrors) as error:
        return Answer(400, {"error": f"{type(error).__name__}: {error}"})


def _object(call: Call) -> Json:
    given = call.json() or {}
    if not isinstance(given, dict):
        raise ValueError("an object is expected")  # noqa: TRY004 (the caller's mistake, not the program's)
    return given


def _reset(world: World, _call: Call) -> Answer:
    world.reset()
    return Answer(200, {"now": world.now().isoformat()})


def _seed(world: World, call: Call) -> Answer:
    """Fill the world by a preset, with another seed or more merchants; what was there is gone."""
    given = _object(call)
    made = World.preset(
        str(given.get("preset", "summit")),
        seed=int(given.get("seed", world.seed)),
        merchants=int(given.get("merchants", 1)),
    )
    world.become(made)
    return Answer(200, {"merchants": [one.slug for one in world.merchants]})


def _advance(world: World, call: Call) -> Answer:
    seconds = float(_object(call)["seconds"])
    if seconds < 0:
        raise ValueError("time moves forward")
    done = world.advance(timedelta(seconds=seconds))
    return Answer(200, {"now": world.now().isoformat(), "done": done})


def _faults(world: World, _call: Call) -> Answer:
    return Answer(
        200,
        {"faults": [rule.model_dump(mode="json") | {"struck": rule.struck} for rule in world.ground.faults.rules()]},
    )


def _add_faults(world: World, call: Call) -> Answer:
    given = call.json()
    rules = [Rule.model_validate(one) for one in (given if isinstance(given, list) else [given])]
    with world.ground.lock:
        for rule in rules:
            world.ground.faults.put(rule)
    return Answer(201, {"faults": [rule.id for rule in rules]})


def _clear_faults(world: World, _call: Call) -> Answer:
    with world.ground.lock:
        world.ground.faults.clear()
        world.ground.skews.clear()
    return Answer(204)


def _remove_fault(world: World, call: Call) -> Answer:
    with world.ground.lock:
        world.ground.faults.remove(call.path.rpartition("/")[2])
    return Answer(204)


def _emit(world: World, call: Call) -> Answer:
    """Something happens at a vendor: ``{system, what, merchant?, …}`` (``emitting.STORIES``)."""
    from engine.sync.sandbox.emitting import STORIES

    told = _object(call)
    slug = told.get("merchant")
    who = next(one for one in world.merchants if slug in {None, one.slug}) if world.merchants else None
    if who is None:
        raise ValueError("there is no merchant")
    outcome = STORIES[(told["system"], told["what"])](world, who, told)
    return Answer(200, {"outcome": outcome})


def _journal(world: World, call: Call) -> Answer:
    query = call.query
    found = world.ground.journal.entries(
        system=query.get("system", ""),
        tenant=query.get("tenant", ""),
        operation=query.get("operation", ""),
        after=int(query.get("after", "0")),
    )
    limit = int(query.get("limit", "1000"))
    return Answer(200, {"entries": [one.as_json() for one in found[:limit]]})


def _state(world: World, call: Call) -> Answer:
    from engine.sync.sandbox.snapshot import snapshot

    with world.ground.lock:
        return Answer(200, snapshot(world, slug=call.query.get("merchant", "")))


def _deliveries(world: World, call: Call) -> Answer:
    query = call.query
    found = world.hooks.of(system=query.get("system", ""), tenant=query.get("tenant", ""), topic=query.get("topic", ""))
    return Answer(200, {"deliveries": [one.as_json() for one in found]})


def _merchants(world: World, _call: Call) -> Answer:
    """Whom there is, with the credentials of the first day: what a merchant would type in."""
    return Answer(
        200, {"merchants": [{"slug": one.slug, "credentials": one.credentials.as_json()} for one in world.merchants]}
    )


def _mail(world: World, _call: Call) -> Answer:
    letters = [
        {"at": one.at.isoformat(), "from": one.sender, "to": one.to, "text": one.raw.decode(errors="replace")}
        for one in world.mail.letters
    ]
    return Answer(200, {"letters": letters})


_ROUTES: Final[dict[tuple[str, str], Work]] = {
    ("POST", "/reset"): _reset,
    ("POST", "/seed"): _seed,
    ("POST", "/clock/advance"): _advance,
    ("GET", "/faults"): _faults,
    ("POST", "/faults"): _add_faults,
    ("DELETE", "/faults"): _clear_faults,
    ("POST", "/emit"): _emit,
    ("GET", "/journal"): _journal,
    ("GET", "/state"): _state,
    ("GET", "/deliveries"): _deliveries,
    ("GET", "/merchants"): _merchants,
    ("GET", "/mail"): _mail,
}
