"""Browser contexts, taken and given back: what the browser has fetched and compiled stays, what was done there goes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage

USUAL: dict[str, Any] = {
    "locale": "en-US",
    "timezone_id": "America/Denver",
    "viewport": {"width": 1280, "height": 800},
    "reduced_motion": "reduce",  # a page that waits would draw all the while
}
FORGET = {"origin": "*", "storageTypes": "local_storage"}


@dataclass
class Visit:
    """A context in one test's hands, and everything that happened in it.

    A blank page is always open: without one the browser ends what runs for the context, and begins anew at the next.
    """

    context: BrowserContext
    kind: str
    asked: list[str] = field(default_factory=list)
    """The addresses of all requests."""
    said: list[tuple[str, str]] = field(default_factory=list)
    """(type, text) of what pages wrote to the console, and of what they did not catch."""

    def __post_init__(self) -> None:
        self.blank = self.context.new_page()
        self.devtools = self.context.new_cdp_session(self.blank)
        self.context.on("request", lambda request: self.asked.append(request.url))
        self.context.on("console", self._hear)
        self.context.on("weberror", lambda error: self.said.append(("error", error.error.stack or str(error.error))))

    def _hear(self, message: ConsoleMessage) -> None:
        self.said.append((message.type, message.text))

    def complaints(self, *kinds: str) -> list[str]:
        return [text for kind, text in self.said if kind in (kinds or ("error", "warning"))]

    def foreign(self, *ours: str) -> list[str]:
        """What was asked of anybody else."""
        return [url for url in self.asked if not url.startswith((*ours, "data:", "blob:"))]


class Contexts:
    """Those of one worker. A fresh one reads and compiles the whole page anew, which is most of what a test costs."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._free: dict[str, list[Visit]] = {}

    def take(self, **options: Any) -> Visit:
        """A context with nobody's cookies. Nothing may be left in it that cannot be taken back, as a script that every
        page runs first: give it to the page.
        """
        options = USUAL | options
        kind = json.dumps(options, sort_keys=True)
        if free := self._free.get(kind):
            visit = free.pop()
            visit.asked, visit.said = [], []
            return visit
        return Visit(self._browser.new_context(**options), kind)

    def give(self, visit: Visit) -> None:
        """Whoever took it has done with it."""
        self._clean(visit)
        self._free.setdefault(visit.kind, []).append(visit)

    def _clean(self, visit: Visit) -> None:
        visit.context.unroute_all()
        visit.context.set_offline(False)
        for page in visit.context.pages:
            if page != visit.blank:
                page.close()
        visit.devtools.send("Storage.clearDataForOrigin", FORGET)
        visit.context.clear_cookies()
