"""What tools may reach in the engine, each function by its name. None of them moves goods or money."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.source import parsed
from tools.spec import Access, Risk, load

ROOT: Final = Path(__file__).parents[2]
FILES: Final = sorted((ROOT / "tools").glob("[a-z]*.py"))
MAY: Final[dict[str, frozenset[str]]] = {
    name: frozenset(functions.split())
    for name, functions in {
        "engine.approvals.asking": "ask",
        "engine.carts.again": "put_in",
        "engine.carts.discounts": "count_try",
        "engine.carts.offers": "in_force",
        "engine.carts.service": "add currency_of empty set_currency set_discount_code set_quantity swap view",
        "engine.catalog.alike": "instead_of liked",
        "engine.catalog.service": "categories compare index matching_categories product products shop_info",
        "engine.checkout.confirmation": "request",
        "engine.checkout.new_address": "ask",
        "engine.checkout.outlook": "outlook place_of",
        "engine.checkout.service": "cancel current drop_tenders payment_methods start update use_store_credit",
        "engine.checkout.taxing": "with_tax",
        "engine.conversations.asking": "view",
        "engine.conversations.complaining": "complain",
        "engine.conversations.followed": "order_card",
        "engine.conversations.handoff": "request",
        "engine.customers.book": "addresses own_address own_profile",
        "engine.customers.codes": "ask limit_asking",
        "engine.conversations.requests": "keep unfinished",
        "engine.customers.known": "accounts profile",
        "engine.fulfillment.release": "explain",
        "engine.inventory.backorders": "promised_on",
        "engine.inventory.listing": "counts inbounds locations movements stock",
        "engine.inventory.queries": "by_location",
        "engine.kit.limits": "hit",
        "engine.kit.money": "exponent format_minor",
        "engine.kit.pagination": "decode_cursor encode_cursor",
        "engine.operations.asking": "propose",
        "engine.operations.pipeline.explain": "explained find",
        "engine.operations.pipeline.overview": "overview",
        "engine.operations.pipeline.runs": "shown",
        "engine.operations.pipeline.stock": "drift",
        "engine.operations.stuck": "stuck",
        "engine.sync.exceptions": "causes listed",
        "engine.workflows.starting": "listed",
        "engine.operations.work": "background_work",
        "engine.orders.changes.allowed": "allowed",
        "engine.orders.changes.propose": "propose",
        "engine.orders.changes.wanted": "read",
        "engine.orders.given_back": "of_order",
        "engine.orders.lookups": "limit",
        "engine.orders.queries": "find_own masked_status own_numbers own_order own_orders own_with_parts view_of",
        "engine.orders.together": "bought_with sold_lately",
        "engine.payments.queries": "alerts",
        "engine.returns.giving_up": "ask",
        "engine.returns.parcel": "handed_in",
        "engine.returns.queries": "find many one returnable",
        "engine.warranties.choosing": "show",
        "engine.warranties.claiming": "answer submit",
        "engine.warranties.queries": "claims find_claim find_warranty one_claim warranties",
    }.items()
}
"""Every function of the engine that a tool may call. One that reads may be added without a thought; one that writes
only when it touches nothing but a cart or checkout, or asks a human who has to act on it.
"""


def engine_names(file: Path) -> Iterator[tuple[str, str]]:
    """(module, name) of every function of the engine that a file can call."""
    tree = parsed(file)
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert not [one.name for one in node.names if one.name.startswith("engine")], "import names, not packages"
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("engine"):
            continue
        for one in node.names:
            path = ROOT / node.module.replace(".", "/")
            if (path / f"{one.name}.py").exists() or (path / one.name).is_dir():
                modules[one.asname or one.name] = f"{node.module}.{one.name}"
            elif not one.name[0].isupper():
                yield node.module, one.name
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)):
            continue
        if node.value.id in modules and not node.attr[0].isupper():
            yield modules[node.value.id], node.attr


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_tool_calls_only_what_it_may(file: Path) -> None:
    assert [found for found in engine_names(file) if found[1] not in MAY.get(found[0], ())] == []


def test_what_moves_is_not_among_it() -> None:
    moves = {"apply", "approve", "capture", "carry_out", "choose", "claim", "complete", "confirm", "decide", "execute"}
    moves |= {"issue", "receive", "refund", "release", "reserve", "settle", "ship", "void"}
    assert not [(module, name) for module, names in MAY.items() for name in names & moves]


@pytest.mark.parametrize("name", sorted(load()))
def test_no_tool_moves_goods_or_money(name: str) -> None:
    spec = load()[name]
    assert spec.risk is not Risk.MONEY
    assert (spec.access is Access.READ) == (spec.risk is Risk.READ), "a write touches a cart, or asks"


def test_the_sweep_sees_through_other_names(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text(
        "from engine.payments import refunds as money\nfrom engine.orders.changes.apply import confirm as ask\n"
        "def f(): money.execute(1)\n"
    )
    assert sorted(engine_names(planted)) == [
        ("engine.orders.changes.apply", "confirm"),
        ("engine.payments.refunds", "execute"),
    ]
