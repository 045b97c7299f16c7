"""``icommerce worker`` and ``icommerce agent run <workflow>``: processes that execute runs and nothing else."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(help="Agents for work.", no_args_is_help=True, rich_markup_mode=None)
Threads = Annotated[int, typer.Option(min=1, max=64, help="Runs at once.")]
Health = Annotated[int, typer.Option(min=0, max=65535, help="Port of /healthz on the loopback address; 0: a free one.")]
Host = Annotated[str, typer.Option(help="Address of /healthz.")]
Grace = Annotated[float, typer.Option(min=0, max=600, help="Seconds that steps have to end when it is asked to stop.")]


def worker(threads: Threads = 8, health_port: Health = 0, host: Host = "127.0.0.1", grace: Grace = 10.0) -> None:
    """Execute the runs of all workflows, beside a running shop. Stops gracefully on SIGTERM."""
    from app.worker import work

    work((), threads=threads, host=host, port=health_port, grace_seconds=grace)


@app.command("run")
def agent_run(
    name: Annotated[str, typer.Argument(help="The workflow, such as shopifyToNetsuite.")],
    threads: Threads = 4,
    health_port: Health = 0,
    host: Host = "127.0.0.1",
    grace: Grace = 10.0,
) -> None:
    """Execute one workflow's runs: a process, or a container, of its own. Stops gracefully on SIGTERM."""
    from app.worker import work
    from engine.workflows import registry

    registry.live(name)
    work((name,), threads=threads, host=host, port=health_port, grace_seconds=grace)
