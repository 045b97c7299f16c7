"""A recorded conversation as turns, and what the scripted model makes of them."""

from __future__ import annotations

from typing import Any

import pytest

from evals.cassette import CassetteMismatch
from evals.tau2.cases import Call, Recorded, read_conversations
from evals.tau2.recital import OurCall, Recital, Turn, turns
from evals.tau2.run import HERE
from evals.tau2.shapes import WRITES

READ = Call("get_order_details", {"order_id": "#W1"}, "{}", None)
CANCEL = Call("cancel_pending_order", {"order_id": "#W1", "reason": "no longer needed"}, "{}", None)
SUM = Call("calculate", {"expression": "1 + 1"}, "2.0", None)
TOOLS = ["get_order", "quote_cancel"]


def recorded(*messages: dict[str, Any]) -> Recorded:
    return Recorded("made", "1", messages, (READ, CANCEL), (0, 2))


def translate(call: Call) -> list[OurCall]:
    read = OurCall("get_order", {"order": "#W1"})
    return {READ.name: [read], CANCEL.name: [read, OurCall("quote_cancel", {"order": "#W1"})]}.get(call.name, [])


def test_turns_are_the_customers_words_and_what_was_called_after_them() -> None:
    made = recorded(
        {"role": "assistant", "content": "Hi!"},
        {"role": "user", "content": "Cancel it."},
        {"role": "assistant", "content": None, "tool_calls": [{"call": 0}, {"call": 1}]},
        {"role": "tool", "error": False},
        {"role": "assistant", "content": "Sure?"},
        {"role": "user", "content": "Yes."},
        {"role": "assistant", "content": "One moment", "tool_calls": [{"call": 2}]},
        {"role": "assistant", "content": "Done."},
        {"role": "user", "content": "###STOP###"},
    )
    found = [(turn.said, list(turn.calls), turn.words) for turn in turns(made)]
    assert found == [("Cancel it.", [READ], "Sure?"), ("Yes.", [CANCEL], "Done.")]


def test_every_recorded_call_after_the_first_words_is_in_a_turn() -> None:
    for talk in read_conversations([HERE / "conversations"]):
        assert [call for turn in turns(talk) for call in turn.calls] == list(talk.calls)


def test_it_reads_first_asks_for_a_press_and_goes_on_when_spoken_to() -> None:
    turn = Turn("Cancel it.")
    turn.calls.extend([SUM, CANCEL, READ])
    turn.words = "Done."
    recital = Recital(translate)
    recital.begin(turn)
    assert recital.answer([], [], routing=True).route is not None
    assert [call.tool for call in recital.answer([], TOOLS, routing=False).calls] == ["get_order", "quote_cancel"]
    assert recital.under_way == CANCEL
    waiting = recital.answer([], TOOLS, routing=False)
    assert (waiting.calls, waiting.say) == ([], "One moment, please.")
    recital.begin(turn)
    assert [call.tool for call in recital.answer([], TOOLS, routing=False).calls] == ["get_order"]
    assert recital.answer([], TOOLS, routing=False).say == "Done."
    assert not turn.calls


def test_a_tool_that_the_agent_does_not_have_is_a_mismatch() -> None:
    turn = Turn("Cancel it.")
    turn.calls.append(CANCEL)
    recital = Recital(translate)
    recital.begin(turn)
    with pytest.raises(CassetteMismatch, match="quote_cancel"):
        recital.answer([], ["get_order"], routing=False)
    assert CANCEL.name in WRITES
