"""The weights in the box are those that the script makes of the sentences in the repository."""

from __future__ import annotations

import sys
from importlib import resources
from pathlib import Path
from typing import Final

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "scripts"))
from train_offline import sentences, train

MOST_APART: Final = 0.1
"""Of the weights' own size: what another processor's embeddings may make of it; two sentences fewer are more."""


def test_training_again_makes_the_weights_in_the_box() -> None:
    labels, weights, _bias = train(sentences())
    with (resources.files("icommerce_agents.offline") / "data" / "wishes.npz").open("rb") as stream:
        kept = np.load(stream)
        assert labels == kept["labels"].tolist()
        stored = kept["weights"].astype(np.float64)
    assert np.linalg.norm(weights - stored) <= MOST_APART * np.linalg.norm(stored)
