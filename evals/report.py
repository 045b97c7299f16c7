"""Figures as a table for a terminal, as JSON, and as one HTML file with a diff for each failure."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from evals.figures import Figures
from evals.graders import Miss
from evals.runner import GRADERS, Trial

_STYLE: Final = Path(__file__).with_name("report.css")
_HEAD: Final = ("", "n", *GRADERS, "reward", "pass^k", "first words", "turn p50", "p95", "tokens", "cost $")


def table(rows: Sequence[Figures]) -> str:
    """The figures, aligned. Times are milliseconds; of first words the 95th percentile."""
    lines = [list(_HEAD), *map(_cells, rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(_HEAD))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def failures(trials: Sequence[Trial]) -> str:
    """Each failed trial in a few lines."""
    return "\n".join(
        "\n".join([f"FAIL  {trial.suite}/{trial.scenario.name}", *(f"      {line}" for line in _reasons(trial))])
        for trial in trials
        if not trial.reward
    )


def as_json(rows: Sequence[Figures], trials: Sequence[Trial], *, ok: bool) -> dict[str, Any]:
    return {
        "ok": ok,
        "figures": [row.as_json() for row in rows],
        "trials": [
            {
                "suite": trial.suite,
                "scenario": trial.scenario.name,
                "reward": trial.reward,
                "scores": {grader: trial.score(grader) for grader in GRADERS},
                "broken": trial.broken,
                "misses": [{name: getattr(miss, name) for name in miss.__slots__} for miss in trial.misses],
            }
            for trial in trials
        ],
    }


def write_html(file: Path, rows: Sequence[Figures], trials: Sequence[Trial], *, model: str) -> None:
    """One file that needs no other. Everything that a shopper or a model said is escaped."""
    failed = [trial for trial in trials if not trial.reward]
    body = [
        f"<h1>Conversations, by {_text(model)}</h1>",
        _rows(_HEAD, map(_cells, rows)),
        f"<h2>{len(failed)} of {len(trials)} failed</h2>",
        *(_section(trial, open_=True) for trial in failed),
        "<h2>Passed</h2>",
        *(_section(trial, open_=False) for trial in trials if trial.reward),
    ]
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Evals</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<style>{_STYLE.read_text(encoding='utf-8')}</style></head><body>{''.join(body)}</body></html>\n"
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(page, encoding="utf-8")


def _cells(row: Figures) -> list[str]:
    return [
        row.name,
        str(row.trials),
        *(f"{row.scores[grader]:.0%}" for grader in GRADERS),
        f"{row.reward:.0%}",
        " ".join(f"{share:.2f}" for share in row.passed),
        f"{row.first_words_p95_ms:.0f}",
        f"{row.turn_p50_ms:.0f}",
        f"{row.turn_p95_ms:.0f}",
        f"{row.input_tokens}+{row.output_tokens}",
        "-" if row.cost_micros is None else f"{row.cost_micros / 1_000_000:.4f}",
    ]


def _reasons(trial: Trial) -> list[str]:
    if trial.broken:
        return trial.broken.strip().splitlines()
    return [f"{miss.grader}: {miss.what}: expected {miss.expected}, found {miss.found}" for miss in trial.misses]


def _section(trial: Trial, *, open_: bool) -> str:
    scores = " ".join(f"{grader} {trial.score(grader)}" for grader in GRADERS)
    name = f"{_text(trial.suite)}/{_text(trial.scenario.name)}"
    head = f"<summary><b>{name}</b> <small>{scores}</small></summary>"
    parts = [f"<details{' open' if open_ else ''}>{head}<p>{_text(trial.scenario.about)}</p>"]
    if trial.broken:
        parts.append(f"<pre class=minus>{_text(trial.broken)}</pre>")
    parts += map(_diff, trial.misses)
    changed = [(path, before, after) for path, (before, after) in trial.changes.items()]
    parts.append(_conversation(trial))
    parts.append("<h4>What changed</h4>" + _rows(("path", "before", "after"), changed))
    return "".join(parts) + "</details>"


def _diff(miss: Miss) -> str:
    return (
        f"<div class=miss><h4>{_text(miss.grader)}: {_text(miss.what)}</h4>"
        f"<pre class=minus>- {_text(miss.expected)}</pre><pre class=plus>+ {_text(miss.found)}</pre></div>"
    )


def _conversation(trial: Trial) -> str:
    lines = []
    for heard in trial.heard:
        lines.append(f"<p class=user>{_text(heard.said)}</p>")
        for call in heard.calls:
            mark = "" if call.ok else f" refused: {_text(call.error)}"
            lines.append(f"<p class=call>{_text(call.tool)} {_text(call.args)}{mark}</p>")
        lines += [f"<p class=card>[{_text(kind)}]</p>" for kind, _ in heard.cards]
        lines += [f"<p class=shop>{_text(words)}</p>" for words in heard.words]
    return "".join(lines)


def _rows(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{''.join(f'<th>{_text(cell)}</th>' for cell in head)}</tr>{body}</table>"


def _text(value: Any) -> str:
    return html.escape(str(value))
