"""Train the offline model's intent layer: softmax regression over sentence embeddings, the same weights every time.

    python scripts/train_offline.py

Reads ``evals/offline/train.yaml`` and the model's own ``data/examples.yaml``; writes ``data/wishes.npz``.
"""

from __future__ import annotations

import re
from functools import partial
from importlib import resources
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from icommerce_agents.offline import lexicon, semantics
from icommerce_agents.offline.language import plain
from icommerce_agents.offline.wishes import masked

TRAINING: Final = Path(__file__).resolve().parents[1] / "evals" / "offline" / "train.yaml"
SEED: Final = 20
STEPS: Final = 600
RATE: Final = 5.0
DRAG: Final = 0.9
DECAY: Final = 1e-5
FILLS: Final = {
    "thing": ["jacket", "coffee grinder", "running shoes", "headphones", "lamp", "wool blanket", "drill",
              "summer dress", "bicycle pump", "desk chair", "vitamin tablets", "guitar strings", "boots", "tea set",
              "dog bed", "monitor"],
    "number": ["SP-10023", "NW-4471", "AB-90210", "ORD-5512"],
    "sku": ["TH-FELL2-ORG", "KX-200", "AB-77-RED", "LMP-4"],
    "zip": ["97201", "10001", "60601", "M5V 2T6", "SW1A 1AA"],
    "email": ["jane@example.com", "tom.b@mail.org"],
    "job": ["job_0a1b2c", "the nightly import"],
    "name": ["Miller", "Ada Buyer"],
    "place": ["Reno", "the Berlin warehouse", "DC2", "store 14", "Columbus"],
}  # fmt: skip
COPIES: Final = 2


def sentences() -> list[tuple[str, str]]:
    """Intent and sentence, each template filled a few times."""
    told = yaml.safe_load(TRAINING.read_text(encoding="utf-8"))["utterances"]
    wheels = {name: cycle(values) for name, values in FILLS.items()}
    found = []
    for intent, rows in told.items():
        for row in rows:
            bare = re.sub(r"\[\w+\|([^\]]*)\]", r"\1", row)
            copies = COPIES if "{" in bare else 1
            fill = partial(re.sub, r"\{(\w+)\}", lambda slot: next(wheels[slot.group(1)]))
            found += [(intent, fill(bare)) for _ in range(copies)]
    found += [(_merged(intent), row) for intent, rows in lexicon.load("examples").items() for row in rows]
    return found


def _merged(intent: str) -> str:
    """The examples' older names of what the training set tells apart."""
    return {"order_cancel": "cancel_order", "order_status": "track"}.get(intent, intent)


def train(pairs: list[tuple[str, str]]) -> tuple[list[str], Any, Any]:
    """Labels, weights and bias."""
    labels = sorted({intent for intent, _ in pairs})
    rows = semantics.embed([masked(plain(text)) for _, text in pairs])
    assert rows is not None
    wanted = np.zeros((len(pairs), len(labels)))
    wanted[np.arange(len(pairs)), [labels.index(intent) for intent, _ in pairs]] = 1.0
    share = 1.0 / np.sqrt(wanted.sum(axis=0))
    importance = (wanted @ share)[:, None]
    importance /= importance.mean()
    random = np.random.default_rng(SEED)
    weights, bias = random.normal(0.0, 0.01, (len(labels), rows.shape[1])), np.zeros(len(labels))
    pull, lift = np.zeros_like(weights), np.zeros_like(bias)
    for _ in range(STEPS):
        scores = rows @ weights.T + bias
        chances = np.exp(scores - scores.max(axis=1, keepdims=True))
        chances /= chances.sum(axis=1, keepdims=True)
        slope = (chances - wanted) * importance / len(pairs)
        pull = DRAG * pull - RATE * (slope.T @ rows + DECAY * weights)
        lift = DRAG * lift - RATE * slope.sum(axis=0)
        weights, bias = weights + pull, bias + lift
    return labels, weights.astype(np.float16), bias.astype(np.float32)


def main() -> None:
    pairs = sentences()
    labels, weights, bias = train(pairs)
    file = Path(str(resources.files("icommerce_agents.offline"))) / "data" / "wishes.npz"
    np.savez_compressed(file, labels=np.array(labels), weights=weights, bias=bias)
    print(f"{len(pairs)} sentences, {len(labels)} intents, {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
