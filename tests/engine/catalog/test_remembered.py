from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.catalog.embedder import CallableEmbedder, Vector
from engine.catalog.remembered import Remembered, write_down


class Asked(CallableEmbedder):
    """Says how long a text is, and remembers that it was asked."""

    def __init__(self, name: str = "m") -> None:
        self.texts: list[str] = []
        super().__init__(name, self._answer)

    def _answer(self, texts: list[str]) -> Sequence[Vector]:
        self.texts += texts
        return [[1.0, float(len(text))] for text in texts]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "vectors.npz"
    assert write_down(made, Asked(), ["tent", "stove", "tent"]) == 2
    return made


def same(found: list[Vector], expected: list[Vector]) -> bool:
    return [list(vector) for vector in found] == [pytest.approx(list(vector), abs=1e-6) for vector in expected]


def test_only_what_is_not_written_down_is_asked_for(file: Path) -> None:
    texts = ["a new text", "stove", "tent", "another", "stove"]
    model = Asked()
    assert same(Remembered(model, file).embed(texts), Asked().embed(texts))
    assert model.texts == ["a new text", "another"]


def test_a_changed_text_is_asked_for(file: Path) -> None:
    model = Asked()
    assert same(Remembered(model, file).embed(["tent!"]), Asked().embed(["tent!"]))
    assert model.texts == ["tent!"]


def test_vectors_of_another_model_are_not_taken(file: Path) -> None:
    model = Asked("another")
    assert Remembered(model, file).name == "another"
    assert same(Remembered(model, file).embed(["tent"]), Asked().embed(["tent"]))
    assert model.texts == ["tent"]


def test_nothing_asked_is_nothing_answered(file: Path) -> None:
    assert Remembered(Asked(), file).embed([]) == []
