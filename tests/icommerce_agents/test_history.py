from __future__ import annotations

from icommerce_agents import history
from icommerce_agents.history import Item


def _turn(number: int, calls: int) -> list[Item]:
    items = [history.user(f"question {number}")]
    for place in range(calls):
        items += history.call(f"call_{number}_{place}", "search_products", "{}", '{"ok":true}')
    return [*items, history.assistant(f"answer {number}")]


def _whole(items: list[Item]) -> bool:
    begun = [item["call_id"] for item in items if item.get("type") == "function_call"]
    ended = [item["call_id"] for item in items if item.get("type") == "function_call_output"]
    return begun == ended


def test_short_history_stays_as_it_is() -> None:
    items = _turn(1, 3)
    assert history.trimmed(items) == items


def test_long_history_begins_with_a_question_and_keeps_calls_whole() -> None:
    items = [item for number in range(20) for item in _turn(number, 3)]
    kept = history.trimmed(items)
    assert len(kept) == 40
    assert kept[0] == history.user("question 15")
    assert _whole(kept)


def test_one_endless_turn_is_kept_whole() -> None:
    items = [*_turn(1, 1), *_turn(2, 30)]
    kept = history.trimmed(items)
    assert kept == items[4:]


def test_without_any_question_no_result_is_left_alone() -> None:
    items = [item for place in range(30) for item in history.call(f"c{place}", "view_cart", "{}", "{}")]
    assert _whole(history.trimmed(items, keep=41))


def test_only_words_calls_and_results_are_kept_of_the_sdks_items() -> None:
    sdk = [
        {"type": "reasoning", "id": "__fake_id__", "summary": []},
        {"type": "function_call", "id": "__fake_id__", "call_id": "c1", "name": "view_cart", "arguments": "{}",
         "status": None},
        {"type": "function_call_output", "call_id": "c1", "output": "{}"},
        {"type": "message", "role": "assistant", "id": "x", "status": "completed",
         "content": [{"type": "output_text", "text": "Done.", "annotations": []}]},
        {"type": "message", "role": "assistant", "id": "y", "status": "completed", "content": []},
    ]  # fmt: skip
    assert history.plain(sdk) == [*history.call("c1", "view_cart", "{}", "{}"), history.assistant("Done.")]


def test_words_leave_calls_out() -> None:
    assert history.words(_turn(1, 2), 8) == [
        {"role": "user", "content": "question 1"},
        {"role": "assistant", "content": "answer 1"},
    ]
