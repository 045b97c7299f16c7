"""A vendor's door: counts requests in and out, lets faults strike before or after the work, and keeps the journal."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email.utils import format_datetime
from typing import Any, Final

from engine.sync.sandbox.bending import bend
from engine.sync.sandbox.faults import ENGINE, LOST, MENDABLE, REFUSALS, WEBHOOK, Kind, Rule
from engine.sync.sandbox.ground import Ground
from engine.sync.sandbox.wire import Answer, Call, NoAnswer, Refused, Vendor

_AT_THE_DOOR: Final = frozenset(Kind) - WEBHOOK - ENGINE
_REMEMBERED: Final = 2_000
_SLOW_MS: Final = 250
PARTIAL: Final = "x-sandbox-partial"
"""How a door tells its emulator to serve half a page or half a batch: no caller can send it."""


@dataclass
class Passage:
    """A request on its way through the door."""

    call: Call
    operation: str
    struck: list[Rule]
    turned_away: Answer | None
    delay_seconds: float = 0
    entered: bool = field(default=False)


class Door:
    """Where requests for one vendor arrive. ``begin``, wait as long as it says, ``finish``."""

    def __init__(self, ground: Ground, vendor: Vendor) -> None:
        self.ground = ground
        self.vendor = vendor
        self._answers: OrderedDict[tuple[str, ...], list[Answer]] = OrderedDict()

    def begin(self, call: Call) -> Passage:
        call = replace(call, headers={name: value for name, value in call.headers.items() if name != PARTIAL})
        with self.ground.lock:
            operation = self.vendor.operation(call)
            turned_away = self.vendor.enter(call)
            struck = [] if turned_away else self._strike(call, operation)
        slow = [rule.params.get("ms", _SLOW_MS) for rule in struck if rule.kind is Kind.SLOW]
        return Passage(call, operation, struck, turned_away, sum(slow) / 1000, entered=turned_away is None)

    def finish(self, passage: Passage) -> Answer:
        """The answer. Raises ``NoAnswer`` where there is none."""
        answer: Answer | None = None
        try:
            answer = self._dated(passage.turned_away or self._work(passage))
        finally:
            with self.ground.lock:
                self._close(passage, answer)
        return answer

    def _strike(self, call: Call, operation: str) -> list[Rule]:
        return self.ground.faults.strike(
            _AT_THE_DOOR,
            system=self.vendor.system,
            method=call.method,
            path=call.path,
            operation=operation,
            tenant=call.tenant,
        )

    def _close(self, passage: Passage, answer: Answer | None) -> None:
        if passage.entered:
            self.vendor.leave(passage.call)
        self.ground.journal.write(
            at=self.ground.now(),
            system=self.vendor.system,
            operation=passage.operation,
            call=passage.call,
            answer=answer,
            faults=tuple(rule.id for rule in passage.struck),
        )

    def _work(self, passage: Passage) -> Answer:
        before = [rule for rule in passage.struck if not rule.after_commit]
        for rule in before:
            early = self._before(rule, passage.call)
            if early is not None:
                return early
        answer = self._handled(passage, stale=any(rule.kind is Kind.STALE_READ for rule in before))
        for rule in passage.struck:
            answer = self._after(rule, passage.call, answer)
        return answer

    def _before(self, rule: Rule, call: Call) -> Answer | None:
        if rule.kind in REFUSALS:
            return self.vendor.faulty(rule.kind, rule.params, call)
        if rule.kind in LOST:
            raise NoAnswer(reset=rule.kind is Kind.CONNECTION_RESET)
        if rule.kind is Kind.SECRET_ROTATED:
            with self.ground.lock:
                self.vendor.rotate(call.tenant, rule.params)
        if rule.kind is Kind.CLOCK_SKEW:
            self.ground.skews[self.vendor.system] = timedelta(seconds=float(rule.params.get("seconds", 600)))
        return None

    def _handled(self, passage: Passage, *, stale: bool) -> Answer:
        call = passage.call
        if any(rule.kind in {Kind.PARTIAL_PAGE, Kind.PARTIAL_BATCH} for rule in passage.struck):
            call = replace(call, headers=dict(call.headers) | {PARTIAL: "1"})
        with self.ground.lock:
            try:
                answer = self.vendor.handle(call)
            except Refused as refused:
                answer = refused.answer
            return self._remembered(passage, answer, stale=stale)

    def _remembered(self, passage: Passage, answer: Answer, *, stale: bool) -> Answer:
        """The answer; a stale read gets the one that the same question got before anything changed since."""
        call = passage.call
        key = (
            call.tenant,
            call.method,
            call.path,
            repr(sorted(call.query.items())),
            call.body.decode(errors="replace"),
        )
        kept = self._answers.setdefault(key, [])
        if stale and kept:
            return kept[0]
        if not kept or kept[-1].content != answer.content:
            kept.append(answer)
            del kept[:-2]
        self._answers.move_to_end(key)
        if len(self._answers) > _REMEMBERED:
            self._answers.popitem(last=False)
        return answer

    def _after(self, rule: Rule, call: Call, answer: Answer) -> Answer:
        if rule.kind in MENDABLE:
            return replace(answer, content=bend(answer.content, rule))
        if rule.kind is Kind.TRUNCATED_JSON:
            whole = answer.encoded()
            return replace(answer, raw=whole[: len(whole) // 2], headers=answer.sent_headers())
        if rule.after_commit and rule.kind in REFUSALS:
            return self.vendor.faulty(rule.kind, rule.params, call)
        if rule.after_commit and rule.kind in LOST:
            raise NoAnswer(reset=rule.kind is Kind.CONNECTION_RESET)
        return answer

    def _dated(self, answer: Answer) -> Answer:
        stamp = format_datetime(self.ground.wall(self.vendor.system), usegmt=True)
        return replace(answer, headers={"date": stamp} | answer.headers)


def partial(call: Call) -> bool:
    """Whether a fault wants half a page or half a batch."""
    return PARTIAL in call.headers


def half(wanted: int, call: Call) -> int:
    """How many to serve of ``wanted``: half as many (at least one) where a fault says so."""
    return max(wanted // 2, 1) if partial(call) else wanted


def error(status: int, content: Any, **headers: str) -> Answer:
    """An answer that refuses."""
    return Answer(status, content, {name.replace("_", "-"): value for name, value in headers.items()})
