"""Ids, cursors, envelopes, state machines: the small things everything stands on."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag

from engine.checkout.states import CONSENT, SESSION
from engine.kit import clock, idempotency
from engine.kit.envelope import seal, unseal
from engine.kit.errors import InvalidInput
from engine.kit.idempotency import fingerprint
from engine.kit.ids import PREFIXES, ids_in, is_id, new_id
from engine.kit.pagination import cursor_moment, cursor_number, decode_cursor, encode_cursor
from engine.kit.state_machine import IllegalTransition, StateMachine
from engine.orders.states import ORDER
from engine.payments.states import PAYMENT

KEY = b"k" * 32


@pytest.mark.parametrize("kind", PREFIXES)
def test_an_id_says_what_it_names_and_sorts_by_time(kind: str) -> None:
    made = [new_id(kind) for _ in range(50)]
    assert len(set(made)) == 50
    assert all(is_id(one, kind) for one in made)
    assert [one[:12] for one in made] == sorted(one[:12] for one in made)


def test_ids_are_found_in_text() -> None:
    one, two = new_id("variant"), new_id("payment_method")
    assert ids_in(f'{{"a": "{one}", "b": "x{two}"}} {two}.') == {one, two}
    assert ids_in("var_short ord_") == set()


def test_a_cursor_comes_back_and_garbage_is_refused() -> None:
    assert decode_cursor(encode_cursor(["a", 1]), size=2) == ["a", 1]
    strange = [["a", 2**63], ["a\0", 1], ["\ud800", 1], [1.5, 1], [None, 1]]
    for bad in ("", "%%%", "bnVsbA", encode_cursor(["a"]), "ÿ", *map(encode_cursor, strange)):
        with pytest.raises(InvalidInput):
            decode_cursor(bad, size=2)


def test_parts_of_a_cursor_are_what_they_should_be() -> None:
    moment = clock.now()
    assert (cursor_moment(moment.isoformat()), cursor_number(7)) == (moment, 7)
    for bad in (7, "x", "2026-11-01T00:00:00"):
        with pytest.raises(InvalidInput):
            cursor_moment(bad)
    with pytest.raises(InvalidInput):
        cursor_number("7")


def test_a_secret_opens_only_where_it_belongs() -> None:
    sealed = seal(KEY, "tnt_a", "consent|1", "vt_secret")
    assert b"vt_secret" not in sealed
    assert unseal(KEY, "tnt_a", "consent|1", sealed) == "vt_secret"
    for tenant, context in (("tnt_b", "consent|1"), ("tnt_a", "consent|2")):
        with pytest.raises(InvalidTag):
            unseal(KEY, tenant, context, sealed)


def test_a_body_is_compared_by_its_meaning() -> None:
    assert fingerprint({"a": 1, "b": [1, 2]}) == fingerprint({"b": [1.0, 2], "a": 1.0})
    assert fingerprint({"a": [1, 2]}) != fingerprint({"a": [2, 1]})
    assert fingerprint({"a": None}) != fingerprint({})


@pytest.mark.parametrize(
    "value",
    [
        {"b": 1, "a": [True, None, "é\n\x7f\u2028"], "": {}},
        {"a": 1.0, "b": 1.5, "c": 1e30, "d": -1e-7},
        {"nothing": float("inf")},
        {"text": "1.5 and null"},
        {"large": 2**70},
        [1, "😀", {"😀": 1, "\uffff": 2}],
        {1: "a"},
    ],
)
def test_the_short_spelling_is_the_long_one(value: object) -> None:
    def told(spell: Callable[[Any], bytes]) -> bytes | type[Exception]:
        try:
            return spell(value)
        except ValueError as error:
            return type(error)

    assert told(idempotency.canonical_json) == told(idempotency._spelled)


def test_what_is_no_number_has_no_spelling() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        idempotency.canonical_json({"a": float("nan")})


@pytest.mark.parametrize("machine", [SESSION, CONSENT, ORDER, PAYMENT], ids=lambda m: m.name)
def test_every_pair_of_states_is_decided(machine: StateMachine) -> None:  # type: ignore[type-arg]
    states = list(machine.table)
    assert set(states) == set(type(states[0]))
    for old, new in itertools.product(states, states):
        if new in machine.table[old]:
            assert machine.check(old, new) == new
        else:
            with pytest.raises(IllegalTransition):
                machine.check(old, new)
    assert "-->" in machine.diagram()
