"""What a standing invariant is, and how one is proven from the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.db import Store
from engine.kit.direct import Statement

_SHOWN: Final = 5
_FIRST: Final = "WITH found AS MATERIALIZED ({}) SELECT * FROM found LIMIT {}"
"""As a rule there is nothing to be found: a plan made for the first rows would be slow about all of them."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One invariant of one tenant: ``looked_at`` rows, and the first that break it in ``detail``."""

    name: str
    tenant: str
    ok: bool
    looked_at: int
    detail: str


@dataclass(frozen=True, slots=True)
class Rule:
    """``count`` says how many rows were looked at; ``broken`` selects an id and a sentence for each bad one."""

    name: str
    count: str
    broken: str


def prove(session: Session, slug: str, rule: Rule) -> CheckResult:
    """Look at the rows of the session's tenant."""
    looked_at = session.execute(text(rule.count)).scalar_one()
    broken = session.execute(text(_FIRST.format(rule.broken, _SHOWN + 1))).all()
    return verdict(rule.name, slug, looked_at, [f"{row[0]} {row[1]}" for row in broken])


def broken(store: Store, tenant_id: str, slug: str, rules: Sequence[Rule]) -> list[CheckResult]:
    """Those rules that do not hold, found in one trip and without counting what was looked at: for a small shop that
    is looked at often (each rule's plan is kept).
    """
    found = store.ask(tenant_id, *((_statement(rule), {}) for rule in rules))
    return [
        verdict(rule.name, slug, len(rows), [" ".join(map(str, list(row.values())[:2])) for row in rows])
        for rule, rows in zip(rules, found, strict=True)
        if rows
    ]


@cache
def _statement(rule: Rule) -> Statement:
    return Statement(_FIRST.format(rule.broken, _SHOWN + 1))


def verdict(name: str, slug: str, looked_at: int, broken: Sequence[str]) -> CheckResult:
    """A result in words: the first rows that break the rule, or how many were looked at."""
    shown = "; ".join(broken[:_SHOWN]) + ("; …" if len(broken) > _SHOWN else "")
    return CheckResult(name, slug, not broken, looked_at, shown or f"{looked_at} rows")
