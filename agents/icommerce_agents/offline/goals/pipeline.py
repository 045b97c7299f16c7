"""Runs between the shop and its other systems: why one is stuck, once more, what stopped, how the systems stand."""

from __future__ import annotations

import re
from typing import Final

from icommerce_agents.offline.asks import Ask
from icommerce_agents.offline.dialogue import Call
from icommerce_agents.offline.goals import operations
from icommerce_agents.offline.scene import Scene
from icommerce_agents.offline.script import Script
from icommerce_agents.offline.tell.phrases import failure, say

_NUMBER: Final = re.compile(r"(?<![\w-])(#?\d{2,12}|[A-Za-z]{2,4}-?\d{2,12})(?![\w-])")


def why(ask: Ask, scene: Scene) -> Script:
    """In the words that the tool has for it."""
    about = _named(ask) or _spoken_of(scene)
    if about is None:
        return say("ops_which_order", scene.seed)
    result = yield Call("explain_run", {"about": about})
    if not result.ok:
        return failure(result, scene.seed)
    return " ".join(map(str, result.value.get("words") or ())) or say("nothing_found", scene.seed)


def again(ask: Ask, scene: Scene) -> Script:
    """What was named, or spoken of last; where that was no run, what was given up of a platform."""
    about = _named(ask) or _spoken_of(scene)
    if about is None:
        return (yield from operations.retry_job(ask, scene))
    return (yield from operations.proposed("retry_run", {"about": about}, scene))


def _named(ask: Ask) -> str | None:
    return next((found[1] for text in ask.said if (found := _NUMBER.search(text))), None)


def _spoken_of(scene: Scene) -> str | None:
    """The run that was explained last."""
    told = (one.value for one in reversed(scene.dialogue.earlier) if one.call.name == "explain_run" and one.ok)
    return next((str(value["run_id"]) for value in told if value.get("run_id")), None)
