"""Addresses in the words in which they were said: our house keeps one spelling, the benchmark keeps the words.

The words stand only beside what our own row says: a row that says something else by now is told as it is.
"""

from __future__ import annotations

from typing import Any

Shape = dict[str, Any]


class Words:
    """What was said of each order's and customer's address, and what our row made of it."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Shape, Shape]] = {}

    def keep(self, key: str, row: Shape, said: Shape) -> None:
        """``row`` is the order or customer as our rows tell it, after ``said`` was done."""
        address = row["address"]
        self._kept[key] = (address, {part: said[part] for part in address})

    def of(self, key: str, row: Shape) -> Shape:
        """``row`` with the words that were said."""
        spelled, said = self._kept.get(key, (None, None))
        return row | {"address": said} if spelled == row["address"] else row

    def of_all(self, rows: dict[str, Shape]) -> dict[str, Shape]:
        return {key: self.of(key, row) for key, row in rows.items()}
