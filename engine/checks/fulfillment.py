"""Shipments and what was handed to warehouses."""

from __future__ import annotations

from typing import Final

from engine.checks.rule import Rule

RULES: Final[tuple[Rule, ...]] = ()
