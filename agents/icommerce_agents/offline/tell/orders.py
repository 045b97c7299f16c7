"""Changes of orders, parcels and refunds in words. Figures are the result's own."""

from __future__ import annotations

from icommerce_agents.offline import shapes
from icommerce_agents.offline.choosing import number_of
from icommerce_agents.offline.dialogue import Json, Result
from icommerce_agents.offline.scene import Scene
from icommerce_agents.offline.tell import anything
from icommerce_agents.offline.tell.phrases import failure, joined, say


def quote(result: Result, scene: Scene) -> str:
    """What a change would do, and that only the card does it."""
    if not result.ok:
        return failure(result, scene.seed)
    told = say("quoted", scene.seed, what=anything.told(result.value))
    return ("\n" if "\n" in told else " ").join([told, say("on_card", scene.seed)])


def tracking(result: Result, order: Json, scene: Scene) -> str:
    if not result.ok:
        return failure(result, scene.seed)
    told = anything.told(result.value)
    return told if number_of(order) in told else joined(f"{number_of(order)}:", told)


def refunds(result: Result, order: Json, scene: Scene) -> str:
    if not result.ok:
        return failure(result, scene.seed)
    rows = shapes.rows(result.value)
    spoken = anything.told(result.value)
    return spoken if rows or spoken else say("refund_none", scene.seed, number=number_of(order))


def listing(result: Result, scene: Scene, head: str, empty: str) -> str:
    """Rows under a heading, or that there are none."""
    if not result.ok:
        return failure(result, scene.seed)
    rows = shapes.rows(result.value)
    if not rows:
        return say(empty, scene.seed)
    return "\n".join([say(head, scene.seed), *(f"- {anything.row(row)}" for row in rows[:10])])


def done(result: Result, scene: Scene, key: str) -> str:
    """A sentence of our own and what the result says."""
    return joined(say(key, scene.seed), anything.told(result.value)) if result.ok else failure(result, scene.seed)
