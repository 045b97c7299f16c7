"""``icommerce eval``: suites of conversations by their names, or a public benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from app.commands import tau2

_REPORT: Final = Path("artifacts/evals/report.html")
_SUITES: Final = "suites"


class _SuitesOrBenchmark(TyperGroup):
    """A word that names no command names a suite."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] != "--help" and args[0] not in self.commands):
            args = [_SUITES, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_SuitesOrBenchmark, help="Graded conversations, and a public benchmark.", rich_markup_mode=None)
app.command("tau2", cls=tau2.ManyFiles)(tau2.tau2)


@app.callback()
def _measures() -> None:
    """Graded conversations: of the suites (the default, also without its name), or of a public benchmark."""


@app.command(_SUITES)
def evaluate(
    suites: Annotated[
        list[str] | None, typer.Argument(metavar="[SUITE]...", help="Names of suites or files; all for none.")
    ] = None,
    k: Annotated[int, typer.Option(min=1, max=32, help="How often each scenario is played.")] = 1,
    model: Annotated[
        str | None, typer.Option(help="A LiteLLM model; as ICOMMERCE_MODEL says, or the offline one, without it.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only scenarios with this tag.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only scenarios of this name.")] = None,
    page: Annotated[Path, typer.Option("--html", help="Where the report goes.")] = _REPORT,
    json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Play graded conversations in shops of their own; exit code 1 when a suite is below its bar."""
    from app.commands.outcome import FAILED, USAGE, say, show, show_json
    from evals import report
    from evals.evaluate import Asked, evaluate
    from evals.suite import SuiteInvalid

    asked = Asked(tuple(suites or ()), k=k, model=model, tags=frozenset(tag or ()), only=frozenset(only or ()))
    try:
        result = evaluate(asked, say=say)
    except SuiteInvalid as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(USAGE) from None
    report.write_html(page, result.rows, result.trials, model=result.model)
    if json:
        show_json(report.as_json(result.rows, result.trials, ok=not result.below))
    else:
        show(report.table(result.rows))
        show(report.failures(result.trials))
        show(f"The report is {page}.")
    for line in result.below:
        say(line)
    if result.below:
        raise typer.Exit(FAILED)
