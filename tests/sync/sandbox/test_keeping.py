"""A world goes on in another process where it was left."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from engine.sync.sandbox import World, WorldTransport, keeping
from engine.sync.sandbox.emitting import place_order
from engine.sync.sandbox.presets import basket, read_goods
from engine.sync.sandbox.snapshot import snapshot

AT = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
SEED = 11


def made(at: datetime = AT, seed: int = SEED) -> World:
    return World.preset("summit", seed=seed, at=at)


def send(world: World, number: str) -> None:
    """An order for the warehouse."""
    who = world.merchants[0]
    line = {"item_number": next(iter(who.house.items)), "quantity": 2}
    address = {"address1": "x", "city": "Denver", "postal_code": "80211", "country_code": "US"}
    account = {"account_number": who.house.account_number, "shipping_address": address, "lines": [line]}
    with httpx.Client(transport=WorldTransport(world), base_url="https://sandbox.example.com") as client:
        auth = (who.credentials.dcl_username, who.credentials.dcl_password)
        answer = client.post("/dcl/api/v1/batches", json={"orders": [{"order_number": number, **account}]}, auth=auth)
    assert answer.json()["error_code"] == 0


def seen(world: World) -> dict[str, Any]:
    found = snapshot(world)
    return {key: value for key, value in found.items() if key != "waiting"}


def test_it_goes_on_as_it_was_left_and_gives_no_number_twice() -> None:
    first = made()
    place_order(first, first.merchants[0], basket(first.merchants[0], read_goods(), 0))
    send(first, "A-1")
    first.slack.channels["T00000001"].messages.append((AT, {"text": "Hello."}))
    kept = keeping.keep(first)

    second = made()
    keeping.take_up(second, kept)
    assert seen(second) == seen(first)
    assert second.merchants[0].credentials == first.merchants[0].credentials
    assert (second.ground.number(), second.ground.rng.random()) == (first.ground.number(), first.ground.rng.random())

    send(second, "A-2")
    with pytest.raises(AssertionError):
        send(second, "A-1")


def test_what_the_warehouse_was_about_to_do_is_done() -> None:
    first = made()
    send(first, "A-1")
    first.advance(timedelta(minutes=31))
    assert first.merchants[0].house.orders["A-1"].stage == "In Process"
    kept = keeping.keep(first)

    soon = made(AT + timedelta(minutes=32))
    keeping.take_up(soon, kept)
    soon.settle()
    assert soon.merchants[0].house.orders["A-1"].stage == "In Process"
    soon.advance(timedelta(minutes=89))
    assert soon.merchants[0].house.orders["A-1"].stage == "Shipped"

    late = made(AT + timedelta(days=3))
    keeping.take_up(late, kept)
    late.settle()
    order = late.merchants[0].house.orders["A-1"]
    assert (order.stage, len(order.shipments)) == ("Shipped", 1)
    again = made(AT + timedelta(days=4))
    keeping.take_up(again, keeping.keep(late))
    again.settle()
    assert len(again.merchants[0].house.orders["A-1"].shipments) == 1


@pytest.mark.parametrize("what", ["junk", "form", "seed", "merchants"])
def test_what_is_not_of_this_world_changes_nothing(what: str) -> None:
    kept = keeping.keep(made())
    if what == "junk":
        kept = kept[:-20]
    elif what == "form":
        kept = pickle.dumps(pickle.loads(kept) | {"form": 0})  # noqa: S301 (our own)
    elif what == "merchants":
        kept = keeping.keep(World.preset("summit", seed=SEED, at=AT, merchants=2))
    world = made(seed=SEED + (what == "seed"))
    before = seen(world)
    with pytest.raises(keeping.NotOurs):
        keeping.take_up(world, kept)
    assert seen(world) == before
