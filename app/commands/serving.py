"""``icommerce serve``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from app.site import Site

Host = Annotated[str | None, typer.Option(help="Address to listen on (ICOMMERCE_HOST, default 127.0.0.1).")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Port of the shop (ICOMMERCE_PORT, default 8000).")]
PspPort = Annotated[int, typer.Option(min=0, max=65535, help="Port of the sandbox gateway's card form; 0: a free one.")]


def serve(host: Host = None, port: Port = None, psp_port: PspPort = 0) -> None:
    """Run the shop: database, search, agents and web, in one process."""
    import gc
    import os
    import time
    from dataclasses import replace

    born = time.monotonic()
    gc.disable()  # a sixth of the time that the imports take
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    from app import logs
    from app.commands.outcome import FAILED, say, show
    from app.serve import CannotServe, leave
    from app.serve import serve as run
    from engine.settings import Settings

    settings = Settings.from_env()
    settings = replace(settings, host=host or settings.host, port=settings.port if port is None else port)
    logs.configure()
    progress = _Progress()

    def announce(site: Site) -> None:
        gc.freeze()
        gc.enable()
        progress.end()
        say(f"Chat          {site.web_origin}/")
        say(f"Card entry    {site.psp_origin}  (sandbox gateway)")
        show(f"ready {site.web_origin}")

    try:
        code = run(settings, psp_port=psp_port, say=progress.step, announce=announce, born=born)
    except CannotServe as error:
        progress.end()
        say(f"icommerce: {error}")
        code = FAILED
    progress.end()
    leave(code)


class _Progress:
    """Steps as they come: a spinner where somebody watches, plain lines elsewhere."""

    def __init__(self) -> None:
        import sys

        self._status: Any = None
        if sys.stderr.isatty():
            from rich.console import Console

            self._status = Console(stderr=True).status("Starting")
            self._status.start()

    def step(self, words: str) -> None:
        from app.commands.outcome import say

        if self._status:
            self._status.update(words)
        else:
            say(words)

    def end(self) -> None:
        if self._status:
            self._status.stop()
