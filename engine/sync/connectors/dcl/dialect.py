"""How DCL says no: often with HTTP 200 and an ``error_code``, of the whole request and of each order of a batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from engine.sync.dialects import BasicDialect, Probe
from engine.sync.errors import FieldFault, Rejected, SyncError
from engine.sync.wire import Outgoing, Reply

_WELL: Final = frozenset({"", "0", "None"})
_STATUSES: Final = ("order_statuses", "rma_statuses")
_NAMES: Final = ("order_number", "rma_number")


class BatchRefused(Rejected):
    """A batch of which something was not taken. ``fields`` are the orders that were refused, by number; ``codes`` is
    the error code of every order that the answer speaks of, ``0`` of one with which nothing is wrong.
    """

    def __init__(self, message: str, *, codes: Mapping[str, str], fields: tuple[FieldFault, ...], answer: int) -> None:
        super().__init__(message, fields=fields, answer=answer)
        self.codes = codes


class DclDialect(BasicDialect):
    """HTTP Basic; the user's name is among the settings."""

    user, password = "username", "password"
    probe = Probe("GET", "/orders?page_size=1")

    def refused(self, request: Outgoing, reply: Reply) -> SyncError | None:
        """Both levels of an answer that says 200."""
        if not reply.ok or not isinstance(reply.data, dict):
            return super().refused(request, reply)
        codes = {number: code for number, code, _ in _statuses(reply.data)}
        faults = tuple(
            FieldFault(number, message or f"error {code}")
            for number, code, message in _statuses(reply.data)
            if code not in _WELL
        )
        words = self.said(reply) or (faults[0].message if faults else "")
        if codes and (faults or failed(reply.data)):
            return BatchRefused(words, codes=codes, fields=faults, answer=reply.status)
        if failed(reply.data):
            return Rejected(words, answer=reply.status)
        return None

    def said(self, reply: Reply) -> str:
        """DCL's words, or its code where it has none."""
        found = super().said(reply)
        if found or not isinstance(reply.data, dict) or not failed(reply.data):
            return found
        return f"DCL says error {str(reply.data['error_code']).strip()[:20]}."


def failed(said: Mapping[str, Any]) -> bool:
    """Whether an answer, or an order's part of one, says that it did not go well."""
    return str(said.get("error_code", 0)).strip() not in _WELL


def _statuses(data: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Number, code and words of each order that an answer speaks of."""
    rows: list[Any] = next((data[name] for name in _STATUSES if isinstance(data.get(name), list)), [])
    for row in rows:
        if isinstance(row, dict):
            number = next((str(row[name]) for name in _NAMES if row.get(name)), "")
            code = str(row.get("error_code", 0)).strip()
            yield number, "0" if code in _WELL else code[:20], str(row.get("error_message") or "")
