"""The model's words are read alike with and without the loader in C, which takes more than YAML allows."""

from __future__ import annotations

from importlib import resources

import pytest
import yaml

from icommerce_agents.offline import lexicon

DATA = resources.files("icommerce_agents.offline") / "data"
FILES = sorted(file.name for file in DATA.iterdir() if file.name.endswith(".yaml"))


@pytest.mark.parametrize("file", FILES)
def test_every_file_is_yaml_to_any_loader(file: str) -> None:
    text = (DATA / file).read_text(encoding="utf-8")
    assert yaml.load(text, Loader=yaml.SafeLoader) == lexicon.load(file.removesuffix(".yaml"))
