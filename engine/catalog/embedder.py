"""Text to vectors. The shipped one is all-MiniLM-L6-v2 as int8 ONNX; any other comes in as a function."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Vector = Sequence[float]
MAX_TOKENS: Final = 256
BATCH: Final = 16


class Embedder(Protocol):
    """Texts in, vectors of unit length out. ``name`` tells vectors of two models apart."""

    @property
    def name(self) -> str: ...

    def embed(self, texts: Sequence[str]) -> list[Vector]: ...

    def knows(self, word: str) -> bool:
        """Whether a word is surely one of the language (and no typing error)."""
        ...


class MiniLM:
    """The shipped model: 384 floats, no network, a few milliseconds for a query. Safe to share between threads."""

    name = "all-MiniLM-L6-v2-int8"

    def __init__(self, *, threads: int = 1) -> None:
        self._threads = threads
        self._loading = threading.Lock()

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Vectors in the order of ``texts``; like lengths are run together so that little is spent on padding."""
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        vectors: dict[int, Vector] = {}
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            vectors.update(zip(batch, self._run([texts[i] for i in batch]).tolist(), strict=True))
        return [vectors[index] for index in range(len(texts))]

    def knows(self, word: str) -> bool:
        """Whether the word is one token of the model's vocabulary of 30,000."""
        return self._parts[0].token_to_id(word) is not None

    def _run(self, texts: list[str]) -> NDArray[np.float32]:
        import numpy as np

        tokenizer, session = self._parts
        encoded = tokenizer.encode_batch(texts)
        ids = np.array([row.ids for row in encoded], dtype=np.int64)
        mask = np.array([row.attention_mask for row in encoded], dtype=np.int64)
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        hidden: NDArray[np.float32] = session.run(["last_hidden_state"], inputs)[0]
        weights = mask[:, :, None].astype(np.float32)
        pooled = (hidden * weights).sum(axis=1) / weights.sum(axis=1)
        unit: NDArray[np.float32] = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
        return unit

    @property
    def _parts(self) -> tuple[Any, Any]:
        with self._loading:
            return self._loaded

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        import onnxruntime
        from tokenizers import Tokenizer

        folder = resources.files("engine.catalog") / "minilm"
        tokenizer = Tokenizer.from_str((folder / "tokenizer.json").read_text(encoding="utf-8"))
        tokenizer.enable_truncation(MAX_TOKENS)
        tokenizer.enable_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        model = (folder / "model.onnx").read_bytes()
        return tokenizer, onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class CallableEmbedder:
    """Any other model: ``call`` takes a list of texts and gives a list of vectors.

    The edge hands one in that asks LiteLLM when ``ICOMMERCE_EMBEDDING_MODEL`` names a model: the engine itself knows
    no model library.
    """

    def __init__(self, name: str, call: Callable[[list[str]], Sequence[Vector]], *, batch: int = 64) -> None:
        self.name = name
        self._call = call
        self._batch = batch

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        vectors: list[Vector] = []
        for start in range(0, len(texts), self._batch):
            vectors += [_unit(vector) for vector in self._call(list(texts[start : start + self._batch]))]
        if len(vectors) != len(texts):
            raise ValueError(f"{self.name} gave {len(vectors)} vectors for {len(texts)} texts")
        return vectors

    def knows(self, word: str) -> bool:  # noqa: ARG002 (the port's shape)
        return False


def _unit(vector: Vector) -> Vector:
    length = sum(value * value for value in vector) ** 0.5 or 1.0
    return [value / length for value in vector]
