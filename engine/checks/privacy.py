"""Who was forgotten stays forgotten: read from the same map that erases."""

# ruff: noqa: S608 (names and conditions of our own map; values are bound)
from __future__ import annotations

from typing import Final

from engine.checks.rule import Rule
from engine.privacy.rooms import PEOPLE, ROOMS, Room


def _left(room: Room) -> str:
    """The rows of erased people in which something personal is left. Whose a row is comes first: the rest is dear."""
    kept = " OR ".join(f"t.{column} IS DISTINCT FROM {blank}" for column, blank in room.erase.items())
    still = "true" if room.drop else kept
    said = f"'{room.table}', 'still says something of a person'"
    return f"SELECT {said} FROM app.{room.table} t WHERE CASE WHEN {room.whose} THEN {still} END"


RULES: Final = (
    Rule(
        "erased customers hold no personal data",
        "SELECT count(*) FROM app.customers WHERE erased_at IS NOT NULL",
        PEOPLE.format(who="erased_at IS NOT NULL")
        + " UNION ALL ".join(_left(room) for room in ROOMS if room.drop or room.erase),
    ),
)
