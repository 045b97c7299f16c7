"""The pages say what the code does, and the receiver on them works."""

from __future__ import annotations

import json
import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from engine.agentic.order_fulfillments import EVENT, STATUS
from engine.agentic.signing import sign
from engine.agentic.states import WEBHOOK
from engine.agentic.webhook_models import WebhookStatus
from engine.checks.agentic import RULES
from engine.kit import clock
from engine.kit.state_machine import IllegalTransition
from tests.engine.agentic.platform_orders import buy_as, hears, platform
from tests.engine.agentic.test_webhooks import go
from tests.receiver import receiving
from tests.shop import Shop

PAGE = (Path(__file__).parents[3] / "docs/protocols/acp-orders-and-webhooks.md").read_text()
(CODE,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
BODY = json.dumps({"type": "order_update", "data": {"id": "ord_1"}}).encode()


def test_the_page_shows_the_table() -> None:
    assert WEBHOOK.diagram() in PAGE


@pytest.mark.parametrize("word", sorted({*STATUS.values(), *EVENT.values()}))
def test_the_page_names_every_state_of_a_parcel(word: str) -> None:
    assert f"`{word}`" in PAGE


@pytest.mark.parametrize("rule", [rule.name for rule in RULES])
def test_the_page_names_every_rule(rule: str) -> None:
    assert f"- {rule}\n" in PAGE


@pytest.mark.parametrize(("old", "new"), list(product(WebhookStatus, WebhookStatus)))
def test_events_move_as_the_table_says(old: WebhookStatus, new: WebhookStatus) -> None:
    if WEBHOOK.allows(old, new):
        assert WEBHOOK.check(old, new) == new
    else:
        with pytest.raises(IllegalTransition):
            WEBHOOK.check(old, new)


@pytest.fixture
def sample() -> dict[str, Any]:
    """The receiver of the page, with two secrets."""
    names: dict[str, Any] = {}
    exec(compile(CODE, "the page", "exec"), names)  # noqa: S102 (our own page)
    names["SECRETS"][:] = ["old", "new"]
    return names


def heard(
    sample: dict[str, Any], header: str, *, body: bytes = BODY, request_id: str = "whe_1"
) -> tuple[int, list[str]]:
    kept: list[str] = []
    headers = {"merchant-signature": header, "request-id": request_id}
    status, _ = sample["receive"](body, headers, lambda order: kept.append(order["id"]))
    return status, kept


@pytest.mark.parametrize("secret", ["old", "new"])
def test_the_receiver_takes_what_is_signed_by_either_secret_once(sample: dict[str, Any], secret: str) -> None:
    header = sign(secret, BODY, at=int(clock.now().timestamp()))

    assert heard(sample, header) == (200, ["ord_1"])
    assert heard(sample, header) == (200, [])


def test_the_receiver_refuses_everything_else(sample: dict[str, Any]) -> None:
    now = int(clock.now().timestamp())
    good = sign("new", BODY, at=now)

    for header, body in (
        (sign("other", BODY, at=now), BODY),
        (good, BODY + b" "),
        (sign("new", BODY, at=now - 301), BODY),
        (sign("new", BODY, at=now + 301), BODY),
        (good.replace("v1=", "v0="), BODY),
        (f"{good},v1={'0' * 64}", BODY),
        ("", BODY),
    ):
        assert heard(sample, header, body=body) == (401, []), header


def test_the_receiver_takes_what_is_really_sent(shop: Shop, sample: dict[str, Any]) -> None:
    shop.add("A")
    with receiving() as there:
        buyer = platform(shop)
        sample["SECRETS"][:] = [hears(shop, buyer, there.url)]
        desk = buy_as(shop, buyer, "A")
        go(shop)
        (one,) = there.heard
    kept: list[str] = []
    status, answer = sample["receive"](one.body, one.headers, lambda order: kept.append(order["id"]))

    assert (status, kept) == (200, [desk.order_id])
    assert answer == {"received": True, "request_id": one.headers["request-id"]}
