"""What goes wrong in a world, as rules: what they fit, when they fire, and what they do."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from engine.sync.sandbox.wire import Json


class Kind(StrEnum):
    HTTP_429 = "http_429"
    THROTTLED_POINTS = "throttled_points"
    CONCURRENCY_EXCEEDED = "concurrency_exceeded"
    HTTP_500 = "http_500"
    HTTP_502 = "http_502"
    HTTP_503 = "http_503"
    TIMEOUT_BEFORE_COMMIT = "timeout_before_commit"
    TIMEOUT_AFTER_COMMIT = "timeout_after_commit"
    CONNECTION_RESET = "connection_reset"
    SLOW = "slow"
    TRUNCATED_JSON = "truncated_json"
    PARTIAL_PAGE = "partial_page"
    PARTIAL_BATCH = "partial_batch"
    STALE_READ = "stale_read"
    AUTH_EXPIRED = "auth_expired"
    SECRET_ROTATED = "secret_rotated"  # noqa: S105 (a kind of fault)
    SCHEMA_DRIFT = "schema_drift"
    CURRENCY_MISMATCH = "currency_mismatch"
    WEBHOOK_DUPLICATE = "webhook_duplicate"
    WEBHOOK_OUT_OF_ORDER = "webhook_out_of_order"
    WEBHOOK_DELAY = "webhook_delay"
    WEBHOOK_DROP = "webhook_drop"
    WEBHOOK_BAD_HMAC = "webhook_bad_hmac"
    WEBHOOK_STALE_PAYLOAD = "webhook_stale_payload"
    CLOCK_SKEW = "clock_skew"
    PROCESS_KILL = "process_kill"


REFUSALS: Final = frozenset(
    {
        Kind.HTTP_429,
        Kind.THROTTLED_POINTS,
        Kind.CONCURRENCY_EXCEEDED,
        Kind.HTTP_500,
        Kind.HTTP_502,
        Kind.HTTP_503,
        Kind.AUTH_EXPIRED,
    }
)
"""Answered by the vendor in its own form."""
LOST: Final = frozenset({Kind.TIMEOUT_BEFORE_COMMIT, Kind.TIMEOUT_AFTER_COMMIT, Kind.CONNECTION_RESET})
MENDABLE: Final = frozenset({Kind.SCHEMA_DRIFT, Kind.CURRENCY_MISMATCH})
"""They bend what is said, in answers and in webhooks alike."""
WEBHOOK: Final = frozenset(kind for kind in Kind if kind.startswith("webhook_"))
ENGINE: Final = frozenset({Kind.PROCESS_KILL})
"""Carried for whoever drives the engine's processes: no emulator can kill them."""
When = Literal["before", "after_commit"]
_WHEN: Final[dict[Kind, When]] = {Kind.TIMEOUT_AFTER_COMMIT: "after_commit", Kind.TIMEOUT_BEFORE_COMMIT: "before"}


class Match(BaseModel):
    """What a rule fits; what is not said fits all. ``path`` is a regular expression, found anywhere."""

    model_config = ConfigDict(extra="forbid")

    method: str | None = None
    path: str | None = None
    operation: str | None = None
    tenant: str | None = None

    def fits(self, *, method: str, path: str, operation: str, tenant: str) -> bool:
        return (
            self.method in {None, method}
            and self.operation in {None, operation}
            and self.tenant in {None, tenant}
            and (self.path is None or re.search(self.path, path) is not None)
        )


class Rule(BaseModel):
    """A fault. ``nth`` is the first fit that it strikes (1: at once), ``times`` how often it strikes; with a
    ``probability`` each fit is struck by the world's dice, without a limit unless ``times`` sets one.
    """

    model_config = ConfigDict(extra="forbid")

    id: str
    system: str
    kind: Kind
    match: Match = Field(default_factory=Match)
    when: When | None = None
    nth: int = Field(default=1, ge=1)
    times: int | None = Field(default=None, ge=1)
    probability: float | None = Field(default=None, ge=0, le=1)
    params: Json = Field(default_factory=dict)
    _fits: int = PrivateAttr(default=0)
    _struck: int = PrivateAttr(default=0)
    _dice: random.Random | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _says_how(self) -> Rule:
        drift = self.kind is Kind.SCHEMA_DRIFT
        if drift and (self.params.get("op") not in {"add", "remove", "null"} or not self.params.get("path")):
            raise ValueError("schema_drift wants op (add, remove, null) and path")
        return self

    @property
    def struck(self) -> int:
        return self._struck

    @property
    def after_commit(self) -> bool:
        return _WHEN.get(self.kind, self.when or "before") == "after_commit"

    def strikes(self, seed: int) -> bool:
        """Count one fit; whether it is struck."""
        self._fits += 1
        limit = self.times if self.times is not None else (None if self.probability is not None else 1)
        if self._fits < self.nth or (limit is not None and self._struck >= limit):
            return False
        if self.probability is not None and self._roll(seed) >= self.probability:
            return False
        self._struck += 1
        return True

    def _roll(self, seed: int) -> float:
        if self._dice is None:
            self._dice = random.Random(f"{seed}:{self.id}")  # noqa: S311 (reproducible, not secret)
        return self._dice.random()


class Faults:
    """The rules in force."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._rules: dict[str, Rule] = {}

    def put(self, rule: Rule) -> None:
        """Add a rule; one of the same id is replaced."""
        self._rules[rule.id] = rule

    def remove(self, rule_id: str) -> None:
        self._rules.pop(rule_id, None)

    def clear(self) -> None:
        self._rules.clear()

    def rules(self) -> list[Rule]:
        return list(self._rules.values())

    def strike(
        self, kinds: Iterable[Kind], *, system: str, method: str, path: str, operation: str, tenant: str
    ) -> list[Rule]:
        """The rules of these kinds that strike now."""
        wanted = frozenset(kinds)
        return [
            rule
            for rule in self._rules.values()
            if rule.kind in wanted
            and rule.system == system
            and rule.match.fits(method=method, path=path, operation=operation, tenant=tenant)
            and rule.strikes(self._seed)
        ]
