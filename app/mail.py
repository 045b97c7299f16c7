"""``/v1/staff/mails``: what was written to whom. And, in demo mode alone, ``/outbox``: the letters of the demo shops,
which go to nobody.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.middleware import content_policy
from app.once import AskedDep, answer_once, json_response
from app.pages import render
from app.routing import CallerDep, Guarded, SiteDep
from app.site import Site
from engine.kit.errors import NotFound
from engine.kit.tenancy import Tenant
from engine.kit.views import View
from engine.mail import service
from engine.mail.models import Mail, MailStatus

router: Final = APIRouter(prefix="/v1/staff/mails", tags=["mail"], route_class=Guarded)
pages: Final = APIRouter(include_in_schema=False)
_SHOWN: Final = 50
_LETTER_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self';"
    " sandbox"
)
"""A letter as mail programs show it: its own styles, and nothing that runs, loads or leads anywhere."""
Word = Annotated[str | None, Query(max_length=254)]


class MailSummary(View):
    id: str
    topic: str
    template: str
    subject_id: str
    to_address: str
    from_address: str
    subject: str
    status: str
    """queued, sent or failed."""
    channel: str | None
    """smtp, or outbox for a demo shop, whose letters go to nobody."""
    attempts: int
    error: str
    created_at: datetime
    sent_at: datetime | None


class MailView(MailSummary):
    text: str
    html: str
    hidden: bool
    """Whether the words are not shown: they hold a code, or were erased."""


class MailPage(View):
    items: list[MailSummary]
    next_cursor: str | None


@router.get("", responses={200: {"model": MailPage}}, response_class=Response)
def mails(
    site: SiteDep,
    caller: CallerDep,
    status: MailStatus | None = None,
    template: Word = None,
    subject: Word = None,
    q: Word = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=300)] = None,
) -> Response:
    """Newest first. ``subject`` is the id of an order or another thing, ``q`` a whole e-mail address."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        page = service.mails(
            session,
            tenant_id,
            status=status,
            template=template,
            subject_id=subject,
            q=q,
            limit=limit,
            cursor=cursor,
        )
        items = [MailSummary(**_summary(row)) for row in page.items]
    return json_response(MailPage(items=items, next_cursor=page.next_cursor))


@router.get("/{mail_id}", responses={200: {"model": MailView}}, response_class=Response)
def mail(mail_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """One letter with its words, but for one with a code in it: who reads that could be its owner."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        return json_response(_view(service.mail(session, tenant_id, mail_id)))


@router.post("/{mail_id}/retry", responses={200: {"model": MailView}}, response_class=Response)
def retry(mail_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Try a failed letter once more."""
    identity = caller.staff

    def work(session: Session) -> MailView:
        row = service.try_again(session, identity.tenant_id, mail_id, actor=identity.id)
        session.flush()
        return _view(row)

    return answer_once(site.runtime, identity, asked, work, status=200)


@pages.get("/outbox")
def outbox(request: Request, site: SiteDep) -> Response:  # noqa: ARG001 (a page takes its request)
    """The newest letters of every demo shop. Nobody else's, and nowhere but in a demo."""
    shown = [letter for tenant in _demo_shops(site) for letter in _letters(site, tenant)]
    shown.sort(key=lambda letter: letter["created_at"], reverse=True)
    page = render("outbox.html", letters=shown[:_SHOWN])
    page.headers["Content-Security-Policy"] = content_policy(frames=["'self'"])
    page.headers["Cache-Control"] = "no-store"
    return page


@pages.get("/outbox/{slug}/{mail_id}")
def outbox_letter(slug: str, mail_id: str, site: SiteDep) -> Response:
    """One letter as it would be seen, in a frame that may do nothing."""
    tenant = next((one for one in _demo_shops(site) if one.slug == slug), None)
    if tenant is None:
        raise NotFound("There is no such letter.")
    with site.runtime.unit_of_work(tenant.id) as session:
        html = service.mail(session, tenant.id, mail_id).html
    headers = {"Content-Security-Policy": _LETTER_POLICY, "Cache-Control": "no-store"}
    return Response(html or "<!doctype html><p>Erased.</p>", headers=headers, media_type="text/html")


def _demo_shops(site: Site) -> list[Tenant]:
    """Raises ``NotFound`` where this is no demo."""
    if not site.runtime.demo:
        raise NotFound("There is no such page.")
    with site.runtime.store.without_tenant() as session:
        query = select(Tenant).where(Tenant.demo, Tenant.status == "active")
        return list(session.scalars(query.order_by(Tenant.number.desc()).limit(20)))


def _letters(site: Site, tenant: Tenant) -> list[dict[str, Any]]:
    with site.runtime.unit_of_work(tenant.id) as session:
        rows = service.mails(session, tenant.id, limit=_SHOWN).items
        return [_summary(row) | {"slug": tenant.slug, "shop": tenant.name, "text": row.text} for row in rows]


def _summary(row: Mail) -> dict[str, Any]:
    return {name: getattr(row, name) for name in MailSummary.model_fields}


def _view(row: Mail) -> MailView:
    hidden = row.secret or row.erased_at is not None
    words = {"text": "" if hidden else row.text, "html": "" if hidden else row.html}
    return MailView(**_summary(row), **words, hidden=hidden)
