"""``/staff``, ``/staff/cases/{id}``, ``/staff/macros``: the support desk's queue, a case with its conversation, and the
words that are said often.
"""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response

from app.pages import embedded
from app.routing import SiteDep
from app.staff.pages import page_response
from app.wording import DEFAULT, words
from engine.support.macros import NAMES

router: Final = APIRouter(prefix="/staff", include_in_schema=False)


@router.get("")
def queue(request: Request, site: SiteDep) -> Response:
    """Who waits, what is mine, and everything."""
    return page_response(request, site, "staff/queue.html")


@router.get("/cases/{case_id}")
def case(case_id: str, request: Request, site: SiteDep) -> Response:
    """One case: what is known of it, what was said, and a place to answer. Whether it is there the script finds out."""
    texts = embedded(words(DEFAULT).page(assistant_speaks=()))
    return page_response(request, site, "staff/case.html", case_id=case_id[:60], texts_json=texts)


@router.get("/macros")
def macros(request: Request, site: SiteDep) -> Response:
    """What is said often, with places for what differs."""
    return page_response(request, site, "staff/macros.html", names=NAMES)
