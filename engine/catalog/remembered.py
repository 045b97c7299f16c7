"""Vectors written down beforehand, found by the text they were made from: what is known is not computed again.

A text that was changed is simply not known, so nothing here can go stale: it is computed like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from engine.catalog.embedder import Embedder, Vector
from engine.catalog.searchtext import fingerprint

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Remembered:
    """An embedder that looks into ``file`` before it works. Vectors of another model are not taken from there."""

    def __init__(self, model: Embedder, file: Path) -> None:
        self._model = model
        self._file = file

    @property
    def name(self) -> str:
        return self._model.name

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        known = [self._known.get(fingerprint(text)) for text in texts]
        unknown = [text for text, vector in zip(texts, known, strict=True) if vector is None]
        made = iter(self._model.embed(unknown) if unknown else [])
        return [next(made) if vector is None else vector.tolist() for vector in known]

    def knows(self, word: str) -> bool:
        return self._model.knows(word)

    @cached_property
    def _known(self) -> Mapping[str, NDArray[np.float32]]:
        import numpy as np

        with np.load(self._file, allow_pickle=False) as kept:
            if str(kept["model"]) != self._model.name:
                return {}
            return dict(zip(kept["fingerprints"].tolist(), kept["vectors"], strict=True))


def write_down(file: Path, model: Embedder, texts: Sequence[str]) -> int:
    """Make the vectors of ``texts`` and keep them in ``file``, in the order of their fingerprints; returns how many."""
    import numpy as np

    known = sorted({fingerprint(text): text for text in texts}.items())
    vectors = np.array(model.embed([text for _, text in known]), dtype=np.float32)
    np.savez(file, model=np.array(model.name), fingerprints=np.array([key for key, _ in known]), vectors=vectors)
    return len(known)
