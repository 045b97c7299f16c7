"""``turn``: a message until its answer is over, with a model that answers at once (so all of it is ours), and until its
first words, with the offline model.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from sqlalchemy import func, select

from app.bench_scene import Scene
from app.bench_timing import Say, cpu_seconds, figures
from engine.conversations import service
from engine.conversations.models import Event, Run
from engine.conversations.schemas import RunInput
from engine.kit.identity import Identity
from evals.runner import speaking
from icommerce_agents import models

TURN: Final = "turn"
_INSTANT: Final = "bench/instant"
_WORDS: Final = ("hello there", "do you have a lamp?", "what is in my cart?", "show me tents", "thanks")
_RUNS: Final[tuple[tuple[str, str, str, str], ...]] = (
    ("turn_overhead", _INSTANT, "RUN_FINISHED", "a message until its end, with a model that answers at once"),
    (
        "turn_first_words",
        models.OFFLINE,
        "TEXT_MESSAGE_CONTENT",
        "a message until its first words, with the offline model",
    ),
)


def turn_rows(scene: Scene, say: Say, n: int, clients: int) -> list[dict[str, Any]]:
    """A row for a whole turn and one for its first words; ``clients`` conversations at a time."""
    return [asyncio.run(_row(scene, say, one, n, clients)) for one in _RUNS]


async def _row(scene: Scene, say: Say, kind: tuple[str, str, str, str], n: int, clients: int) -> dict[str, Any]:
    from graph.runner import Runner

    name, model, until, size = kind
    say(f"{name}: {n} turns in {clients} conversations")
    _make_instant(models.prepare())
    with speaking(model):
        runner = Runner(scene.runtime, scene.house.addresses.runtime, sweep_seconds=600)
        await runner.start()
        try:
            talks = [await asyncio.to_thread(_talk, scene) for _ in range(clients)]
            await asyncio.gather(*(_converse(scene, runner, talk, 3, until) for talk in talks))
            cpu, start = cpu_seconds(scene.house.addresses), time.perf_counter()
            rounds = max(1, n // clients)
            each = await asyncio.gather(*(_converse(scene, runner, talk, rounds, until) for talk in talks))
            wall, used = time.perf_counter() - start, cpu_seconds(scene.house.addresses) - cpu
        finally:
            await runner.stop()
    times = [seconds for some in each for seconds in some]
    return {"name": name, "size": size} | figures(times, wall, used, clients=clients)


def _talk(scene: Scene) -> tuple[Identity, str]:
    identity = scene.buyer()
    with scene.uow() as session:
        return identity, service.create_thread(session, identity).id


async def _converse(scene: Scene, runner: Any, talk: tuple[Identity, str], rounds: int, until: str) -> list[float]:
    """One message after the other; the seconds from each (as stored) to the event that is waited for (as stored)."""
    taken = []
    for number in range(rounds):
        run_id = await asyncio.to_thread(_submit, scene, talk, _WORDS[number % len(_WORDS)])
        await runner.settle(scene.tenant_id, talk[1])
        taken.append(await asyncio.to_thread(_seconds, scene, run_id, until))
    return taken


def _submit(scene: Scene, talk: tuple[Identity, str], words: str) -> str:
    with scene.uow() as session:
        return service.submit(session, talk[0], talk[1], RunInput(message=words)).id


def _seconds(scene: Scene, run_id: str, until: str) -> float:
    """From the start of the run to its first event of that kind that the shopper's own words are not."""
    mine = (Event.tenant_id == scene.tenant_id, Event.run_id == run_id)
    began = select(func.max(Event.created_at)).where(*mine, Event.payload["type"].astext == "RUN_STARTED")
    with scene.uow() as session:
        start = session.scalar(select(Run.created_at).where(Run.tenant_id == scene.tenant_id, Run.id == run_id))
        reached = session.scalar(
            select(func.min(Event.created_at)).where(
                *mine, Event.payload["type"].astext == until, Event.created_at >= began.scalar_subquery()
            )
        )
    assert start is not None
    assert reached is not None, f"the turn {run_id} never came to {until}"
    return float((reached - start).total_seconds())


def _make_instant(litellm: Any) -> None:
    """A model of LiteLLM's that needs no time."""
    provider, _, _name = _INSTANT.partition("/")
    if any(one["provider"] == provider for one in litellm.custom_provider_map):
        return

    class Instant(litellm.CustomLLM):  # type: ignore[misc] # imported late: it takes seconds
        async def acompletion(self, *_args: Any, **kwargs: Any) -> Any:
            response = kwargs["model_response"]
            route = {"tasks": [{"agent": "commerce", "about": ""}], "reason": ""}
            response.choices[0].message.content = json.dumps(route)
            response.usage = litellm.Usage(prompt_tokens=1, completion_tokens=1, total_tokens=2)
            return response

        async def astreaming(self, *_args: Any, **_kwargs: Any) -> AsyncIterator[Mapping[str, Any]]:
            for text in ("Hello, ", "what may I ", "find for you?"):
                yield _chunk(text)
            yield _chunk("", finish="stop")

    litellm.custom_provider_map.append({"provider": provider, "custom_handler": Instant()})
    litellm.utils.custom_llm_setup()


def _chunk(text: str, *, finish: str = "") -> Mapping[str, Any]:
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2} if finish else None
    end = {"is_finished": bool(finish), "finish_reason": finish, "usage": usage}
    return {"text": text, "tool_use": None, "index": 0} | end
