"""The benchmark's scenarios with real models: one plays the customer by the script, our agents speak through another.

The customer is signed in, as somebody who writes from a shop's own page is. A trial passes when the shop ends as the
task expects and the customer was told what the task wants told; what only a judge could grade is not graded.
"""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select

from engine.conversations import asking
from engine.conversations.models import Mode
from engine.customers.models import Customer, Shopper
from engine.kit.errors import DomainError
from engine.kit.identity import Actor, Identity
from engine.kit.ids import new_id
from evals.figures import pass_k
from evals.house import House, Stage, staged
from evals.runner import speaking
from evals.talking import Heard, Talk, TurnLost
from evals.tau2.cases import Case, Shop, changed
from evals.tau2.exporting import export_shop
from evals.tau2.scene import bring
from evals.tau2.shapes import Difference, Json, differences, in_cents
from icommerce_agents import models
from icommerce_agents.models import Spent

AT_ONCE: Final = 4
MOST_TURNS: Final = 40
_GREETING: Final = "Hi! How can I help you today?"
_YES: Final = "[yes]"
_NO: Final = "[no]"
_ENDS: Final = ("###STOP###", "###TRANSFER###", "###OUT-OF-SCOPE###")
_SCRIPT: Final = Path(__file__).parent / "customer.md"


@dataclass(frozen=True, slots=True)
class Models:
    """LiteLLM names: whom our agents speak through, and who plays the customer."""

    agent: str
    customer: str


@dataclass(slots=True)
class Trial:
    """One time that a scenario was played."""

    case: Case
    said: list[tuple[str, str]] = field(default_factory=list)
    """Who, and what."""
    state: list[Difference] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)
    agent_micros: int | None = None
    customer_micros: int | None = None
    """Cost in millionths of a US dollar; ``None`` where no price is known."""
    seconds: float = 0.0
    broken: str | None = None

    @property
    def passed(self) -> bool:
        return not self.state and not self.untold and self.broken is None

    def as_json(self) -> Json:
        return {
            "task_id": self.case.task_id,
            "passed": self.passed,
            "differences": [one.as_json() for one in self.state],
            "untold": self.untold,
            "broken": self.broken,
            "said": [{"who": who, "words": words} for who, words in self.said],
        }


@dataclass(slots=True)
class Live:
    """All trials."""

    models: Models
    trials: list[Trial] = field(default_factory=list)

    @property
    def passed(self) -> tuple[float, ...]:
        """pass^1, pass^2, …"""
        of_task: dict[str, list[Trial]] = {}
        for trial in self.trials:
            of_task.setdefault(trial.case.task_id, []).append(trial)
        return pass_k([(sum(one.passed for one in own), len(own)) for own in of_task.values()])

    def as_json(self) -> Json:
        return {
            "model": self.models.agent,
            "user_model": self.models.customer,
            "tasks": len({trial.case.task_id for trial in self.trials}),
            "trials": len(self.trials),
            "passed": [round(share, 4) for share in self.passed],
            "cost_usd": {
                "agents": _dollars(trial.agent_micros for trial in self.trials),
                "customer": _dollars(trial.customer_micros for trial in self.trials),
            },
            "failed": [trial.as_json() for trial in self.trials if not trial.passed],
        }


def measure(
    house: House,
    shop: Shop,
    cases: Sequence[Case],
    *,
    who: Models,
    trials: int,
    done: Callable[[], None] = lambda: None,
) -> Live:
    """Play each case ``trials`` times in ``house``. ``done`` hears of each at its end."""

    async def play_all() -> list[Trial]:
        slots = asyncio.Semaphore(AT_ONCE)
        async with staged(house) as stage:

            async def one(case: Case) -> Trial:
                async with slots:
                    trial = await play(stage, shop, case, customer=who.customer)
                done()
                return trial

            return list(await asyncio.gather(*(one(case) for case in cases for _ in range(trials))))

    with speaking(who.agent):
        return Live(who, asyncio.run(play_all()))


def missing_keys(who: Models) -> list[str]:
    """Environment variables that the models need and that are not set."""
    litellm = models.prepare()
    names = [name for name in (who.agent, who.customer) if name != models.OFFLINE]
    return sorted({key for name in names for key in litellm.validate_environment(name)["missing_keys"]})


async def play(stage: Stage, shop: Shop, case: Case, *, customer: str) -> Trial:
    """Play a case in a shop of its own. What breaks is part of the trial; it raises nothing."""
    trial = Trial(case, said=[("agent", _GREETING)])
    began = time.perf_counter()
    try:
        db = shop.slice_for(case.calls, [change["path"] for change in case.changes])
        talk = Talk(stage, await asyncio.to_thread(_enter, stage, shop, case, db))
        await talk.start()
        await _converse(talk, trial, _Customer(customer, case.scenario))
        await asyncio.to_thread(_grade, talk, trial, db)
    except (DomainError, TurnLost) as error:
        trial.broken = f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 (one trial's fault is shown in its own row)
        trial.broken = traceback.format_exc(limit=-6)
    trial.seconds = time.perf_counter() - began
    return trial


class _Customer:
    """A model that plays the customer."""

    def __init__(self, name: str, scenario: str) -> None:
        self._name = name
        self._messages = [{"role": "system", "content": _SCRIPT.read_text(encoding="utf-8") + scenario}]
        self.micros: int | None = None

    async def answer(self, words: str) -> str:
        """What the customer says, or presses, after hearing this."""
        self._messages.append({"role": "user", "content": words})
        litellm = models.ready(self._name)
        options = models.call_options(self._name) | {"num_retries": models.retries()}
        response = await litellm.acompletion(model=self._name, messages=self._messages, **options)
        said = (response.choices[0].message.content or "").strip()
        self._messages.append({"role": "assistant", "content": said})
        usage = response.usage
        cost = models.cost_micros(self._name, Spent(usage.prompt_tokens, usage.completion_tokens))
        self.micros = self.micros if cost is None else (self.micros or 0) + cost
        return said


async def _converse(talk: Talk, trial: Trial, customer: _Customer) -> None:
    heard = _GREETING
    for _ in range(MOST_TURNS):
        said = await customer.answer(heard)
        trial.customer_micros = customer.micros
        trial.said.append(("customer", said))
        if any(end in said for end in _ENDS):
            return
        turns = await _say(talk, said)
        trial.agent_micros = _sum([trial.agent_micros, *(turn.usage.get("cost_micros") for turn in turns)])
        errors = [turn.error for turn in turns if turn.error]
        if errors:
            trial.broken = f"a run failed: {errors[0]}"
            return
        heard = await _shown(talk, turns)
        trial.said.append(("agent", heard))
    trial.broken = f"the conversation did not end in {MOST_TURNS} turns"


async def _say(talk: Talk, said: str) -> list[Heard]:
    """Words, or a press on every card that is open."""
    press = said.lower()
    if press not in (_YES, _NO):
        return [await talk.say(said or "…")]
    cards = (await talk.snapshot()).interrupts
    if not cards:
        return [await talk.say(press.strip("[]"))]
    return [await talk.decide(card.id, approved=press == _YES) for card in cards]


async def _shown(talk: Talk, turns: Sequence[Heard]) -> str:
    """What the customer hears and sees: words, and the cards that wait for a press."""
    words = [text for turn in turns for text in turn.words]
    cards = [f"[A card to press yes or no on: {question}]" for question in await asyncio.to_thread(_questions, talk)]
    mode = (await talk.snapshot()).mode
    handed = ["[You have been handed to a person of the shop.]"] if mode != Mode.AGENT else []
    return "\n".join([*words, *cards, *handed]) or "…"


def _questions(talk: Talk) -> list[str]:
    with talk.stage.runtime.unit_of_work(talk.tenant_id) as session:
        return [card.message for card in asking.open_cards(session, talk.identity, talk.thread_id)]


def _enter(stage: Stage, shop: Shop, case: Case, db: Json) -> Identity:
    """The customer of the case in a tenant of its own, signed in; somebody unknown where it is about nobody."""
    tenant_id = bring(stage.runtime, db)
    met = shop.customers_of(case.calls)
    with stage.runtime.unit_of_work(tenant_id) as session:
        query = select(Customer.id).where(Customer.tenant_id == tenant_id, Customer.external_id.in_(met[:1]))
        shopper = Shopper(tenant_id=tenant_id, id=new_id("shopper"), customer_id=session.scalar(query))
        session.add(shopper)
        return Identity(tenant_id, Actor.SHOPPER, shopper.id, customer_id=shopper.customer_id)


def _grade(talk: Talk, trial: Trial, db: Json) -> None:
    found = export_shop(talk.stage.runtime.store, talk.tenant_id)
    trial.state = list(differences(changed(db, trial.case.changes), in_cents(found)))
    words = " ".join(text for who, text in trial.said if who == "agent").replace(",", "").lower()
    trial.untold = [told for told in trial.case.told if told.replace(",", "").lower() not in words]


def _sum(costs: Sequence[Any]) -> int | None:
    known = [cost for cost in costs if cost is not None]
    return sum(known) if known else None


def _dollars(costs: Any) -> float | None:
    total = _sum(list(costs))
    return None if total is None else round(total / 1_000_000, 4)
