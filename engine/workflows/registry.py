"""Every workflow there is, imported when it is asked for. A new one is one file and one line here."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from engine.kit.errors import NotFound
from engine.kit.ids import echo
from engine.workflows.definition import Workflow

WORKFLOWS: Final[dict[str, str]] = {
    "shopifyToNetsuite": "engine.workflows.shopify_to_netsuite:WORKFLOW",
    "netsuiteToDCL": "engine.workflows.netsuite_to_dcl:WORKFLOW",
    "dclTrackingUpdate": "engine.workflows.dcl_tracking_update:WORKFLOW",
    "partnerAnswer": "engine.workflows.partner_answer:WORKFLOW",
    "warehouseCanceled": "engine.workflows.warehouse_canceled:WORKFLOW",
    "dclPoNotification": "engine.workflows.dcl_po_notification:WORKFLOW",
    "dclPoReceipt": "engine.workflows.dcl_po_receipt:WORKFLOW",
    "netsuiteInvoice": "engine.workflows.netsuite_invoice:WORKFLOW",
    "netsuitePayment": "engine.workflows.netsuite_payment:WORKFLOW",
    "inventorySync": "engine.workflows.inventory_sync:WORKFLOW",
    "inventoryBundlesSync": "engine.workflows.inventory_bundles_sync:WORKFLOW",
    "productsPull": "engine.workflows.products_pull:WORKFLOW",
}
"""Name → ``module:ATTRIBUTE``: the version that is live."""
CANDIDATES: Final[dict[str, str]] = {}
"""``name@version`` → ``module:ATTRIBUTE``: other versions, older ones that runs are still at and newer ones that a
shadow tries."""


class NoSuchWorkflow(NotFound):
    code = "workflow_not_found"


class VersionGone(NotFound):
    """Runs of that version cannot go on: it is neither the live one's kin nor kept."""

    code = "version_gone"


def names() -> tuple[str, ...]:
    return tuple(WORKFLOWS)


def live(name: str) -> Workflow[Any]:
    """Raises ``NoSuchWorkflow``."""
    place = WORKFLOWS.get(name)
    if place is None:
        there = ", ".join(WORKFLOWS) or "none yet"
        raise NoSuchWorkflow(f"There is no workflow {echo(name, 'of that name')}; there are: {there}.")
    return _load(place)


def at(name: str, version: str) -> Workflow[Any]:
    """The version that a run goes on with: exactly that one, or the live one where it is of the same major number.
    Raises ``NoSuchWorkflow``, ``VersionGone``.
    """
    found = live(name)
    if found.version == version:
        return found
    if (place := CANDIDATES.get(f"{name}@{version}")) is not None:
        return _load(place)
    if found.version.partition(".")[0] == version.partition(".")[0]:
        return found
    raise VersionGone(
        f"{name} {echo(version, 'of that version')} is not here any more; the live one is {found.version}."
    )


def exactly(name: str, version: str) -> Workflow[Any]:
    """That version and no kin of it. Raises ``NoSuchWorkflow``, ``VersionGone`` that names those there are."""
    found = at(name, version) if f"{name}@{version}" in CANDIDATES else live(name)
    if found.version != version:
        there = [found.version, *(key.partition("@")[2] for key in CANDIDATES if key.startswith(f"{name}@"))]
        raise VersionGone(f"There is no {name} {echo(version, 'of that version')}; there are: {', '.join(there)}.")
    return found


def has(name: str, version: str) -> bool:
    """Whether a workflow has exactly that version, live or not."""
    return f"{name}@{version}" in CANDIDATES or live(name).version == version


def _load(place: str) -> Workflow[Any]:
    module, _, name = place.partition(":")
    found: Workflow[Any] = getattr(import_module(module), name)
    return found
