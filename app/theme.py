"""``/theme/{shop}``: a shop's colors and corners as a style sheet of its own, made from its rule ``theme``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from app.evidence import FileIn
from app.identity import Merchant, merchant_by_slug
from app.once import AskedDep, answer_once
from app.routing import CallerDep, Guarded, SiteDep
from engine.kit.errors import Forbidden
from engine.kit.identity import Scope
from engine.kit.policies import PolicyBroken, read_policy
from engine.policies import PolicyView
from engine.theme.colors import BLACK, WHITE, Color, readable
from engine.theme.logos import logo, set_logo
from engine.theme.policy import DARK_GROUND, LIGHT_GROUND, LIGHT_SOFT, ThemePolicy

router: Final = APIRouter(prefix="/theme", include_in_schema=False)
staff: Final = APIRouter(prefix="/v1/staff/theme", tags=["staff"], route_class=Guarded)
LOOK: Final = "ic_look"
"""The cookie in which a browser keeps light or dark, set by the page itself."""
_ACCENT: Final = Color.of("#1f6f54")
_DARK_SOFT: Final = Color.of("#2a2e33")
_CORNERS: Final = {"round": ("1.125rem", "0.75rem"), "soft": ("0.625rem", "0.5rem"), "square": ("0.125rem", "0.125rem")}
_FOREVER: Final = "public, max-age=31536000, immutable"


def theme_of(merchant: Merchant) -> ThemePolicy:
    """The shop's theme; one that was written before a rule was tightened counts as none."""
    with suppress(PolicyBroken):
        return read_policy(dict(merchant.settings), ThemePolicy, home=merchant.currency)
    return ThemePolicy()


def address(merchant: Merchant) -> str:
    """Where the shop's style sheet is: another address whenever it changes."""
    return f"/theme/{merchant.slug}.css?v={_digest(style(theme_of(merchant), merchant.settings))}"


def voice(merchant: Merchant, language: str) -> dict[str, str]:
    """What the shop says and shows of itself on the page, where it does."""
    theme = theme_of(merchant)
    told = {"assistant": theme.assistant_name or "", "greeting": theme.greeting.get(language, "")}
    told["logo"] = f"/theme/{merchant.slug}/logo/{theme.logo}" if theme.logo else ""
    return {name: words for name, words in told.items() if words}


def look(request: Request) -> str:
    """Light or dark when the shopper chose one, else nothing: the page looks like the device."""
    kept = request.cookies.get(LOOK, "")
    return kept if kept in {"light", "dark"} else ""


def style(theme: ThemePolicy, settings: Mapping[str, Any]) -> str:
    """The sheet: every color in it can be read on the grounds it is used on."""
    accent = readable(_accent(theme, settings), WHITE, towards=BLACK)
    card, control = _CORNERS[theme.corners]
    said = {
        "--ic-accent": str(accent),
        "--ic-mark": str(Color.of(theme.second) if theme.second else accent),
        "--ic-accent-ink-light": str(readable(accent, LIGHT_SOFT, towards=BLACK)),
        "--ic-accent-ink-dark": str(readable(accent, _DARK_SOFT, towards=WHITE)),
        "--ic-round": card,
        "--ic-corner": control,
    }
    if theme.tint_percent:
        grounds = (ground.mixed(accent, theme.tint_percent) for ground in (LIGHT_GROUND, DARK_GROUND))
        said["--ic-bg"] = f"light-dark({', '.join(map(str, grounds))})"
    return f":root {{ {' '.join(f'{name}: {value};' for name, value in said.items())} }}\n"


@router.get("/{slug}/logo/{digest}")
def picture(slug: str, digest: str, site: SiteDep) -> Response:
    """A shop's logo: a picture and nothing a browser would run. Raises ``NotFound``."""
    merchant = merchant_by_slug(site.runtime, slug)
    with site.runtime.unit_of_work(merchant.id) as session:
        kind, content = logo(session, merchant.id, digest)
    headers = {"Cache-Control": _FOREVER, "Content-Security-Policy": "default-src 'none'; sandbox"}
    return Response(content, media_type=kind, headers=headers | {"X-Content-Type-Options": "nosniff"})


@staff.post("/logo", responses={200: {"model": PolicyView}}, response_class=Response)
def give_logo(site: SiteDep, caller: CallerDep, asked: AskedDep, given: FileIn) -> Response:
    """Show a JPEG, PNG or WebP picture of at most 128 KiB as the shop's logo."""
    identity, content = caller.staff, given.read()
    if Scope.ADMIN not in identity.scopes:
        raise Forbidden("Changing the logo needs a key with the scope admin.")

    def work(session: Session) -> PolicyView:
        return set_logo(session, identity.tenant_id, content, actor=identity.id)

    return answer_once(site.runtime, identity, asked, work, status=200)


@router.get("/{slug}.css")
def sheet(slug: str, v: str, site: SiteDep) -> Response:
    """A shop's style sheet. Raises ``NotFound``."""
    merchant = merchant_by_slug(site.runtime, slug)
    text = style(theme_of(merchant), merchant.settings)
    kept = _FOREVER if v == _digest(text) else "no-cache"
    return Response(text, media_type="text/css", headers={"Cache-Control": kept})


def _accent(theme: ThemePolicy, settings: Mapping[str, Any]) -> Color:
    with suppress(ValueError):
        return Color.of(theme.accent or str(settings.get("accent", "")))
    return _ACCENT


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
