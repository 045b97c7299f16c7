"""``icommerce run``, ``icommerce runs`` and ``icommerce replay``: the pipeline from any shell."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from app.commands.pipeline_desk import Desk

app = typer.Typer(help="Runs of workflows.", no_args_is_help=True, rich_markup_mode=None)
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
Endpoint = Annotated[str | None, typer.Option(help="The shop's address (ICOMMERCE_ENDPOINT); its key: ICOMMERCE_KEY.")]
Shop = Annotated[str | None, typer.Option("--tenant", help="Slug of a shop in the database beside us, without a key.")]
Which = Annotated[str, typer.Argument(help="The run's id.")]
OVER: Final = frozenset({"done", "failed", "canceled"})
_LOOK_SECONDS: Final = 0.5


def run(
    connector: Annotated[str, typer.Option("--connector", help="The workflow, such as shopifyToNetsuite.")],
    payload: Annotated[str, typer.Option("--payload", help="A JSON or JSON Lines file; - is standard input.")],
    endpoint: Endpoint = None,
    tenant: Shop = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follow it to its end; 1 where it does not end well.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be sent.")] = False,
    json: Json = False,
) -> None:
    """Begin a run of a workflow for each payload; the same business key twice is one run. Prints their ids."""
    from app import logs
    from app.commands.outcome import FAILED
    from app.commands.pipeline_desk import desk

    logs.configure()
    payloads = list(_payloads(payload))
    with desk(endpoint, tenant) as at:
        if dry_run:
            tried = [_try_out(at, connector, one, json=json) for one in payloads]
            went_well = all(tried)
        else:
            ids = [_begin(at, connector, one, json=json) for one in payloads]
            went_well = not wait or _follow(at, ids, json=json)
    if not went_well:
        raise typer.Exit(FAILED)


@app.command("list")
def list_all(
    tenant: Shop = None,
    endpoint: Endpoint = None,
    workflow: Annotated[str | None, typer.Option(help="Only this workflow's.")] = None,
    status: Annotated[str | None, typer.Option(help="queued, running, waiting, done, failed or canceled.")] = None,
    retrying: Annotated[bool, typer.Option("--retrying", help="Only those that wait for their next attempt.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    json: Json = False,
) -> None:
    """Runs, the newest first."""
    from app.commands.outcome import show, show_json
    from app.commands.pipeline_desk import desk

    with desk(endpoint, tenant) as at:
        page = at.listed(workflow=workflow, status=status, retrying=retrying or None, limit=limit)
    if json:
        show_json(page["items"])
        return
    for row in page["items"]:
        show(f"{row['id']}  {row['status']:<9} {row['step']:<24} {row['error'] or ''}".rstrip())


@app.command("show")
def show_one(run_id: Which, tenant: Shop = None, endpoint: Endpoint = None, json: Json = False) -> None:
    """One run: its steps, and what it asked of systems."""
    from app.commands.outcome import show, show_json
    from app.commands.pipeline_desk import desk

    with desk(endpoint, tenant) as at:
        found = at.show(run_id)
    if json:
        show_json(found)
        return
    row = found.get("run", found)
    show(f"{row['id']}  {row['status']}  {row.get('error') or ''}".rstrip())
    for step in found["steps"]:
        show(f"  {step['place']:>3} {step['name']:<32} {step['status']:<8} {step['attempts']:>2}x {step['error_code']}")


@app.command("retry")
def retry(run_id: Which, tenant: Shop = None, endpoint: Endpoint = None, json: Json = False) -> None:
    """Begin one anew that failed or was canceled."""
    from app.commands.pipeline_desk import desk

    with desk(endpoint, tenant) as at:
        _tell(at.retry(run_id), json=json)


@app.command("cancel")
def cancel(
    run_id: Which,
    reason: Annotated[str, typer.Option(help="Why.")],
    tenant: Shop = None,
    endpoint: Endpoint = None,
    json: Json = False,
) -> None:
    """Stop one before its next step. What it did stays done."""
    from app.commands.pipeline_desk import desk

    with desk(endpoint, tenant) as at:
        _tell(at.cancel(run_id, reason), json=json)


def replay(
    tenant: Annotated[str, typer.Option("--tenant", help="Slug of the shop.")],
    version: Annotated[str, typer.Option("--version", help="The version that is tried.")],
    workflow: Annotated[list[str] | None, typer.Option("--workflow", help="Only these; all that have it.")] = None,
    since: Annotated[str, typer.Option(help="Runs of so long ago and later: 24h, 90m, 7d.")] = "24h",
    shadow: Annotated[bool, typer.Option("--shadow", help="Nothing that writes is sent.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many of each.")] = 10_000,
    json: Json = False,
) -> None:
    """Play recent runs once more under another version, in the shadow, and tell how what it would send differs from
    what the live one sent. 1 where anything does, and where there was no run to play: nothing is known then.
    """
    from app import logs
    from app.commands.opened import runtime
    from app.commands.outcome import FAILED, say, show_json
    from app.commands.tenants import shop_id
    from engine.kit import clock
    from engine.settings import Settings
    from engine.workflows import shadow as shadows

    if not shadow:
        raise typer.BadParameter("live runs are begun anew by `icommerce runs retry`; a replay is --shadow")
    logs.configure()
    begun = clock.now() - _period(since)
    compared = []
    with runtime(Settings.from_env()) as opened:
        tenant_id = shop_id(opened, tenant)
        for name in workflow or _with_version(version):
            for one in shadows.replay(opened, tenant_id, name, version, since=begun, most=limit):
                compared.append(one)
                if not json and not one.same:
                    _show_difference(one)
    differ = [one for one in compared if not one.same]
    if json:
        show_json([one.model_dump(mode="json") for one in compared])
    say(f"{len(compared)} runs played, {len(differ)} differ.")
    if differ or not compared:
        raise typer.Exit(FAILED)


def _with_version(version: str) -> list[str]:
    """Workflows that have this version."""
    from engine.workflows import registry

    found = [name for name in registry.names() if registry.has(name, version)]
    if not found:
        raise typer.BadParameter(f"no workflow has a version {version}", param_hint="--version")
    return found


def _show_difference(one: Any) -> None:
    from app.commands.outcome import show

    show(f"{one.run_id}: {one.was}, would be {one.status}")
    for mark, requests in (("-", one.missing), ("+", one.extra)):
        for request in requests:
            show(f"  {mark} {request.method} {request.path} {request.request[:200]}")


def _period(said: str) -> Any:
    from datetime import timedelta

    units = {"m": "minutes", "h": "hours", "d": "days"}
    if said[-1:] not in units or not said[:-1].isdigit():
        raise typer.BadParameter("it is a number and m, h or d, such as 24h", param_hint="--since")
    return timedelta(**{units[said[-1]]: int(said[:-1])})


def _payloads(name: str) -> Iterator[dict[str, Any]]:
    """One JSON object, or one in each line."""
    import json
    import sys
    from pathlib import Path

    text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    try:
        whole = json.loads(text)
    except ValueError:
        whole = [_line(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    for one in whole if isinstance(whole, list) else [whole]:
        if not isinstance(one, dict):
            raise typer.BadParameter("a payload is a JSON object", param_hint="--payload")
        yield one


def _line(number: int, line: str) -> Any:
    import json

    try:
        return json.loads(line)
    except ValueError as error:
        raise typer.BadParameter(f"line {number} is no JSON: {error}", param_hint="--payload") from None


def _begin(at: Desk, workflow: str, payload: dict[str, Any], *, json: bool) -> str:
    from app.commands.outcome import show, show_json

    begun = at.begin(workflow, payload)
    if json:
        show_json(begun)
    else:
        show(f"{begun['workflow_id']}{'' if begun['is_new'] else '  (there already)'}")
    return str(begun["workflow_id"])


def _try_out(at: Desk, workflow: str, payload: dict[str, Any], *, json: bool) -> bool:
    from app.commands.outcome import show, show_json

    tried = at.dry_run(workflow, payload)
    if json:
        show_json(tried)
    else:
        show(f"{tried['run_id']}: {tried['status']} {tried['error']}".rstrip())
        for one in tried["requests"]:
            show(f"  {one['method']} {one['path']} {one['request']}")
    return bool(tried["status"] == "done")


def _follow(at: Desk, ids: list[str], *, json: bool) -> bool:
    """Until all are over; a line for people whenever something moves. Whether all went well."""
    from app.commands.outcome import say

    left, ended, told = list(dict.fromkeys(ids)), {}, ""
    while left:
        for run_id in list(left):
            found = at.show(run_id)
            row = found.get("run", found)
            if row["status"] in OVER:
                ended[run_id] = row["status"]
                left.remove(run_id)
            elif len(ids) == 1 and (line := f"{row['status']} {row['step']}".strip()) != told:
                told = line
                say(line)
        if len(ids) > 1 and (line := f"{len(ended)} of {len(ended) + len(left)} over") != told:
            told = line
            say(line)
        if left:
            time.sleep(_LOOK_SECONDS)
    if not json:
        for run_id, status in ended.items():
            say(f"{run_id}  {status}")
    return all(status == "done" for status in ended.values())


def _tell(row: dict[str, Any], *, json: bool) -> None:
    from app.commands.outcome import show, show_json

    if json:
        show_json(row)
    else:
        show(f"{row['id']}  {row['status']}")
