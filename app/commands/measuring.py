"""``icommerce bench``."""

from __future__ import annotations

from typing import Annotated

import typer


def bench(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Benchmarks; all of them for none.")
    ] = None,
    n: Annotated[int, typer.Option(min=1, max=100_000, help="Operations of each.")] = 200,
    clients: Annotated[int, typer.Option(min=1, max=200, help="How many at a time.")] = 1,
    processes: Annotated[int, typer.Option(min=1, max=16, help="Over how many processes the clients are spread.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Measure the hot paths on a durable store of their own; a running shop is not touched."""
    from app.bench import BENCHMARKS, as_rows, run
    from app.commands.outcome import USAGE, show, show_json

    unknown = sorted(set(names or ()) - set(BENCHMARKS))
    if unknown:
        typer.echo(f"There is no benchmark {unknown[0]!r}; there are: {', '.join(BENCHMARKS)}.", err=True)
        raise typer.Exit(USAGE)
    rows = run(names or (), n=n, clients=clients, processes=processes, say=lambda words: typer.echo(words, err=True))
    if json:
        show_json(as_rows(rows))
        return
    times = "".join(f"{name:>9}" for name in ("per s", "p50 ms", "p95 ms", "p99 ms"))
    show(f"{'':<18}{'n':>7}{'clients':>9}{'procs':>7}{times}{'CPU ms/op':>11}  size")
    for row in rows:
        figures = f"{row.per_second:>9}{row.p50_ms:>9}{row.p95_ms:>9}{row.p99_ms:>9}{row.cpu_ms_per_op:>11}  {row.size}"
        show(f"{row.name:<18}{row.n:>7}{row.clients:>9}{row.processes:>7}{figures}")
