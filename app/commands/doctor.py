"""``icommerce doctor``: what runs here, what is embedded, which versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from engine.runtime import Runtime
    from engine.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
_PACKAGES = (
    "icommerce",
    "openai-agents",
    "langgraph",
    "litellm",
    "fastapi",
    "sqlalchemy",
    "chromadb",
    "pydantic",
    "psycopg",
    "uvicorn",
)


def doctor(json: Json = False) -> None:
    """Say what runs here; exit code 3 when the database does not answer."""
    from app.commands.outcome import UNREACHABLE, show_json
    from engine.settings import Settings

    settings = Settings.from_env()
    serving = _serving(settings)
    tenants, restores, mail, trouble = _tenants(settings)
    report: dict[str, Any] = {
        "tenants": tenants,
        "restores": restores,
        "mail": {"server": bool(settings.smtp_url), "shops": mail},
        "embedded": _embedded(settings, running=not trouble),
        "versions": _versions(),
        "psp": serving.get("psp"),
        "url": serving.get("url"),
        "home": str(settings.home),
        "problem": trouble,
    }
    if json:
        show_json(report)
    else:
        _print(report)
    if trouble:
        raise typer.Exit(UNREACHABLE)


Found = list[dict[str, Any]]


def _tenants(settings: Settings) -> tuple[Found, Found, Found, str]:
    """The shops, what a restore still holds of each, how its letters do, and why there is no answer."""
    from sqlalchemy import select
    from sqlalchemy.exc import SQLAlchemyError

    from app.commands.opened import runtime
    from engine.embedded.files import EmbeddedPostgresError
    from engine.kit.errors import Unavailable
    from engine.kit.tenancy import Tenant

    try:
        with runtime(settings) as opened:
            with opened.store.without_tenant() as session:
                query = select(Tenant.id, Tenant.slug, Tenant.name).where(Tenant.status == "active")
                rows = session.execute(query.order_by(Tenant.number)).all()
            letters = [_mail_of(opened, row.id, row.slug) for row in rows]
            held = [facts for row in rows if (facts := _restore_of(opened, row.id, row.slug))]
        return [{"slug": row.slug, "name": row.name} for row in rows], held, letters, ""
    except SQLAlchemyError as error:
        return [], [], [], f"The database does not answer as expected ({type(error).__name__})."
    except (Unavailable, EmbeddedPostgresError) as error:
        return [], [], [], str(error)


def _restore_of(opened: Runtime, tenant_id: str, slug: str) -> dict[str, Any] | None:
    """What the last restore of a shop still holds, and what it waits for."""
    from engine.kit.holds import Restore

    with opened.unit_of_work(tenant_id) as session:
        row = session.get(Restore, tenant_id)
        if row is None:
            return None
        return {
            "tenant": slug,
            "held": row.lifted_at is None,
            "horizon": row.horizon.isoformat(),
            "restored_at": row.restored_at.isoformat(),
            "lifted_at": row.lifted_at.isoformat() if row.lifted_at else None,
            "waiting_for": row.waiting_for,
        }


def _mail_of(opened: Runtime, tenant_id: str, slug: str) -> dict[str, Any]:
    """How many letters of a shop wait, since when, and what it needs before they can go."""
    from engine.kit.tenancy import Tenant
    from engine.mail.health import facts_of

    with opened.unit_of_work(tenant_id) as session:
        tenant = session.get_one(Tenant, tenant_id)
        return {"tenant": slug} | facts_of(session, tenant, server=opened.mailer is not None)


def _serving(settings: Settings) -> dict[str, Any]:
    """What the running server left word of; nothing when it is gone."""
    import contextlib
    import json

    import psutil

    with contextlib.suppress(OSError, ValueError):
        facts: dict[str, Any] = json.loads((settings.home / "serve.json").read_text())
        if psutil.pid_exists(int(facts["pid"])):
            return facts
    return {}


def _embedded(settings: Settings, *, running: bool) -> dict[str, Any]:
    """Each part: ``embedded`` or what replaces it."""
    return {
        "postgres": {"embedded": settings.embedded, "answers": running},
        "chroma": {"embedded": settings.chroma_url is None},
        "model": {"embedded": settings.model == "icommerce/offline", "name": settings.model},
        "embedder": {
            "embedded": settings.embedding_model is None,
            "name": settings.embedding_model or "all-MiniLM-L6-v2-int8",
        },
        "gateway": {"embedded": True, "name": "sandbox"},
    }


def _versions() -> dict[str, str]:
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _print(report: dict[str, Any]) -> None:
    from app.commands.outcome import show

    show(f"Home        {report['home']}")
    show(f"Shop        {report['url'] or 'not serving'}")
    show(f"Card entry  {report['psp'] or '-'}")
    for name, facts in report["embedded"].items():
        kind = "embedded" if facts["embedded"] else "external"
        show(f"{name:<11} {kind} {facts.get('name', '')}".rstrip())
    shops = ", ".join(row["slug"] for row in report["tenants"])
    show(f"Shops       {shops or report['problem'] or 'none'}")
    for row in report["mail"]["shops"]:
        if row["problem"]:
            show(f"Mail        {row['tenant']}: {row['problem']} ({row['waiting']} waiting)")
    for row in report["restores"]:
        if row["held"]:
            what = ", ".join(f"{name}: {left}" for name, left in row["waiting_for"].items()) or "the first look"
            show(f"Held        {row['tenant']}: restored as of {row['horizon']}, waits for {what}")
    show("Versions    " + ", ".join(f"{name} {number}" for name, number in report["versions"].items()))
