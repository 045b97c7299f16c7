"""The trained part: which intent a clause is, by a linear layer over its embedding (``data/wishes.npz``).

``scripts/train_offline.py`` makes the weights from ``evals/offline/train.yaml`` and ``data/examples.yaml``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from importlib import resources
from typing import Any, Final

import numpy as np

from icommerce_agents.offline import semantics

Matrix = np.ndarray[Any, np.dtype[np.float32]]
_EMAIL: Final = re.compile(r"\S+@\S+")
_NUMBER: Final = re.compile(r"(?i)\b[a-z]{2,4}-\d{3,}\b|#\d{3,}\b")
_ID: Final = re.compile(r"\b[a-z]{2,4}_[0-9a-z]{6,}\b")


def masked(text: str) -> str:
    """The text with what is only a reference made alike."""
    return _ID.sub("number 10023", _NUMBER.sub("number 10023", _EMAIL.sub("my email", text))).lower()


@cache
def _layer() -> tuple[list[str], Matrix, Matrix] | None:
    file = resources.files("icommerce_agents.offline").joinpath("data", "wishes.npz")
    if not file.is_file():
        return None
    with file.open("rb") as stream:
        kept = np.load(stream)
        return [str(name) for name in kept["labels"]], kept["weights"].astype(np.float32), kept["bias"]


@lru_cache(maxsize=1024)
def _chances(text: str) -> dict[str, float]:
    layer, row = _layer(), semantics.vector(masked(text))
    if layer is None or row is None:
        return {}
    labels, weights, bias = layer
    found = weights @ row + bias
    grown = np.exp(found - found.max())
    return dict(zip(labels, (grown / grown.sum()).tolist(), strict=True))


def chances(text: str, among: Iterable[str] | None = None) -> dict[str, float]:
    """Each intent with how likely it is, of all or scaled to those in ``among``; nothing without an embedder."""
    found = _chances(text)
    if among is None or not found:
        return found
    kept = {name: found[name] for name in among if name in found}
    whole = sum(kept.values()) or 1.0
    return {name: value / whole for name, value in kept.items()}


def likeliest(text: str, among: Iterable[str] | None = None) -> tuple[str, float] | None:
    """The likeliest intent and how likely it is."""
    found = chances(text, among)
    return max(found.items(), key=lambda item: item[1]) if found else None
