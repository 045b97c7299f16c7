"""Nearness of meaning, by the sentence embedder the shop ships. Without it the rules stand alone."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from icommerce_agents.offline import lexicon

if TYPE_CHECKING:
    from engine.catalog.embedder import MiniLM

_log = logging.getLogger(__name__)
ENOUGH = 0.52
"""Cosine from which an example counts as the same request."""


@cache
def _embedder() -> MiniLM | None:
    """The catalog's embedder, or ``None`` when it is not installed."""
    try:
        from engine.catalog.embedder import MiniLM

        model = MiniLM()
        model.embed(["warm"])
    except (ImportError, OSError) as error:
        _log.warning("offline model: no embedder (%s); rules only", error)
        return None
    return model


def embed(texts: list[str]) -> np.ndarray[Any, np.dtype[np.float32]] | None:
    """One normalized row per text, or ``None`` without an embedder."""
    model = _embedder()
    return None if model is None else np.asarray(model.embed(texts), dtype=np.float32)


@lru_cache(maxsize=2048)
def vector(text: str) -> np.ndarray[Any, np.dtype[np.float32]] | None:
    """The normalized row of one text: embedded once, however often it is asked for."""
    rows = embed([text])
    return None if rows is None else rows[0]


def vectors(texts: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float32]] | None:
    """One row per text, each from the cache where it is there."""
    rows = [vector(text) for text in texts]
    return None if any(row is None for row in rows) or not rows else np.stack([row for row in rows if row is not None])


def likeness(these: Sequence[str], those: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """How near each of ``these`` is to each of ``those``; without an embedder, by the words they share."""
    mine, others = vectors(these), vectors(those)
    if mine is None or others is None:
        shared = [[_shared(one, other) for other in those] for one in these]
        return np.asarray(shared, dtype=np.float64).reshape(len(these), len(those))
    return np.asarray(mine @ others.T, dtype=np.float64)


def _shared(one: str, other: str) -> float:
    mine, theirs = (set(re.findall(r"[a-z0-9]{3,}", text.lower())) for text in (one, other))
    return len(mine & theirs) / max(1, min(len(mine), len(theirs)))


@cache
def _examples() -> tuple[list[str], np.ndarray[Any, np.dtype[np.float32]]] | None:
    labels, sentences = [], []
    for intent, spoken in lexicon.load("examples").items():
        labels += [intent] * len(spoken)
        sentences += spoken
    matrix = embed(sentences)
    return None if matrix is None else (labels, matrix)


def nearest_intent(text: str) -> tuple[str, float] | None:
    """The intent whose examples are nearest (mean of its best two) and how near, or ``None``."""
    examples = _examples()
    if examples is None:
        return None
    row = vector(text)
    if row is None:
        return None
    labels, matrix = examples
    near = matrix @ row
    best: dict[str, list[float]] = {}
    for index in np.argsort(-near)[:12]:
        best.setdefault(labels[index], []).append(float(near[index]))
    scores = {
        label: sum(found[:2]) / len(found[:2]) - (0.02 if len(found) == 1 else 0.0) for label, found in best.items()
    }
    label = max(scores, key=lambda name: scores[name])
    return (label, scores[label]) if scores[label] >= ENOUGH else None


@cache
def _whole_words() -> frozenset[str]:
    """Words the embedder's tokenizer knows whole: a dictionary that comes for free."""
    file = resources.files("engine.catalog").joinpath("minilm", "tokenizer.json")
    if not file.is_file():
        return frozenset()
    vocabulary = json.loads(file.read_text(encoding="utf-8"))["model"]["vocab"]
    return frozenset(word for word in vocabulary if word.isalpha())


def is_word(word: str) -> bool:
    """Whether ``word`` is an English word (``True`` when there is no dictionary to ask)."""
    known = _whole_words()
    return not known or word in known


def warm_up() -> None:
    """Load the embedder and embed the examples, so that the first answer is not slow."""
    _examples()
    _whole_words()
