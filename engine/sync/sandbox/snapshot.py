"""The state of a world in plain words, for whoever checks it afterwards."""

from __future__ import annotations

from engine.sync.sandbox.merchants import Merchant
from engine.sync.sandbox.netsuite import sales
from engine.sync.sandbox.netsuite.fields import KINDS
from engine.sync.sandbox.netsuite.ledger import plain
from engine.sync.sandbox.netsuite.state import Record
from engine.sync.sandbox.shopify import pricing
from engine.sync.sandbox.wire import Json
from engine.sync.sandbox.world import World


def snapshot(world: World, *, slug: str = "") -> Json:
    """Each merchant's orders, records, shipments and stock."""
    return {
        "now": world.now().isoformat(),
        "seed": world.seed,
        "waiting": len(world.ground.agenda),
        "merchants": {one.slug: _merchant(world, one) for one in world.merchants if slug in {"", one.slug}},
    }


def _merchant(world: World, one: Merchant) -> Json:
    channel = world.slack.channels.get(one.credentials.slack_path.partition("/")[0])
    return {
        "shopify": _shop(one),
        "netsuite": _account(one),
        "dcl": _house(one),
        "limits": _limits(world, one),
        "slack": [message for _, message in channel.messages] if channel else [],
    }


def _limits(world: World, one: Merchant) -> Json:
    """How often a limit was run into (not counting faults), and how many requests the ERP had at once at most."""
    account = one.account.account
    return {
        "shopify_throttled": one.shop.bucket.refusals,
        "netsuite_refused": world.netsuite.refusals.get(account, 0),
        "netsuite_peak": world.netsuite.peaks.get(account, 0),
        "dcl_refused": one.house.bucket.refusals,
    }


def _shop(one: Merchant) -> Json:
    state = one.shop.state
    return {
        "domain": state.domain,
        "orders": [
            {
                "id": order.id,
                "name": order.name,
                "test": order.test,
                "tags": order.tags,
                "cancelled": order.cancelled_at is not None,
                "financial_status": pricing.financial_status(order),
                "fulfillment_status": pricing.fulfillment_status(order),
                "lines": [
                    {"sku": line.sku, "quantity": line.quantity, "fulfilled": line.fulfilled} for line in order.lines
                ],
                "tracking_numbers": [row["number"] for made in order.fulfillments for row in made.tracking],
            }
            for order in state.orders.values()
        ],
        "stock": {variant.sku: variant.available() for variant in state.variants.values()},
        "subscriptions": [{"topic": sub.topic, "uri": sub.uri} for sub in state.subscriptions.values()],
    }


def _account(one: Merchant) -> Json:
    account = one.account
    kinds = [name for name, kind in KINDS.items() if kind.short]
    return {
        "account": account.account,
        "records": {kind: [_record(record) for record in account.kind(kind).values()] for kind in kinds},
        "customers": len(account.kind("customer")),
        "stock": [
            {"item": item, "location": place, "on_hand": plain(kept.on_hand), "available": plain(kept.available)}
            for (item, place), kept in account.balances.items()
            if kept.on_hand or kept.committed
        ],
    }


def _record(record: Record) -> Json:
    return {
        "id": record.id,
        "external_id": record.external_id,
        "tran_id": record.fields.get("tranId"),
        "status": record.status,
        "created_from": record.parent.id if record.parent else None,
        "total": plain(sales.total(record)) if record.lines else None,
        "remaining": plain(sales.remaining(record)) if record.kind == "invoice" else None,
        "lines": [
            {
                "line": line.number,
                "item": line.item,
                "quantity": plain(line.quantity),
                "done": plain(line.done),
                "billed": plain(line.billed),
            }
            for line in record.lines
        ],
    }


def _house(one: Merchant) -> Json:
    house = one.house
    return {
        "account_number": house.account_number,
        "orders": [
            {
                "order_number": order.number,
                "stage": order.stage,
                "shipments": len(order.shipments),
                "tracking_numbers": [box["tracking_number"] for sent in order.shipments for box in sent["packages"]],
            }
            for order in house.orders.values()
        ],
        "expected": sorted(house.expected),
        "receipts": house.receipts,
        "stock": {item.number: item.on_hand for item in house.items.values()},
    }
