"""May this be sold to that place, this way? Plain reasons when not, each with its code and a way out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from engine.compliance.policy import CompliancePolicy, Rule

USUAL: Final = CompliancePolicy()


@dataclass(frozen=True, slots=True)
class Item:
    """What is to be sent."""

    title: str
    tags: Sequence[str]
    quantity: int = 1


@dataclass(frozen=True, slots=True)
class Place:
    """From the shop's country ``home`` to an address."""

    home: str
    country: str
    region: str = ""
    po_box: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """Why something cannot go there, for people, and what could be done instead."""

    code: str
    reason: str
    instead: str = ""

    @property
    def words(self) -> str:
        return f"{self.reason} {self.instead}".strip()


def findings(items: Sequence[Item], place: Place, policy: CompliancePolicy = USUAL) -> list[Finding]:
    """Everything that stands in the way; empty when all can go."""
    if place.country in policy.embargoed and place.country != place.home:
        reason = "Nothing can be sent to this country: trade with it is restricted."
        return [Finding("embargoed", reason, "Send it to an address elsewhere.")]
    rules = [rule for rule in policy.in_force() if rule.effect == "refuse" and _at(rule, place)]
    barred = [_refused(item, rule) for item in items for rule in rules if rule.tag in item.tags]
    return [*barred, *_too_many(items, policy)]


def problems(items: Sequence[Item], place: Place, policy: CompliancePolicy = USUAL) -> list[str]:
    """The findings in words."""
    return [found.words for found in findings(items, place, policy)]


def ground_only(items: Iterable[Item], place: Place, policy: CompliancePolicy = USUAL) -> bool:
    """Whether something in the parcel may not fly."""
    tags = _tags(items)
    return any(rule.effect == "ground_only" and rule.tag in tags and _at(rule, place) for rule in policy.in_force())


def notices(items: Iterable[Item], place: Place, policy: CompliancePolicy = USUAL) -> list[str]:
    """What the buyer must be told there, each once; of two ages the higher one is enough."""
    tags = _tags(items)
    rules = [r for r in policy.in_force() if r.effect == "notice" and r.tag in tags and _at(r, place)]
    said = dict.fromkeys(rule.reason for rule in rules)
    if any(rule.code == "adult_21" for rule in rules):
        lower = {rule.reason for rule in rules if rule.code.startswith("adult_18")}
        said = {words: None for words in said if words not in lower}
    return list(said)


def _at(rule: Rule, place: Place) -> bool:
    return rule.applies(home=place.home, country=place.country, region=place.region, po_box=place.po_box)


def _refused(item: Item, rule: Rule) -> Finding:
    return Finding(rule.code, f"{item.title} {rule.reason}.", rule.instead)


def _too_many(items: Sequence[Item], policy: CompliancePolicy) -> list[Finding]:
    found = []
    for tag, most in policy.max_per_order.items():
        units = sum(item.quantity for item in items if tag in item.tags)
        if units > most:
            named = ", ".join(item.title for item in items if tag in item.tags)
            reason = f"One order may hold {most} of {named} together; this one has {units}."
            found.append(Finding("too_many", reason, f"Take out {units - most}."))
    return found


def _tags(items: Iterable[Item]) -> set[str]:
    return {tag for item in items for tag in item.tags}
