"""``icommerce eval tau2``: what it answers, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli import app
from evals.tau2.run import HERE


def run(*args: str) -> Result:
    return CliRunner().invoke(app, ["eval", "tau2", "--target", "model", *args])


def test_the_answer_in_json_has_the_measures() -> None:
    result = run("--json", "--fuzz", "5", "--seed", "1", "--gold", str(HERE / "gold.jsonl"))
    found = json.loads(result.stdout)
    assert result.exit_code == 0
    assert set(found) == {"gold", "fuzz", "named_gates", "per_second", "ok"}
    assert set(found["gold"]) == {"cases", "passed", "actions", "errors_agree", "failed"}
    assert (found["gold"]["passed"], found["gold"]["failed"]) == (found["gold"]["cases"], [])
    assert found["fuzz"]["sequences"] == 5
    assert found["per_second"] > 0


def test_without_a_measure_all_that_lies_beside_the_shop_is_measured() -> None:
    found = json.loads(run("--json").stdout)
    assert set(found["conversations"]) == {
        "n", "identical", "calls", "calls_identical", "named_gates", "first_differences"
    }  # fmt: skip
    assert found["conversations"]["n"] == found["conversations"]["identical"] == 42
    assert found["gold"]["cases"] == found["gold"]["passed"] > 30


def test_one_option_takes_many_files_and_one_task_is_enough() -> None:
    files = [str(HERE / name) for name in ("gold.jsonl", "gold_v1_dev.jsonl")]
    task = json.loads(Path(files[0]).read_text(encoding="utf-8").splitlines()[0])["task_id"]
    assert json.loads(run("--json", "--gold", *files).stdout)["gold"]["cases"] > 30
    assert json.loads(run("--json", "--gold", *files, "--only", task).stdout)["gold"]["cases"] == 1


def test_a_failure_shows_where_it_differs_and_ends_with_one(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (HERE / "gold.jsonl").read_text(encoding="utf-8").splitlines()]
    row = next(row for row in rows if row["expected"]["diff"])
    change = (row["expected"]["diff_clean"] or row["expected"]["diff"])[0]
    change["after"] = "something else"
    file = tmp_path / "gold.jsonl"
    file.write_text(json.dumps(row), encoding="utf-8")
    result = run("--gold", str(file))
    assert result.exit_code == 1
    assert f"case {row['task_id']}:" in result.stdout
    assert f'{change["path"]}: expected "something else", found ' in result.stdout


@pytest.mark.parametrize("words", [("--db", "README.md"), ("--db", "no such file"), ("--only", "no such task")])
def test_wrong_use_ends_with_two(words: tuple[str, str]) -> None:
    assert run(*words).exit_code == 2


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--db", '{"products": {}, "users": {"ada": {}}, "orders": {}}'),
        ("--gold", '{"task_id": "1", "gold_actions": [{}], "expected": {}}'),
        ("--gold", '{"task_id": "1", "gold_actions": [], "expected": 3}'),
        ("--conversations", '{"task_id": "1", "messages": [], "calls": [{"name": "calculate"}]}'),
        ("--conversations", "[1]"),
    ],
)
def test_a_file_that_is_wrong_ends_with_two(option: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / "wrong.jsonl"
    file.write_text(text, encoding="utf-8")
    assert run(option, str(file), "--fuzz", "1").exit_code == 2


@pytest.mark.parametrize("slug", ["A b", "tau_2", "-tau", "t" * 81])
def test_a_shop_is_brought_along_under_a_slug_only(slug: str) -> None:
    result = CliRunner().invoke(app, ["import", "tau2", "--db", str(HERE / "db.json"), f"--tenant={slug}"])
    assert (result.exit_code, "--tenant" in result.output) == (2, True)


def test_the_names_of_suites_still_work() -> None:
    result = CliRunner().invoke(app, ["eval", "--help"])
    assert "suites" in result.stdout
    assert CliRunner().invoke(app, ["eval", "no-such-suite"]).exit_code == 2


def test_help_imports_nothing_of_the_measures() -> None:
    code = "import sys, app.cli; print([name for name in sys.modules if name.split('.')[0] in ('evals', 'engine')])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
