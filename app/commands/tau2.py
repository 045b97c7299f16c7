"""``icommerce eval tau2``: a public benchmark's cases and conversations on our engine."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand


class Target(StrEnum):
    ENGINE = "engine"
    MODEL = "model"


class ManyFiles(TyperCommand):
    """``--gold`` and ``--conversations`` take every file that follows them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        many, spread, option = {"--gold", "--conversations"}, list[str](), ""
        for arg in args:
            if arg.startswith("-"):
                option = arg if arg in many else ""
            elif option and spread[-1] != option:
                spread.append(option)
            spread.append(arg)
        return super().parse_args(ctx, spread)


_File = Annotated[
    Path | None, typer.Option("--db", exists=True, dir_okay=False, help="The shop; else the small slice.")
]
_Gold = Annotated[list[Path] | None, typer.Option("--gold", exists=True, dir_okay=False, help="Cases (JSON lines).")]
_Talks = Annotated[
    list[Path] | None, typer.Option("--conversations", exists=True, help="Recorded conversations, or their folder.")
]


def tau2(
    db: _File = None,
    gold: _Gold = None,
    conversations: _Talks = None,
    graph: Annotated[bool, typer.Option("--graph", help="Hold the conversations with our agents, too.")] = False,
    fuzz: Annotated[int, typer.Option(min=0, help="Compare so many random sequences with the model.")] = 0,
    seed: Annotated[int | None, typer.Option(help="Of the fuzz; another one each time without it.")] = None,
    only: Annotated[str | None, typer.Option(metavar="TASK", help="Only this task.")] = None,
    live: Annotated[bool, typer.Option("--live", help="Only play the scenarios, with real models.")] = False,
    model: Annotated[str | None, typer.Option(help="Live: our agents' LiteLLM model; else the configured one.")] = None,
    user_model: Annotated[str | None, typer.Option(help="Live: the customer's LiteLLM model.")] = None,
    trials: Annotated[int, typer.Option(min=1, max=32, help="Live: how often each scenario is played.")] = 1,
    target: Annotated[Target, typer.Option(help="Our engine, or the model of the rules alone.")] = Target.ENGINE,
    json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Measure our engine on a public benchmark's shop; exit code 1 when something is not as it must be."""
    import secrets

    from evals.tau2.cases import DataInvalid

    if live != bool(user_model):
        raise typer.BadParameter("--live and --user-model go together.")
    given: dict[str, Any] = {"gold": tuple(gold or ()), "conversations": tuple(conversations or ())}
    given |= {"graph": graph, "fuzz": fuzz, "only": only, "target": target.value}
    given |= {"model": model, "user_model": user_model, "trials": trials}
    given |= {"seed": secrets.randbelow(10**6) if seed is None else seed} | ({"db": db} if db else {})
    try:
        _measure(given, json=json)
    except DataInvalid as error:
        from app.commands.outcome import USAGE

        typer.echo(f"icommerce: {error}", err=True)
        raise typer.Exit(USAGE) from None


def _measure(given: dict[str, Any], *, json: bool) -> None:
    from rich.console import Console
    from rich.progress import Progress

    from app.commands.outcome import FAILED, say, show, show_json
    from evals.tau2 import report
    from evals.tau2.run import Asked, measure

    with Progress(transient=True, console=Console(stderr=True)) as bar:

        def begin(name: str, total: int) -> Any:
            line = bar.add_task(name, total=total)
            return lambda: bar.update(line, advance=1)

        measured = measure(Asked.of(**given), begin=begin)
    if json:
        show_json(measured.as_json())
    else:
        for words in (*report.lines(measured), *report.failures(measured)):
            show(words)
    for words in measured.below:
        say(words)
    if measured.below:
        raise typer.Exit(FAILED)
