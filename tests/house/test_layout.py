"""Where things are: what would break the import of the agents SDK, and what the wheel holds."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ["agents", "graph", "tools", "engine", "prompts", "evals", "app", "migrations"]


def test_nothing_shadows_the_agents_sdk() -> None:
    import agents

    assert not (ROOT / "agents" / "__init__.py").exists()
    assert not (ROOT / "tests" / "agents").exists()
    assert "site-packages" in (agents.__file__ or "")


def test_our_agents_have_a_name_of_their_own() -> None:
    import icommerce_agents

    assert Path(icommerce_agents.__file__ or "").parent == ROOT / "agents" / "icommerce_agents"


def test_the_wheel_holds_every_package_under_the_name_it_is_imported_by() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]

    assert build["dev-mode-dirs"] == [".", "agents"]
    assert build["targets"]["wheel"] == {"only-include": FOLDERS, "sources": ["agents"]}
    assert all((ROOT / folder).is_dir() for folder in FOLDERS)


def test_the_lock_names_no_registry() -> None:
    for name in ("requirements.lock", "requirements-bootstrap.lock"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        assert "--hash=sha256:" in text
        assert "--index" not in text
