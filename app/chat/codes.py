"""A code from an e-mail that was typed into the chat: it signs the session in, as its form does."""

from __future__ import annotations

from fastapi import Request, Response
from sqlalchemy.orm import Session

from app.chat.schemas import RunAccepted
from app.chat.threads import remember
from app.identity import Caller, rotate_session
from app.once import Asked, answer_after
from app.site import Site
from engine.conversations import signing_in
from engine.kit.identity import Identity


def take_code(
    site: Site, request: Request, caller: Caller, asked: Asked, thread_id: str, given: signing_in.Typed
) -> Response:
    """The turn that says what came of it. Who is signed in by it gets a new cookie; every older one opens nothing."""
    who, tokens = caller.for_thing(), list[str]()

    def known(session: Session, identity: Identity) -> None:
        tokens.append(rotate_session(session, identity))

    def work() -> RunAccepted:
        return RunAccepted(run_id=signing_in.take(site.runtime, who, thread_id, given, known=known).id)

    response = answer_after(site.runtime, who, asked, work, status=202)
    for token in tokens:
        remember(site, request, response, caller.merchant, token)
    return response
