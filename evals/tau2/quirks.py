"""The benchmark as it is, known faults included: what explains a recorded result that no honest shop gives.

A call is named after a fault only where this model gives what was recorded and the honest one gives what was found.
"""

from __future__ import annotations

from typing import Any, Final

from evals.tau2.model import Model, Row

EACH_ITS_OWN_PRICE: Final = "each_line_its_own_variant"
"""The benchmark writes the last new variant's price and options on every line that is replaced."""


class Faithful(Model):
    """``Model`` with the benchmark's faults."""

    def _replace(self, pairs: list[tuple[Row, Row]]) -> None:
        last = pairs[-1][1]
        super()._replace(pairs)
        for line, _ in pairs:
            line |= {"price": last["price"], "options": dict(last["options"])}

    def _gives_back(self, order: Row) -> list[tuple[str, int]]:
        return [(entry["payment_method_id"], entry["amount"]) for entry in order["payment_history"]]

    def _originals(self, order: Row) -> set[str]:
        first: dict[str, Any] = order["payment_history"][0]
        return {first["payment_method_id"]}
