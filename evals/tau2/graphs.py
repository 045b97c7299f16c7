"""The third measure: recorded conversations held again with our real supervisor, agents, tools, cards and handoff.

A scripted model says the assistant's part; the customer's words are the recorded ones, and the customer presses yes on
every card and types in every code that is sent. Where our house asks for more than the benchmark's does (a code before
anything private, nothing of somebody else, no agent once people have taken over), the call is named and counted.
"""

from __future__ import annotations

import asyncio
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from engine.checks import check_tenant
from engine.conversations.models import Mode
from engine.conversations.schemas import InterruptView
from engine.customers import codes, verifying
from engine.customers import service as customers
from engine.kit.errors import DomainError
from engine.kit.identity import Identity
from evals.cassette import playing
from evals.house import Stage, staged, temporary_house
from evals.references import newest_code
from evals.talking import Heard, Talk, TurnLost
from evals.tau2 import spelling
from evals.tau2.cases import Call, Recorded, Shop
from evals.tau2.exporting import export_shop
from evals.tau2.model import Model
from evals.tau2.recital import Recital, Turn, turns
from evals.tau2.scene import bring, gateways
from evals.tau2.shapes import TRANSFER, WRITES, Difference, Json, differences, in_cents
from evals.tau2.spelling import beyond_spelling
from evals.tau2.stepping import Gate, Steps

AT_ONCE: Final = 4
_GO_ON: Final = "Please go on."


@dataclass(frozen=True, slots=True)
class Write:
    """A recorded call that changes something, and what it raised."""

    call: Call
    cards: int
    gate: Gate | None
    refused: str | None
    """The code of our tool's refusal."""

    @property
    def allowed(self) -> bool:
        """Whether the rules let it happen, our house does, and something would change."""
        return self.call.error is None and self.gate is None

    @property
    def right(self) -> bool:
        return self.cards == (1 if self.allowed else 0)

    def __str__(self) -> str:
        wanted = "one card" if self.allowed else f"no card ({self.gate or self.call.error})"
        return f"{self.call.name}: expected {wanted}, found {self.cards} ({self.refused or 'not refused'})"


@dataclass(slots=True)
class Held:
    """What came of one conversation."""

    recorded: Recorded
    writes: list[Write] = field(default_factory=list)
    stray: int = 0
    """Cards that no write raised."""
    transfers: int = 0
    handoffs: int = 0
    runs: int = 0
    named: Counter[str] = field(default_factory=Counter)
    state: list[Difference] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    broken: str | None = None

    @property
    def same(self) -> bool:
        right = all(write.right for write in self.writes) and not self.stray and self.transfers == self.handoffs
        return right and not self.state and not self.faults and self.broken is None

    def words(self) -> list[str]:
        """What is wrong beside the end state."""
        return [
            *(str(write) for write in self.writes if not write.right),
            *([f"{self.stray} cards without a write"] if self.stray else ()),
            *([f"{self.transfers} transfers, {self.handoffs} handoffs"] if self.transfers != self.handoffs else ()),
            *self.faults,
            *([self.broken] if self.broken else ()),
        ]


@dataclass(slots=True)
class Graph:
    """All conversations."""

    held: list[Held] = field(default_factory=list)

    @property
    def failed(self) -> list[Held]:
        return [one for one in self.held if not one.same]

    @property
    def named(self) -> Counter[str]:
        return sum((one.named for one in self.held), Counter())

    def as_json(self) -> Json:
        writes = [write for one in self.held for write in one.writes]
        return {
            "n": len(self.held),
            "identical": len(self.held) - len(self.failed),
            "writes": sum(write.allowed for write in writes),
            "one_card": sum(write.allowed and write.right for write in writes),
            "refused": sum(not write.allowed for write in writes),
            "cards_without_write": sum(one.stray for one in self.held)
            + sum(write.cards for write in writes if not write.allowed),
            "transfers": sum(one.transfers for one in self.held),
            "handoffs": sum(one.handoffs for one in self.held),
            "runs": sum(one.runs for one in self.held),
            "named_gates": dict(self.named),
            "failed": [
                {
                    "conversation": one.recorded.name,
                    "task_id": one.recorded.task_id,
                    "differences": [difference.as_json() for difference in one.state],
                    "problems": one.words(),
                }
                for one in self.failed
            ],
        }

    def below(self, least: float) -> Iterator[str]:
        """What is not as it must be."""
        found = self.as_json()
        if found["one_card"] < least * found["writes"]:
            yield f"graph: {found['one_card']} of {found['writes']} writes raised exactly one card"
        if found["cards_without_write"]:
            yield f"graph: {found['cards_without_write']} cards without a write"
        if found["transfers"] != found["handoffs"]:
            yield f"graph: {found['transfers']} transfers opened {found['handoffs']} handoffs"
        wrong = sum(bool(one.state or one.faults or one.broken) for one in self.held)
        if wrong:
            yield f"graph: {wrong} conversations do not end as they must"

    def lines(self) -> Iterator[str]:
        found = self.as_json()
        cards = (
            f"one card in {found['one_card']}/{found['writes']} writes, {found['cards_without_write']} without a write"
        )
        handoffs = f"{found['handoffs']}/{found['transfers']} handoffs"
        yield f"graph          {found['identical']}/{found['n']} identical, {cards}, {handoffs}"

    def failures(self) -> Iterator[tuple[str, Sequence[Difference], Sequence[str]]]:
        for one in self.failed:
            yield f"conversation {one.recorded.name} held again", one.state, one.words()


def measure(shop: Shop, conversations: Sequence[Recorded], *, done: Callable[[], None] = lambda: None) -> Graph:
    """Hold every conversation, each in a shop of its own, in a house that is gone afterwards."""

    async def play() -> Graph:
        with temporary_house(gateways) as house:
            async with staged(house) as stage:
                return await measure_on(stage, shop, conversations, done=done)

    return asyncio.run(play())


async def measure_on(
    stage: Stage, shop: Shop, conversations: Sequence[Recorded], *, done: Callable[[], None] = lambda: None
) -> Graph:
    """The same on a stage that is there."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(recorded: Recorded) -> Held:
        async with slots:
            held = await hold(stage, shop, recorded)
        done()
        return held

    return Graph(list(await asyncio.gather(*(one(recorded) for recorded in conversations))))


async def hold(stage: Stage, shop: Shop, recorded: Recorded) -> Held:
    """Hold one conversation. What breaks is part of what came of it; it raises nothing."""
    held = Held(recorded)
    try:
        scene = await asyncio.to_thread(_scene, stage, shop, recorded, held)
        await scene.talk.start()
        with playing(scene.recital):
            for turn in turns(recorded):
                await scene.play(turn)
        await asyncio.to_thread(scene.close)
    except (DomainError, TurnLost) as error:
        held.broken = f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 (one conversation's fault is shown in its own row)
        held.broken = traceback.format_exc(limit=-6)
    return held


@dataclass(slots=True)
class _Scene:
    """A conversation under way: our side, and what the model of the rules says it must come to."""

    held: Held
    talk: Talk
    steps: Steps
    recital: Recital
    expected: Model
    seen: set[str] = field(default_factory=set)
    handed_over: bool = False

    async def play(self, turn: Turn) -> None:
        """The customer's words, then as often as the model stopped to ask for something, that and a word to go on."""
        said = turn.said
        while True:
            self.recital.begin(turn)
            heard = await self.talk.say(said)
            self.held.runs += 1
            await self._settle(heard)
            self.held.broken = self.held.broken or (f"a run failed: {heard.error}" if heard.error else None)
            if not turn.calls or self.held.broken:
                return
            if self.handed_over:
                self._leave(turn)
                return
            said = _GO_ON

    def _leave(self, turn: Turn) -> None:
        """Nobody calls anything any more: people have taken over."""
        while turn.calls:
            call = turn.calls.popleft()
            self.held.named[Gate.AFTER_HANDOFF] += 1
            if call.name in WRITES:
                self.held.writes.append(Write(call, 0, Gate.AFTER_HANDOFF, None))

    async def _settle(self, heard: Heard) -> None:
        """Press, type in, and note what the run raised."""
        snapshot = await self.talk.snapshot()
        opened = [card for card in snapshot.interrupts if card.id not in self.seen]
        self.seen |= {card.id for card in opened}
        call = self.recital.under_way
        if call is not None and call.name in WRITES:
            await self._written(call, opened, heard)
        else:
            self.held.stray += len(opened)
        if call is not None and call.name == TRANSFER:
            self.held.transfers += 1
            self.handed_over = snapshot.mode != Mode.AGENT
            self.held.handoffs += self.handed_over
        elif call is not None and call.name not in WRITES:
            await self._sign_in(call)

    async def _written(self, call: Call, opened: Sequence[InterruptView], heard: Heard) -> None:
        gate = self.steps.gate(call)
        refused = next((one.error for one in reversed(heard.calls) if not one.ok), None)
        if gate is None:
            before = self.expected.export()
            self.expected.call(call.name, call.arguments)
            same = call.error is None and before == self.expected.export()
            gate = Gate.NOTHING_TO_CHANGE if same and refused == Gate.NOTHING_TO_CHANGE else None
        if gate is not None:
            self.held.named[gate] += 1
        self.held.writes.append(Write(call, len(opened), gate, refused))
        for card in opened:
            await self.talk.decide(card.id, approved=True)
            self.held.runs += 1

    async def _sign_in(self, call: Call) -> None:
        """Type in the code that was sent, if it was to somebody the shop knows."""
        user_id = self.steps.found_by(call)
        if user_id is None or self.steps.signed_in:
            return
        self.held.named[Gate.SIGN_IN] += 1
        self.talk.identity = await asyncio.to_thread(self._verify, user_id)
        self.steps.signed_in = user_id

    def _verify(self, user_id: str) -> Identity:
        runtime, identity = self.talk.stage.runtime, self.talk.identity
        checked = codes.check(runtime, identity, self.steps.email_of(user_id), newest_code(runtime, identity))
        with runtime.unit_of_work(identity.tenant_id) as session:
            return verifying.verify(session, identity, checked)

    def close(self) -> None:
        """Compare the end states, and prove the books."""
        runtime, tenant_id = self.talk.stage.runtime, self.talk.tenant_id
        found = export_shop(runtime.store, tenant_id)
        every = list(differences(in_cents(self.expected.export()), in_cents(found)))
        self.held.state = beyond_spelling(every)
        if len(every) > len(self.held.state):
            self.held.named[spelling.GATE] += 1
        checks = check_tenant(runtime, tenant_id, tenant_id)
        self.held.faults = [f"{one.name}: {one.detail}" for one in checks if not one.ok]


def _scene(stage: Stage, shop: Shop, recorded: Recorded, held: Held) -> _Scene:
    """The part of the shop that the conversation is about, as a tenant of its own, and somebody who comes in."""
    db = shop.slice_for(recorded.calls)
    tenant_id = bring(stage.runtime, db)
    with stage.runtime.unit_of_work(tenant_id) as session:
        identity = customers.new_shopper(session, tenant_id)
        steps = Steps(session, tenant_id, db)
    expected = Model()
    expected.reset(db)
    return _Scene(held, Talk(stage, identity), steps, Recital(steps.of), expected)
