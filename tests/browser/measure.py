"""How quick the chat page is, on the real shop with its offline model: ``python -m tests.browser.measure`` prints it,
and ends with 1 where a promise is not kept.

Points 1 to 3 of the acceptance, and the second in which all hear what one of them said. The suite asserts no times: a
machine that does other work would fail it by chance.
"""

from __future__ import annotations

import re
import statistics
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from engine.embedded_postgres import wipe
from tests.app.test_serve import Server
from tests.browser.conftest import CHROMIUM
from tests.browser.fake_server import FakeShop, serving_shop
from tests.browser.real import TURN_MS, sign_in, warm
from tests.browser.test_long_thread import MESSAGES, fill
from tests.browser.test_page import JS_BUDGET_BYTES

ROUNDS = 20
APP = Path(__file__).parents[2] / "app"
WATCH = """
Object.assign(window, { ready: 0, enter: 0, first: 0, had: 0, longest: 0 });
const words = () => [...document.querySelectorAll('.ic-words')];
window.begin = () => Object.assign(window, { enter: performance.now(), first: 0, had: words().length, longest: 0 });
addEventListener('keydown', (event) => event.key === 'Enter' && window.begin(), true);
new PerformanceObserver((list) => {
  window.longest = Math.max(window.longest, ...list.getEntries().map((task) => task.duration));
}).observe({ type: 'longtask' });
new MutationObserver(() => {
  const now = performance.now();
  if (!window.ready && document.querySelector('.ic-starts button, .ic-entry')) window.ready = now;
  if (!window.enter || window.first) return;
  if (words().length > window.had && words().at(-1).textContent.trim()) window.first = now - window.enter;
}).observe(document, { childList: true, subtree: true, characterData: true });
"""


def opened(browser: Browser, url: str) -> Page:
    """The page in a browser that was never here: nothing is in its cache."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_init_script(WATCH)
    page = context.new_page()
    page.goto(url)
    expect(page.locator(".ic-starts button, .ic-entry").last).to_be_in_viewport()
    return page


def ready(browser: Browser, url: str) -> list[float]:
    """Milliseconds to what one came for, each time in a browser that was never here."""
    found = []
    for _ in range(ROUNDS):
        page = opened(browser, url)
        found.append(float(page.evaluate("window.ready")))
        page.context.close()
    return found


def script_bytes(page: Page) -> int:
    """What the page has loaded, and the worker that it does not list."""
    names: Any = page.evaluate("performance.getEntriesByType('resource').map(entry => new URL(entry.name).pathname)")
    scripts = {name for name in names if name.endswith(".js")} | {"/static/ui/sse-worker.js"}
    return sum((APP / re.sub(r"/v-\w+/|^/", "/", name).lstrip("/")).stat().st_size for name in scripts)


def first_words(page: Page, ask: str = "hello") -> float:
    """Milliseconds from Enter to the first words of the answer on the screen."""
    words = page.locator(".ic-words")
    before = words.count()
    page.fill("#composer", ask)
    page.press("#composer", "Enter")
    expect(words).to_have_count(before + 1, timeout=TURN_MS)
    expect(page.locator(".ic-log")).to_have_attribute("aria-busy", "false", timeout=TURN_MS)
    return float(page.evaluate("window.first"))


def replied(browser: Browser, url: str) -> list[float]:
    """Milliseconds from a reply that leaves the console to its words on the shopper's screen."""
    page, desk = opened(browser, url), browser.new_context()
    page.get_by_role("button", name="Talk to a person").click()
    expect(page.locator("ic-handoff")).to_be_visible(timeout=TURN_MS)
    sign_in(desk, url, "Sam")
    thread = page.evaluate("document.querySelector('ic-chat').state.thread.id")

    def post(path: str, body: Any) -> Any:
        headers = {"Origin": url, "X-Staff": "1", "Idempotency-Key": str(uuid.uuid4())}
        answer = desk.request.post(f"{url}/v1/staff/cases{path}", data=body, headers=headers)
        assert answer.ok, answer.text()
        return answer.json()

    while (case := post("/next", {}))["thread_id"] != thread:
        pass
    expect(page.locator(".ic-badge")).to_have_attribute("data-mode", "human")
    found = []
    for number in range(ROUNDS):
        page.evaluate("begin()")
        post(f"/{case['id']}/reply", {"text": f"This is what I found, {number}."})
        expect(page.locator(".ic-words").last).to_have_text(f"This is what I found, {number}.")
        found.append(float(page.evaluate("window.first")))
    for context in (page.context, desk):
        context.close()
    return found


def under_a_thousand(browser: Browser, shop: FakeShop) -> tuple[list[float], list[float]]:
    """Milliseconds in which a conversation of a thousand messages opens, and of the longest work as an answer comes."""
    context = browser.new_context()
    thread = context.request.post(f"{shop.base}/v1/threads", data={}).json()["id"]
    context.close()
    fill(shop)
    opening = ready(browser, f"{shop.base}/#{thread}")
    page = opened(browser, f"{shop.base}/#{thread}")
    shop.token_seconds = 0.001
    longest = []
    for _ in range(3):
        first_words(page, "a long answer")
        longest.append(float(page.evaluate("window.longest")))
    page.context.close()
    return opening, longest


def line(name: str, found: list[float], limit: int) -> tuple[str, bool]:
    """What to print, and whether 19 of 20 keep what was promised."""
    found.sort()
    p95 = found[round(0.95 * (len(found) - 1))]
    told = f"{name:<30} median {statistics.median(found):6.0f} ms   p95 {p95:6.0f} ms   (asked for: {limit} ms)"
    return told, p95 <= limit


def measure(browser: Browser, url: str) -> list[tuple[str, bool]]:
    """The lines to print, and whether each keeps what was promised."""
    cold = ready(browser, url)
    page = opened(browser, url)
    size = script_bytes(page)
    words = [first_words(page) for _ in range(ROUNDS)]
    page.context.close()
    with serving_shop() as shop:
        opening, longest = under_a_thousand(browser, shop)
    return [
        line("page, cold, interactive", cold, 1000),
        line("Enter to the first words", words, 300),
        line("reply to the shopper's screen", replied(browser, url), 1000),
        line(f"{MESSAGES:,} messages, cold, open", opening, 1000),
        line("longest work, answer in them", longest, 100),
        (f"{'JavaScript at load':<30} {size:,} bytes (at most {JS_BUDGET_BYTES:,})", size <= JS_BUDGET_BYTES),
    ]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(folder) / "home")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        server.start()
        try:
            warm(server.url)
            lines = measure(browser, server.url)
        finally:
            browser.close()
            server.stop()
            wipe(server.home)
    print(*(told if kept else f"{told}   NOT KEPT" for told, kept in lines), sep="\n")  # noqa: T201 -- the answer
    sys.exit(not all(kept for _, kept in lines))


if __name__ == "__main__":
    main()
