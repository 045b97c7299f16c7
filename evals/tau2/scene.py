"""Where conversations about the benchmark's shop are held: a house that knows its payment system, a tenant for each."""

from __future__ import annotations

from collections.abc import Mapping

from engine.db import Addresses
from engine.kit.ids import new_id
from engine.payments.gateway import Gateway
from engine.payments.gateways.manual import MANUAL, ManualGateway
from engine.runtime import Runtime
from evals.tau2.importing import import_shop
from evals.tau2.shapes import Json


def gateways(addresses: Addresses) -> Mapping[str, Gateway]:
    """The shop's own payment system: what is booked here is done there."""
    return {MANUAL: ManualGateway(addresses.secret_key)}


def bring(runtime: Runtime, db: Json) -> str:
    """The shop as a tenant of its own; its id."""
    return import_shop(runtime, db, slug=f"tau2-{new_id('tenant')[4:]}").tenant_id
