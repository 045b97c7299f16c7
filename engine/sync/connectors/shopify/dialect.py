"""How Shopify is spoken to: a token in a header, and GraphQL, whose refusals come in good answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from engine.sync.dialects import Probe, TokenDialect, unsure
from engine.sync.errors import AuthExpired, Conflict, FieldFault, RateLimited, Rejected, SyncError
from engine.sync.limits import Feedback
from engine.sync.wire import Outgoing, Reply

VERSION: Final = "2026-10"
PATH: Final = f"/admin/api/{VERSION}/graphql.json"
_STALE: Final = frozenset(
    {"CHANGE_FROM_QUANTITY_STALE", "COMPARE_QUANTITY_STALE", "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"}
)
"""The last: the key is spent on an attempt that failed; look again, and decide under another key."""
_BUSY: Final = "IDEMPOTENCY_CONCURRENT_REQUEST"
_TROUBLE: Final = frozenset({"INTERNAL_SERVER_ERROR", "TIMEOUT"})
_GONE: Final = frozenset({"SHOP_INACTIVE", "UNAUTHORIZED"})
_SOON: Final = 1.0
_ERROR_LISTS: Final = ("userErrors", "orderCancelUserErrors")


class ShopifyDialect(TokenDialect):
    header = "X-Shopify-Access-Token"
    probe: ClassVar = Probe("POST", PATH, {"query": "{ shop { name } }"})

    def feedback(self, reply: Reply) -> Feedback:
        """The bucket as the answer tells it (``extensions.cost``)."""
        cost = _cost(reply)
        status = cost.get("throttleStatus")
        if not isinstance(status, Mapping):
            return super().feedback(reply)
        actual = cost.get("actualQueryCost")
        return Feedback(
            cost=_whole(actual) if actual is not None else 0,
            available=_whole(status.get("currentlyAvailable")),
            capacity=_whole(status.get("maximumAvailable")),
            restore_per_second=_whole(status.get("restoreRate")),
        )

    def refused(self, request: Outgoing, reply: Reply) -> SyncError | None:
        """HTTP's no, then GraphQL's, then the mutation's own."""
        plain = super().refused(request, reply)
        if plain is not None:
            return plain
        errors = _errors(reply)
        if errors:
            return _meant(request, reply, errors)
        own = list(_user_errors(reply))
        return _own(own) if own else None

    def said(self, reply: Reply) -> str:
        errors = reply.data.get("errors") if isinstance(reply.data, Mapping) else None
        return errors if isinstance(errors, str) else super().said(reply)


def _meant(request: Outgoing, reply: Reply, errors: list[Mapping[str, Any]]) -> SyncError:
    """What ``errors`` of a good answer mean."""
    codes = {str(_of(one, "extensions").get("code", "")) for one in errors}
    words = "; ".join(str(one.get("message", "")) for one in errors[:3])
    if "THROTTLED" in codes:
        return RateLimited("The shop is asked for too much.", retry_after=_until_room(reply), answer=reply.status)
    if _BUSY in codes:
        return RateLimited("This is being done by another request.", retry_after=_SOON, answer=reply.status)
    if codes & _GONE:
        return AuthExpired(words, answer=reply.status)
    if codes & _TROUBLE:
        return unsure(request, words, answer=reply.status)
    faults = [FieldFault(_path(one.get("path")), str(one.get("message", ""))) for one in errors if one.get("path")]
    return Rejected(words, fields=faults, answer=reply.status)


def _own(errors: list[Mapping[str, Any]]) -> SyncError:
    """What a mutation's ``userErrors`` mean. One that is wrong for good outweighs one that is stale."""
    codes = [str(one.get("code") or "") for one in errors]
    words = "; ".join(str(one.get("message", "")) for one in errors[:3])
    if all(code in _STALE for code in codes):
        return Conflict(words, answer=200)
    if all(code in _STALE or code == _BUSY for code in codes):
        return RateLimited(words, retry_after=_SOON, answer=200)
    faults = [FieldFault(_path(one.get("field")), str(one.get("message", ""))) for one in errors]
    return Rejected(words, fields=faults, answer=200)


def _user_errors(reply: Reply) -> Iterator[Mapping[str, Any]]:
    for root in _of(reply.data, "data").values():
        for name in _ERROR_LISTS if isinstance(root, Mapping) else ():
            yield from (one for one in root.get(name) or () if isinstance(one, Mapping))


def _errors(reply: Reply) -> list[Mapping[str, Any]]:
    found = reply.data.get("errors") if isinstance(reply.data, Mapping) else None
    if isinstance(found, str):
        return [{"message": found}]
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _until_room(reply: Reply) -> float:
    """Seconds until the bucket holds what was asked for: (requested - there) / restored in a second."""
    cost = _cost(reply)
    status = _of(cost, "throttleStatus")
    lacking = _whole(cost.get("requestedQueryCost")) - _whole(status.get("currentlyAvailable"))
    return max(_SOON, lacking / max(1, _whole(status.get("restoreRate"))))


def _cost(reply: Reply) -> Mapping[str, Any]:
    return _of(_of(reply.data, "extensions"), "cost")


def _of(value: Any, name: str) -> Mapping[str, Any]:
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _whole(value: Any) -> int:
    return int(value) if isinstance(value, int | float) else 0


def _path(value: Any) -> str:
    return ".".join(str(one) for one in value) if isinstance(value, list) else ""
