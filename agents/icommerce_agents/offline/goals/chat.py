"""Small talk, and what to say when there is nothing to do."""

from __future__ import annotations

import re

from icommerce_agents.offline.asks import Ask
from icommerce_agents.offline.scene import Scene
from icommerce_agents.offline.script import Goal, Script
from icommerce_agents.offline.tell.phrases import say


def phrase(key: str) -> Goal:
    """The goal that only says something."""

    def goal(_ask: Ask, scene: Scene) -> Script:
        yield from ()
        return say(key, scene.seed)

    return goal


def greeting(ask: Ask, scene: Scene) -> Script:
    yield from ()
    if re.search(r"\bhow (are|is)\b", ask.plain):
        return say("how_are_you", scene.seed)
    name = next(iter(scene.dialogue.briefing.get("shop", ("",)))).split(",")[0].strip()
    return say(
        "greeting",
        scene.seed,
        shop=f" to {name}" if name else "",
        shop_plain=f" from {name}" if name else "",
        shop_in=f" at {name}" if name else "",
    )


def foreign(ask: Ask, scene: Scene) -> Script:
    yield from ()
    return say("foreign_named", scene.seed, language=ask.plain) if ask.plain else say("foreign", scene.seed)


def no(_ask: Ask, scene: Scene) -> Script:
    yield from ()
    return say("no_ok", scene.seed)
