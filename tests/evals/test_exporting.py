"""A conversation becomes a scenario and a cassette: it is said again without its model, and names nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from app.cli import app
from engine.kit import clock
from evals.cassette import Answer, Cassette, CassetteMismatch, Player
from evals.exporting import Exported, export, write
from evals.house import House
from evals.runner import Trial, play
from evals.stand_ins import Mask
from evals.suite import SuiteInvalid, WorldSpec, read_suite
from evals.talking import Heard, Talk
from evals.world import NOW, build
from icommerce_agents import models
from tests.evals.conftest import OnStage

ORDERS = {"jacket": {"of": "ada", "lines": {"JACKET-M-BLU": 1}}}
PERSONAL = (
    "Zelda",
    "Quixote",
    "zelda@secret.test",
    "77 Hidden",
    "Ada Buyer",
    "12 Pine",
    "ord_",
    "prd_",
    "var_",
    "FF-1",
)


def _calls(heard: list[Heard]) -> list[str]:
    return [call.tool for one in heard for call in one.calls]


def _words(heard: list[Heard]) -> list[list[str]]:
    return [one.words for one in heard]


def test_a_conversation_is_exported_and_said_again(on_stage: OnStage[Any], tmp_path: Path) -> None:
    file = tmp_path / "saved.yaml"

    async def go(stage: Any) -> tuple[list[Heard], Trial, Trial]:
        with clock.own(NOW) as hands:
            world = await asyncio.to_thread(build, stage.runtime, WorldSpec.model_validate({"orders": ORDERS}), hands)
            talk = Talk(stage, world.person("ada"))
            await talk.start()
            first = [
                await talk.say("do you have a tent? I am Zelda Quixote, zelda@secret.test, 77 Hidden Lane"),
                await talk.say("add the first one to my cart"),
                await talk.say("cancel my order"),
            ]
            cards = (await talk.snapshot()).interrupts
            first += [await talk.decide(cards[-1].id, approved=False)] if cards else []
            with world.uow() as session:
                found = export(session, world.tenant_id, talk.thread_id, name="tent", shop="outfitter")
        tape = write(found, file)
        (scenario,) = read_suite(file).scenarios
        again = await play(stage, "saved", scenario)
        held = yaml.safe_load(tape.read_text())
        del held["answers"][-1]
        tape.write_text(yaml.safe_dump(held))
        return first, again, await play(stage, "saved", scenario)

    first, again, short = on_stage(go)
    assert _calls(first)[:2] == ["search_products", "add_to_cart"]
    assert (again.broken, again.misses) == (None, [])
    assert _calls(again.heard) == _calls(first)
    assert [len(words) for words in _words(again.heard)] == [len(words) for words in _words(first)]
    assert _words(again.heard)[1] == _words(first)[1]
    assert any("the cassette is over" in miss.found for miss in short.misses)
    assert short.reward == 0
    text = file.read_text() + (tmp_path / "cassettes" / "tent.yaml").read_text()
    assert [said for said in PERSONAL if said.lower() in text.lower()] == []
    assert models.instead.get() is None


def test_no_cassette_of_another_suite_is_written_over(tmp_path: Path) -> None:
    scenario = {"name": "a", "turns": [{"say": "hello"}], "cassette": "cassettes/a.yaml"}
    tape = write(
        Exported(scenario, Cassette(thread="a", answers=[Answer(part="commerce", say="Hi.")])), tmp_path / "1.yaml"
    )
    held = tape.read_text()
    with pytest.raises(SuiteInvalid, match=r"a\.yaml is there already"):
        write(Exported(scenario, Cassette(thread="a", answers=[])), tmp_path / "2.yaml")
    assert tape.read_text() == held
    assert not (tmp_path / "2.yaml").exists()


def test_a_mask_knows_who_was_named_and_what_looks_personal() -> None:
    mask = Mask()
    mask.learn(
        {"name": "Zelda Quixote", "line_one": "77 Hidden Lane", "city": "Toledo", "product": {"name": "Storm Tent"}}
    )
    said = "I'm Zelda (zelda@x.test, +1 (415) 555-2671), Storm Tent to 77 hidden lane, Toledo; or 9 Oak Street"
    assert mask.text(said) == (
        "I'm Pat (someone@example.com, +1 503 555 0100), Storm Tent to 1 Main St, Portland; or 1 Main St"
    )


def _player(*answers: Answer) -> Player:
    return Player(Cassette(thread="x", answers=list(answers)), lambda value: value)


@pytest.mark.parametrize(
    ("answers", "routing", "why"),
    [
        ([], False, "the cassette is over"),
        ([Answer(part="commerce", say="Hi.")], True, "goes on with an answer of commerce"),
        ([Answer.model_validate({"part": "commerce", "calls": [{"tool": "fly"}]})], False, "calls fly"),
        ([Answer(part="commerce", say="{id:3}")], False, "came in no result"),
    ],
)
def test_what_a_cassette_does_not_have_is_said(answers: list[Answer], routing: bool, why: str) -> None:
    player = _player(*answers)
    with pytest.raises(CassetteMismatch, match=why):
        player.answer([], ["search_products"], routing=routing)
    assert why in player.faults[0]


def test_ids_are_those_of_the_replay() -> None:
    old = {"part": "commerce", "calls": [{"tool": "look", "gave": [1, 2]}]}
    player = _player(Answer.model_validate(old), Answer(part="commerce", say="It is {id:2}."))
    (call,) = player.answer([], ["look"], routing=False).calls
    result = {"role": "tool", "tool_call_id": player.call_id(call), "content": "FF-20001 and FF-20002"}
    assert player.answer([result], ["look"], routing=False).say == "It is FF-20002."
    assert player.left == 0


def test_bad_input_is_wrong_use(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def opened(*_: object, **__: object) -> Iterator[object]:
        yield house.runtime

    monkeypatch.setattr("app.commands.opened.runtime", opened)
    monkeypatch.setattr(house.runtime.store, "tenant_ids", lambda **_: [])
    suite = tmp_path / "s.yaml"

    def run(*more: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["export", "thread", "thr_x", "--suite", str(suite), *more])
        return result.exit_code, result.stderr.strip()

    assert run() == (2, "There is no such conversation in any shop.")
    assert run("--tenant", "nowhere") == (2, "There is no shop 'nowhere'.")
    assert not suite.exists()
