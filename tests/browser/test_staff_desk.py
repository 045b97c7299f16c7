"""The support desk on the real server: the queue, a case, a takeover, and one story for four people at once."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.app.test_serve import Server
from tests.browser.contexts import Contexts, Visit
from tests.browser.looks import sound
from tests.browser.real import AGAIN, Guest, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

TURN_MS = 60_000
SOON_MS = 30_000
NOISE = ("net::ERR_FAILED", "status of 409", "status of 404", "data:")
"""What a test provokes: a stream that is cut, a second takeover, an order that is not there."""
ANGRY = "This is unacceptable, the pole is broken and nobody answers!!"
_numbers = itertools.count(1)


@pytest.fixture
def new_visit(contexts: Contexts, server: Server) -> Iterator[Callable[..., Visit]]:
    """Contexts of which none may see an error or ask another origin."""
    taken: list[Visit] = []

    def take(**options: Any) -> Visit:
        taken.append(contexts.take(**options))
        return taken[-1]

    yield take
    for visit in taken:
        contexts.give(visit)
    wrong = [text for visit in taken for text in visit.complaints() if not any(noise in text for noise in NOISE)]
    assert (wrong, [url for visit in taken for url in visit.foreign(server.url)]) == ([], [])


class Shopper(Guest):
    """A shopper, with a page where one looks at it."""

    @cached_property
    def page(self) -> Page:
        return self.comes()

    def say(self, text: str) -> None:
        self.page.fill("#composer", text)
        self.page.press("#composer", "Enter")

    def ask(self, text: str) -> None:
        """Says it on the page and waits for the end of the turn."""
        before = self.words.count()
        self.say(text)
        expect(self.words).not_to_have_count(before, timeout=TURN_MS)
        expect(self.page.locator(".ic-log")).to_have_attribute("aria-busy", "false", timeout=TURN_MS)

    def wants_a_person(self) -> None:
        self.acts("request_human")

    def is_with(self, mode: str) -> None:
        expect(self.page.locator(".ic-badge")).to_have_attribute("data-mode", mode, timeout=TURN_MS)

    @property
    def words(self) -> Locator:
        return self.page.locator(".ic-words")


class Desk:
    """The console of one of the shop's people."""

    def __init__(self, visit: Visit, url: str, name: str) -> None:
        self.url, self.context = url, visit.context
        sign_in(self.context, url, name)
        self.page = visit.page()

    def looks(self) -> Page:
        """At the queue."""
        self.page.goto(f"{self.url}/staff")
        expect(self.page.get_by_role("button", name="Take next")).to_be_visible()
        return self.page

    def opens(self, words: str, page: Page | None = None) -> Page:
        """The case of the conversation in which that was said."""
        page = page or self.page
        page.goto(f"{self.url}/staff?q={words}")
        page.locator(".ds-row").first.click()
        expect(page.locator(".ds-entry").first).to_be_visible(timeout=SOON_MS)
        return page

    def takes(self) -> None:
        self.page.get_by_role("button", name=re.compile("^Take over")).click()
        expect(self.page.get_by_role("textbox", name="Reply to the shopper")).to_be_focused(timeout=SOON_MS)

    def replies(self, text: str) -> None:
        box = self.page.get_by_role("textbox", name="Reply to the shopper")
        box.fill(text)
        box.press("Control+Enter")
        expect(box).to_have_value("", timeout=SOON_MS)


@pytest.fixture
def shopper(new_visit: Any, server: Server) -> Callable[[], Shopper]:
    return lambda: Shopper(new_visit(), server.url)


@pytest.fixture
def at_desk(new_visit: Any, server: Server) -> Callable[..., Desk]:
    return lambda name, **options: Desk(new_visit(**options), server.url, name)


def peculiar() -> str:
    """A word that no other conversation has."""
    return f"peculiar{next(_numbers)}q"


def story(page: Page) -> list[str]:
    """What was said, in order, as staff see it."""
    said: list[str] = page.locator("[data-kind=message] .ds-said").all_inner_texts()
    return [" ".join(one.split()) for one in said]


def heard(shopper: Shopper) -> list[str]:
    """The same, as the shopper sees it."""
    said: list[str] = shopper.page.locator(".ic-own, .ic-words").all_inner_texts()
    return [" ".join(one.split()) for one in said]


def test_the_queue_lives_and_keeps_the_focus(shopper: Any, at_desk: Any) -> None:
    """Rows come and go by themselves; the one that has the focus keeps it."""
    first, word = shopper(), peculiar()
    first.says(f"hello {word}")
    first.wants_a_person()
    sam = at_desk("Sam")
    sam.looks()
    row = sam.page.locator(".ds-row", has_text=word)
    expect(row).to_be_visible(timeout=SOON_MS)
    row.focus()
    second, other = shopper(), peculiar()
    second.says(f"{ANGRY} {other}")
    second.wants_a_person()
    angry = sam.page.locator(".ds-row", has_text=other)
    expect(angry).to_contain_text("Angry", timeout=SOON_MS)
    for words in ("Asked for a person", "Due in", "waits under a minute", "nobody", "H-"):
        expect(angry).to_contain_text(words)
    expect(row).to_be_focused()

    noor = at_desk("Noor")
    noor.opens(other)
    expect(angry).to_contain_text("Noor looks", timeout=SOON_MS)
    noor.takes()
    expect(angry.locator(".ds-owner")).to_contain_text("Noor", timeout=SOON_MS)
    expect(row).to_be_focused()
    sam.page.get_by_role("searchbox").fill(word)
    expect(sam.page.locator(".ds-row")).to_have_count(1, timeout=SOON_MS)
    expect(sam.page.locator(".ds-row")).to_contain_text(word)


def test_what_staff_see_on_opening(shopper: Any, at_desk: Any) -> None:
    """Acceptance 19, but for the refund."""
    one, word = shopper(), peculiar()
    number = one.buys()
    one.says(f"{ANGRY} {word}")
    one.wants_a_person()
    page = at_desk("Sam").opens(word)
    handed = page.locator(".ds-package")
    for words in ("Asked for a person", "Sounds angry", ANGRY, number, "paid", "$", "Suggested reply"):
        expect(handed).to_contain_text(words)
    assert 1 <= handed.locator(".ds-summary li").count() <= 5
    expect(page.locator(".ds-top")).to_contain_text("Ada Lovelace")
    for card in ("ic-products", "ic-cart", "ic-receipt"):
        expect(page.locator(f".ds-card {card}").first).to_be_attached()
    assert page.locator(".ds-card button:visible, .ds-card input:visible, .ds-card select:visible").count() == 0
    tool = page.locator(".ds-tool", has_text="search_products").first
    expect(tool.locator("pre").first).to_be_hidden()
    tool.locator("summary").click()
    expect(tool.locator("pre").first).to_contain_text("tents")
    page.get_by_role("button", name="Take over").click()
    handed.get_by_role("button", name="Use").click()
    expect(page.get_by_role("textbox", name="Reply to the shopper")).to_have_value(re.compile(f"about order {number}"))


def test_a_takeover_and_back(shopper: Any, at_desk: Any) -> None:
    """Acceptance 18: seen at once, owned by one, no agent after it, and a summary that the agent goes on from."""
    one, word = shopper(), peculiar()
    one.says(f"hello {word}")
    one.wants_a_person()
    sam, noor = at_desk("Sam"), at_desk("Noor")
    sam.opens(word)
    noor.opens(word)
    expect(sam.page.get_by_role("button", name="Reply", exact=True)).to_be_disabled()
    expect(sam.page.locator(".ds-others")).to_contain_text("Noor looks at this too", timeout=SOON_MS)
    _deaf(noor.page)
    sam.takes()
    one.is_with("human")
    noor.page.get_by_role("button", name="Take over").click()
    _hears(noor.page)
    expect(noor.page.locator(".st-toast")).to_contain_text("Owned by Sam.", timeout=SOON_MS)
    noor.page.reload()
    expect(noor.page.locator(".ds-banner")).to_contain_text("Owned by Sam", timeout=SOON_MS)

    box = sam.page.get_by_role("textbox", name="Reply to the shopper")
    box.press_sequentially("Hi")
    expect(one.page.locator(".ic-typing")).to_have_text("Support is typing…", timeout=SOON_MS)
    expect(noor.page.locator(".ds-others")).to_contain_text("Sam is writing", timeout=SOON_MS)
    sam.replies("Hi, I am here now.")
    expect(one.words.last).to_contain_text("Hi, I am here now.", timeout=SOON_MS)
    expect(one.page.locator(".ic-typing")).to_have_count(0)
    expect(one.page.locator(".ic-name").last).to_have_text("Support")
    before = one.words.count()
    one.say("show me sleeping bags")
    expect(sam.page.locator("[data-role=user]").last).to_contain_text("sleeping bags", timeout=SOON_MS)
    sam.page.get_by_role("button", name="Internal note").click()
    sam.page.get_by_role("textbox", name="Note for").fill("She is nice. Secret word.")
    sam.page.get_by_role("button", name="Add note").click()
    expect(noor.page.locator(".ds-entry[data-kind=note]")).to_contain_text("Secret word", timeout=SOON_MS)
    assert one.words.count() == before
    assert "Secret word" not in one.page.content()

    sam.page.get_by_role("button", name="Return to assistant").click()
    sam.page.get_by_label("What you did").fill("Promised a voucher for the pole.")
    sam.page.get_by_role("button", name="Return", exact=True).click()
    one.is_with("agent")
    expect(sam.page.locator(".ds-banner")).to_contain_text("resolved", timeout=SOON_MS)
    one.ask("thanks, show me tents")
    sam.page.get_by_role("button", name="Reopen").click()
    expect(sam.page.get_by_role("button", name="Return to assistant")).to_be_visible(timeout=SOON_MS)


def _deaf(page: Page) -> None:
    """The page goes on showing the case as it is now: what it asks of it waits until ``_hears``."""
    page.evaluate("""() => {
        const [real, released] = [window.fetch, new Promise((done) => { window.release = done; })];
        const held = (path) => String(path).startsWith('/v1/cases/');
        window.fetch = (path, options) => (held(path) ? released.then(() => real(path, options)) : real(path, options));
    }""")


def _hears(page: Page) -> None:
    page.evaluate("window.release()")


def test_two_shoppers_pages_and_two_staff_have_one_story(shopper: Any, at_desk: Any, server: Server) -> None:
    """Everybody writes at once; everybody sees the same, in the same order."""
    one, word = shopper(), peculiar()
    one.says(f"hello {word}")
    one.wants_a_person()
    twin = Shopper(one.visit, one.url, one.thread)
    one.is_with("waiting_human")
    twin.is_with("waiting_human")
    sam, noor = at_desk("Sam"), at_desk("Noor")
    sam.opens(word)
    noor.opens(word)
    sam.takes()
    one.is_with("human")
    noor.page.get_by_role("button", name="Internal note").click()
    for number in range(4):
        one.say(f"first page {number}")
        sam.replies(f"staff {number}")
        twin.say(f"second page {number}")
        noor.page.get_by_role("textbox", name="Note for").fill(f"note {number}")
        noor.page.get_by_role("textbox", name="Note for").press("Control+Enter")
        expect(noor.page.locator(".ds-entry[data-kind=note]")).to_have_count(number + 1, timeout=SOON_MS)
    for number in range(4):
        for page in (one.page, twin.page, sam.page, noor.page):
            for words in (f"first page {number}", f"second page {number}", f"staff {number}"):
                expect(page.get_by_text(words, exact=True)).to_have_count(1, timeout=SOON_MS)
    told = heard(one)
    assert heard(twin) == told
    assert story(sam.page) == story(noor.page) == told
    asked: list[str] = []
    noor.page.on("request", lambda request: asked.append(request.url.partition("/v1")[2]))
    noor.page.reload()
    expect(noor.page.locator(".ds-entry[data-kind=note]")).to_have_count(4, timeout=SOON_MS)
    case = noor.page.url.rpartition("/")[2]
    assert 1 <= asked.count(f"/cases/{case}") <= 4  # the log tells nine times that something was done to it
    expect(noor.page.locator("ic-order-panel > .op-empty")).to_be_visible(timeout=SOON_MS)
    assert (
        len([path for path in asked if path.startswith("/staff/panel?")]) <= 4
    )  # it tells thirty times that one spoke
    expect(noor.page.locator(".ds-entry")).to_have_count(sam.page.locator(".ds-entry").count(), timeout=SOON_MS)
    kinds = "nodes => nodes.map(node => node.dataset.kind + node.dataset.id)"
    assert sam.page.eval_on_selector_all(".ds-entry", kinds) == noor.page.eval_on_selector_all(".ds-entry", kinds)
    assert [one for one in told if one.startswith("staff")] == [f"staff {number}" for number in range(4)]


def test_a_note_under_way_stays_a_note_when_the_case_is_given(shopper: Any, at_desk: Any) -> None:
    one, word = shopper(), peculiar()
    one.says(f"hello {word}")
    one.wants_a_person()
    sam, noor = at_desk("Sam"), at_desk("Noor")
    sam.opens(word)
    expect(sam.page.locator("ic-order-panel > .op-empty")).to_have_css("padding", "16px")
    note = sam.page.get_by_role("textbox", name="Note for")
    note.press_sequentially("Not for her: ")
    noor.opens(word).get_by_label("Give the case to").select_option(label="Sam")
    expect(sam.page.get_by_role("button", name="Return to assistant")).to_be_visible(timeout=SOON_MS)
    sam.page.keyboard.type("she was here before.")
    expect(note).to_have_value("Not for her: she was here before.")


def test_keys_alone(shopper: Any, at_desk: Any) -> None:
    """From the queue to the answer and back without a mouse."""
    one, word = shopper(), peculiar()
    one.says(f"hello {word}")
    one.wants_a_person()
    page = at_desk("Ola").looks()
    expect(page.locator(".ds-row", has_text=word)).to_be_visible(timeout=SOON_MS)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Next case")
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type(word)
    expect(page.locator(".ds-row")).to_have_count(1, timeout=SOON_MS)
    page.keyboard.press("Enter")
    expect(page.locator(".ds-row")).to_be_focused()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("t")
    expect(page.get_by_role("button", name="Return to assistant")).to_be_visible(timeout=TURN_MS)
    one.is_with("human")
    page.keyboard.press("r")
    expect(page.get_by_role("textbox", name="Reply to the shopper")).to_be_focused()
    page.keyboard.type("By keys alone.")
    page.keyboard.press("Control+Enter")
    expect(one.words.last).to_contain_text("By keys alone.", timeout=SOON_MS)
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.keyboard.type("A note.")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".ds-entry[data-kind=note]")).to_contain_text("A note.", timeout=SOON_MS)
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    expect(page.get_by_label("What you did")).to_be_focused()
    page.keyboard.type("Answered.")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    one.is_with("agent")
    page.keyboard.press("q")
    expect(page.get_by_role("heading", name="Queue")).to_be_visible(timeout=SOON_MS)


def test_macros_priority_and_colleagues(shopper: Any, at_desk: Any) -> None:
    one, word = shopper(), peculiar()
    one.says(f"hello {word}")
    one.wants_a_person()
    sam = at_desk("Sam")
    name = f"Greeting {word}"
    page = sam.page
    page.goto(f"{sam.url}/staff/macros")
    page.get_by_role("button", name="New macro").press("Enter")
    card = page.get_by_role("dialog")
    card.get_by_label("Name", exact=True).fill(name)
    card.get_by_label("What it says", exact=True).fill("Hello about ")
    page.keyboard.press("Escape")
    expect(card.get_by_role("alert")).to_contain_text("not saved")
    card.get_by_role("button", name="Insert case.number").press("Enter")
    page.keyboard.type(", ")
    card.get_by_role("button", name="Create").press("Enter")
    page.get_by_label("Find by name or words").fill(word)
    row = page.locator(".mc-table tbody tr")
    expect(row).to_contain_text(f"{name} Hello about case.number,", use_inner_text=True)
    row.get_by_role("button", name="Edit").press("Enter")
    _elsewhere(page, name)
    card.get_by_label("What it says", exact=True).fill("{{ case.number }} it is")
    card.get_by_role("button", name="Save").press("Enter")
    expect(card.get_by_role("alert")).to_contain_text("Somebody else changed this macro meanwhile.")
    card.get_by_role("button", name="Cancel").click()
    page = sam.opens(word)
    sam.takes()
    page.get_by_label("Insert a macro").select_option(name)
    expect(page.get_by_role("textbox", name="Reply to the shopper")).to_have_value(re.compile("^Hello, H-"))
    page.get_by_label("Priority").select_option("urgent")
    expect(page.locator(".ds-news").last).to_contain_text("You set the priority to urgent", timeout=SOON_MS)
    page.get_by_label("Give the case to").select_option("noor")
    expect(page.locator(".ds-banner")).to_contain_text("Owned by Noor", timeout=SOON_MS)
    expect(page.get_by_role("button", name="Reply", exact=True)).to_be_disabled()


def test_who_called_is_written_down_and_counted_on_every_page(at_desk: Any) -> None:
    """A case without a conversation, from its first word to its end."""
    sam, word = at_desk("Sam"), peculiar()
    page = sam.page
    badge = page.locator(".st-nav a[href='/staff'] .st-count")
    page.goto(f"{sam.url}/staff/macros")
    expect(badge).to_be_attached(timeout=SOON_MS)
    before = int(badge.text_content() or "0")
    page.goto(f"{sam.url}/staff")
    expect(page.get_by_role("button", name="Take next")).to_be_visible()
    page.keyboard.press("c")
    card = page.get_by_role("dialog")
    card.get_by_label("What it is about").fill(f"Called {word}")
    card.get_by_label("Order number").fill("SP-0")
    card.get_by_label("What they said").fill("The color is wrong.")
    card.get_by_role("button", name="Write it down").click()
    expect(card.get_by_role("alert")).to_contain_text("There is no such order")
    card.get_by_label("Order number").fill("")
    card.get_by_role("button", name="Write it down").click()
    expect(page.get_by_role("heading", name=f"Called {word}")).to_be_visible(timeout=SOON_MS)
    expect(page.get_by_role("log")).to_contain_text("This case has no conversation.")
    expect(badge).to_have_text(str(before + 1))
    page.get_by_role("button", name="Take over").click()
    page.get_by_role("button", name="Resolve").click(timeout=SOON_MS)
    card.get_by_label("What you did").fill("Sent the other one.")
    card.get_by_role("button", name="Resolve it").click()
    expect(page.get_by_role("button", name="Reopen")).to_be_visible(timeout=SOON_MS)
    expect(badge).to_have_text(str(before))


def _elsewhere(page: Page, name: str) -> None:
    """A colleague changes the macro of that name."""
    change = """async (name) => {
      const { get, patch } = await import('/static/staff/api.js');
      const { items } = await get('/v1/macros?limit=200');
      const { id } = items.find((one) => one.name === name);
      await patch(`/v1/staff/macros/${id}`, { body: 'Hello, {{ case.number }}!' });
    }"""
    page.evaluate(change, name)


def test_what_is_half_written_stays_and_nothing_is_said_twice(shopper: Any, at_desk: Any) -> None:
    """The answer to a reply is lost, and it is sent again; a note is begun, the page left and come back to."""
    one, word = shopper(), peculiar()
    one.says(f"hello {word}")
    one.wants_a_person()
    sam = at_desk("Sam")
    page = sam.opens(word)
    sam.takes()
    box = page.get_by_role("textbox", name="Reply to the shopper")
    page.route("**/reply", lambda route: [route.fetch(max_retries=AGAIN), route.abort()])
    box.fill("It is on its way.")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".st-toast.bad")).to_contain_text("No answer from the server.", timeout=SOON_MS)
    page.unroute("**/reply")
    expect(box).to_have_value("It is on its way.")
    page.get_by_role("button", name="Send").click()
    expect(box).to_have_value("")
    assert story(page).count("It is on its way.") == 1
    page.get_by_role("button", name="Internal note").click()
    page.get_by_role("textbox", name="Note for").fill("Ask the carrier")
    page.goto(f"{sam.url}/staff")
    page.go_back()
    page.get_by_role("button", name="Internal note").click(timeout=SOON_MS)
    expect(page.get_by_role("textbox", name="Note for")).to_have_value("Ask the carrier")
    kept = "Object.keys(sessionStorage).filter((name) => name.startsWith('ic-draft:')).length"
    assert page.evaluate(kept) == 1
    page.goto("about:blank")  # the case would lead to the door once it is nobody's whom it knows
    sign_in(page.context, sam.url, "Noor")
    page.goto(f"{sam.url}/staff")
    expect(page.get_by_role("heading", name="Queue")).to_be_visible()
    assert page.evaluate(kept) == 0


def in_haste(page: Page) -> None:
    """A reply, a note and the return to the assistant by keys, without looking up."""
    page.keyboard.type("It is on its way.")
    for _ in range(2):
        page.keyboard.press("Control+Enter")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.keyboard.type("Ask the carrier.")
    page.keyboard.press("Control+Enter")
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    page.keyboard.type("Answered.")
    page.get_by_role("button", name="Return", exact=True).press("Enter")


def test_what_is_done_by_keys_while_a_reply_is_on_its_way_waits_for_it(shopper: Any, at_desk: Any) -> None:
    """Where the reply fails, it is not done: the shopper would not have the answer."""
    one, word = shopper(), peculiar()
    one.says(f"hello {word}")
    one.wants_a_person()
    sam = at_desk("Sam")
    page = sam.opens(word)
    sam.takes()
    notes = page.locator(".ds-entry[data-kind=note]")
    page.route("**/reply", lambda route: route.abort())
    in_haste(page)
    expect(page.locator(".st-toast.bad")).to_contain_text("No answer from the server.", timeout=SOON_MS)
    expect(page.get_by_role("button", name="Return to assistant")).to_be_enabled()
    expect(page.get_by_role("textbox", name="Note for")).to_have_value("Ask the carrier.")
    assert notes.count() == 0
    page.unroute("**/reply")
    page.get_by_role("textbox", name="Note for").fill("")
    page.get_by_role("button", name="Reply", exact=True).click()
    page.get_by_role("textbox", name="Reply to the shopper").fill("")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/reply", hold, times=1)
    in_haste(page)
    assert notes.count() == 0
    [route] = held
    route.continue_()
    expect(page.get_by_role("button", name="Reopen")).to_be_visible(timeout=SOON_MS)
    expect(notes).to_contain_text(["Ask the carrier.", "Answered."])
    assert story(page).count("It is on its way.") == 1
    one.is_with("agent")


def test_no_violation_and_no_overflow(shopper: Any, at_desk: Any) -> None:
    """Acceptance 16 for the queue and the thread."""
    one, word = shopper(), peculiar()
    one.says("show me tents")
    one.says(f"{ANGRY} {word}")
    one.wants_a_person()
    desk = at_desk("Sam")
    page = desk.looks()
    expect(page.locator(".ds-row", has_text=word)).to_be_visible(timeout=SOON_MS)
    sound(page, "desk/queue")
    desk.opens(word)
    expect(page.locator(".ds-card ic-products")).to_be_attached()
    sound(page, "desk/case")
    page.get_by_role("button", name="Take over").click()
    expect(page.get_by_role("button", name="Return to assistant")).to_be_visible(timeout=SOON_MS)
    sound(page, "desk/mine")
