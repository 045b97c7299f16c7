"""Browser contexts, taken and given back: what the browser has fetched and compiled stays, what was done there goes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page

USUAL: dict[str, Any] = {
    "locale": "en-US",
    "timezone_id": "America/Los_Angeles",
    "reduced_motion": "reduce",  # a page that waits would draw all the while
}
FRAME: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"}
"""What is a page's own: contexts that differ in no more are one."""
FORGET = {"origin": "*", "storageTypes": "local_storage"}
KEPT_PAGES = 2
"""So many pages of a context are kept: each has a process that would have to be started anew."""
LISTENED = ("dialog", "download", "popup", "request", "requestfailed", "requestfinished", "response")
CLOSING_MS, CLOSING_TRIES = 10, 2_000
ASKED_AGAIN = 10
CLOCKED = "'__pwClock' in globalThis"
RESTING = "/healthz"
"""Where a kept page waits, at the server it was at: Chromium begins a process for a blank page, and again for what
comes after it, as our pages want one of their own (``Cross-Origin-Opener-Policy``).
"""


@dataclass
class Visit:
    """A context in one test's hands, and everything that happened in it.

    A blank page is always open: without one the browser ends what runs for the context, and begins anew at the next.
    """

    context: BrowserContext
    kind: str
    frame: dict[str, Any]
    lent: list[Page] = field(default_factory=list)
    """Pages that are kept when the test is over."""
    free: list[Page] = field(default_factory=list)
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

    def page(self) -> Page:
        """A page as if nobody had had it."""
        page = self.free.pop() if self.free else self.context.new_page()
        page.bring_to_front()  # one that is behind another is drawn once a second
        self.lent.append(page)
        return self._framed(page)

    def own_page(self) -> Page:
        """One that nobody has after this test, as nothing takes a script of its own out again."""
        return self._framed(self.context.new_page())

    def _framed(self, page: Page) -> Page:
        page.set_viewport_size(self.frame["viewport"])
        page.emulate_media(color_scheme=self.frame["color_scheme"], reduced_motion=USUAL["reduced_motion"])
        return page

    def clear(self) -> None:
        """Pages are closed, or at rest; what they stored is gone."""
        self.context.unroute_all()
        self.context.set_offline(False)
        kept = [page for page in self.lent if not page.is_closed() and not _listened_to(page)][:KEPT_PAGES]
        for page in self.context.pages:
            if page != self.blank and page not in kept + self.free:
                self._close(page)
        kept = [page for page in kept if self._emptied(page)]
        self.lent, self.free = [], (self.free + kept)[:KEPT_PAGES]
        self.devtools.send("Storage.clearDataForOrigin", FORGET)
        self.context.clear_cookies()

    def _emptied(self, page: Page) -> bool:
        """Whether it is as a new one. One that is on its way to another address is closed."""
        page.unroute_all()
        try:
            if page.url.startswith("http"):
                page.evaluate("sessionStorage.clear()")
                page.goto(urljoin(page.url, RESTING))
        except Error:
            self._close(page)
            return False
        return True

    def _close(self, page: Page) -> None:
        """Chromium 156 forgets that a page is to be closed where that is said as another document comes into it, and
        ``page.close()`` would wait for ever: it is said until the page has gone.
        """
        devtools = self.context.new_cdp_session(page)
        target = devtools.send("Target.getTargetInfo")["targetInfo"]["targetId"]
        for waited in range(CLOSING_TRIES):
            if page.is_closed():
                return
            if waited % ASKED_AGAIN == 0:
                self._ask_to_close(target)
            self.blank.wait_for_timeout(CLOSING_MS)
        raise AssertionError(f"{page.url} does not close")

    def _ask_to_close(self, target: str) -> None:
        try:
            self.devtools.send("Target.closeTarget", {"targetId": target})
        except Error as error:  # it has gone, and we are about to hear of it
            if "No target" not in str(error):
                raise

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
        frame = {name: options.pop(name, usual) for name, usual in FRAME.items()}
        options = USUAL | options
        kind = json.dumps(options, sort_keys=True)
        if free := self._free.get(kind):
            visit = free.pop()
            visit.asked, visit.said, visit.frame = [], [], frame
            return visit
        return Visit(self._browser.new_context(**options), kind, frame)

    def give(self, visit: Visit) -> None:
        """Whoever took it has done with it."""
        clocked = visit.blank.evaluate(CLOCKED)  # a clock once stopped stays so in all pages that are yet to come
        visit.clear()
        if clocked:
            visit.context.close()
        else:
            self._free.setdefault(visit.kind, []).append(visit)


def _listened_to(page: Page) -> bool:
    """Whether a test hears what happens in it: it would go on to."""
    return any(page._impl_obj.listeners(name) for name in LISTENED)
