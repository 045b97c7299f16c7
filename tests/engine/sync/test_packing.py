"""A long answer about goods is kept whole beside its readable beginning."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy import select

from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync import packing
from engine.sync.client import VendorClient
from engine.sync.masking import MOST_BYTES
from engine.sync.models import Call
from engine.sync.showing import CallView
from tests.engine.sync.scene import connect

SECRET = "s3cret-value"
ROWS: list[Any] = [{"sku": f"TENT-{number}", "memo": f"Zelt · {SECRET}", "token": "x" * 20} for number in range(900)]


@pytest.mark.parametrize("in_full", [False, True])
def test_what_is_about_goods_alone_is_kept_whole_and_shown_cut(runtime: Runtime, tenant: Tenant, in_full: bool) -> None:
    scene = connect(runtime, tenant, name="Main", base_url="https://erp.example.com", secrets={"access_token": SECRET})
    line = httpx.MockTransport(lambda _: httpx.Response(200, json=ROWS))
    client = VendorClient(runtime, tenant.id, scene.connection, transport=line)
    assert client.request("GET", "/stock", in_full=in_full).data == ROWS
    with runtime.unit_of_work(tenant.id) as session:
        (call,) = session.scalars(select(Call))
        shown = CallView.of(call).response
    assert len(call.response.encode()) <= MOST_BYTES
    assert (SECRET in packing.whole(call.response), packing.readable(call.response)) == (False, shown)
    assert (shown[:16], shown[-5:]) == ('[{"sku":"TENT-0"', "… cut")
    hidden = [{"sku": one["sku"], "memo": "Zelt · ••••", "token": "••••"} for one in ROWS]
    assert (in_full, packing.whole(call.response)) == (in_full, orjson.dumps(hidden).decode() if in_full else shown)


def test_what_does_not_fit_though_it_is_packed_is_cut() -> None:
    noise = "".join(f"{number * 7919 % 1_000_003:x}," for number in range(60_000))
    kept = packing.packed(noise)
    assert (len(kept.encode()) <= MOST_BYTES, kept.endswith(" … cut")) == (True, True)
    assert (packing.readable(kept), packing.whole(kept)) == (kept, kept)


def test_what_is_short_stays_as_it_is() -> None:
    assert packing.packed('{"a":1}') == packing.whole('{"a":1}') == '{"a":1}'
