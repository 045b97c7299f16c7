"""One write, one answer: the idempotency of the engine at the edge."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from pydantic import BaseModel
from sqlalchemy.orm import Session

from engine.kit import idempotency
from engine.kit.errors import InvalidInput
from engine.kit.idempotency import Claim, Stored
from engine.kit.identity import Identity
from engine.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked under which key."""

    operation: str
    key: str
    request_hash: str

    def by(self, identity: Identity) -> Claim:
        return Claim(identity.id, self.operation, self.key, self.request_hash)


async def asked(request: Request) -> Asked:
    """Read the request's key and the meaning of its body. Raises ``InvalidInput`` for what is not JSON."""
    body = await request.body()
    try:
        meaning: Any = json.loads(body) if body else None
        request_hash = idempotency.fingerprint(meaning)
    except (ValueError, RecursionError):
        raise InvalidInput("The body is not JSON.", param="body") from None
    return Asked(f"{request.method} {request.url.path}", request.headers["idempotency-key"], request_hash)


AskedDep = Annotated[Asked, Depends(asked)]


def answer_once(
    runtime: Runtime,
    identity: Identity,
    request: Asked,
    work: Callable[[Session], BaseModel],
    *,
    status: int | Callable[[BaseModel], int],
) -> Response:
    """Do ``work`` and keep its answer in the same transaction; a repeat gets the kept answer. ``status`` may depend on
    the answer.
    """
    claim = request.by(identity)
    with runtime.unit_of_work(identity.tenant_id) as session:
        stored = idempotency.claim(session, identity.tenant_id, claim)
        if stored is not None:
            return json_response(stored.body, stored.status, {"Idempotent-Replayed": "true"})
        view = work(session)
        code = status if isinstance(status, int) else status(view)
        body = view.model_dump_json().encode()
        idempotency.store(session, identity.tenant_id, claim, Stored(code, body))
    return json_response(body, code)


def answer_after(
    runtime: Runtime,
    identity: Identity,
    request: Asked,
    work: Callable[[], BaseModel],
    *,
    status: int | Callable[[BaseModel], int],
) -> Response:
    """For ``work`` that has transactions of its own and does no harm when done twice: its answer is kept afterwards.
    A repeat gets the kept answer and does nothing.
    """
    with runtime.unit_of_work(identity.tenant_id) as session, session.begin_nested() as peek:
        stored = idempotency.claim(session, identity.tenant_id, request.by(identity))
        peek.rollback()
    if stored is not None:
        return json_response(stored.body, stored.status, {"Idempotent-Replayed": "true"})
    view = work()
    return answer_once(runtime, identity, request, lambda _: view, status=status)


def json_response(body: bytes | BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """JSON as it is: a view is serialized once and not validated again."""
    content = body.model_dump_json() if isinstance(body, BaseModel) else body
    return Response(content, status, headers, media_type="application/json")
