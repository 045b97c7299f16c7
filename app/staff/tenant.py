"""``/staff/tenant``: the shop's own rules, for its admins. What the page shows and changes is in ``/v1``."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from app.routing import SiteDep
from app.staff.pages import page_response
from engine.kit.identity import Scope
from engine.policies import POLICIES

router: Final = APIRouter(prefix="/staff", include_in_schema=False)


@router.get("/tenant")
def tenant(request: Request, site: SiteDep, section: Annotated[str, Query(max_length=40)] = "theme") -> Response:
    """The rules of one section as a form made from what may be said in it."""
    chosen = section if section in POLICIES else "theme"
    return page_response(
        request, site, "staff/tenant.html", needs=Scope.ADMIN, section=chosen, sections=sorted(POLICIES)
    )
