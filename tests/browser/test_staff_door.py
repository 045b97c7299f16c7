"""The console's door and shell in a real browser: in, by keyboard, out; nothing foreign, nothing inaccessible."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.app.test_serve import Server
from tests.browser.contexts import Contexts, Visit
from tests.browser.looks import OVERFLOW, picture, sound, violations
from tests.browser.real import SHOP, Guest, letter_to, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SMALL = """() => [...document.querySelectorAll('button, select, summary, textarea, input, nav a')]
  .filter(e => e.type !== 'hidden' && e.checkVisibility({visibilityProperty: true}))
  .map(e => [e.textContent.trim() || e.ariaLabel || e.name, (e.closest('label') ?? e).getBoundingClientRect()])
  .filter(([, r]) => r.width && (r.width < 43.5 || r.height < 43.5)).map(([name, r]) => [name, r.width, r.height])"""


@dataclass
class Desk:
    """Somebody's browser at the door."""

    visit: Visit
    url: str

    def __post_init__(self) -> None:
        self.page: Page = self.visit.page()

    def go(self, path: str) -> None:
        self.page.goto(self.url + path)

    def come_in(self, name: str) -> None:
        self.go(f"/staff/sign-in?shop={SHOP}")
        self.page.get_by_role("button", name=re.compile(f"^{name}")).click()
        expect(self.page.locator(".st-me summary")).to_contain_text(name)

    def sound(self) -> None:
        """As it is now: nothing that axe finds, nothing too small for a finger, nothing wider than the window."""
        assert violations(self.page) == []
        assert self.page.evaluate(SMALL) == []
        assert self.page.evaluate(OVERFLOW) <= 0


Open = Callable[..., Desk]


@pytest.fixture
def desk_at(contexts: Contexts, server: Server) -> Iterator[Open]:
    made: list[Desk] = []

    def make(width: int = 1280, height: int = 800, **options: Any) -> Desk:
        made.append(Desk(contexts.take(viewport={"width": width, "height": height}, **options), server.url))
        return made[-1]

    yield make
    for desk in made:
        contexts.give(desk.visit)
        said = [text for text in desk.visit.complaints() if "status of 4" not in text]
        assert (desk.visit.foreign(desk.url), said) == ([], [])


def test_door_and_people_at_every_width(desk_at: Open) -> None:
    desk = desk_at()
    page = desk.page
    desk.go(f"/staff/sign-in?shop={SHOP}")
    sound(page, "staff/sign-in", small=SMALL)
    desk.come_in("Ada")
    desk.go("/staff/people")
    expect(page.get_by_role("rowheader", name="Ada")).to_be_visible()
    sound(page, "staff/people", small=SMALL)
    page.get_by_role("button", name="Disable: Sam").click()
    sound(page, "staff/confirm", small=SMALL)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Disable: Sam")).to_be_focused()


@pytest.mark.parametrize("width", [1280, 768, 390, 320])
def test_where_one_is_and_what_the_menu_holds_at_every_width(desk_at: Open, width: int) -> None:
    desk = desk_at(width, 844)
    Guest(desk.visit, desk.url).says("I want to talk to a person")
    sign_in(desk.visit.context, desk.url, "Ada")
    desk.go("/staff/people")
    expect(desk.page.locator(".st-nav .st-count").first).to_be_visible()  # what widens the navigation has come
    here = desk.page.get_by_role("link", name="People", exact=True)
    expect(here).to_be_in_viewport(ratio=0.98)  # but for a part of a pixel
    desk.page.locator(".st-me summary").click()
    picture(desk.page, f"staff/menu-{width}-light")
    assert desk.page.evaluate(SMALL) == []  # axe would measure what the open menu covers
    desk.page.keyboard.press("Escape")
    desk.page.get_by_role("button", name="Disable: Sam").click()
    expect(desk.page.get_by_role("button", name="Cancel")).to_be_in_viewport()
    assert desk.page.evaluate(OVERFLOW) <= 0


def test_by_mail_and_by_keyboard_alone(desk_at: Open) -> None:
    desk = desk_at()
    page = desk.page
    desk.go(f"/staff/people?shop={SHOP}")
    page.goto(f"{desk.url}/staff/sign-in?shop={SHOP}&next=/staff/people")
    page.get_by_label("Work e-mail").focus()
    page.keyboard.type(f"ada@{SHOP}.example")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Six-digit code")).to_be_focused()
    code = letter_to(desk.url, f"ada@{SHOP}.example", r"Your code is: (\d{6})")
    page.keyboard.type(other_than(code))
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("does not fit")
    desk.sound()
    expect(page.get_by_label("Six-digit code")).to_be_focused()
    page.keyboard.type(code)
    page.keyboard.press("Enter")
    expect(page.get_by_role("rowheader", name="Ada")).to_be_visible()  # drawn by a script: keys are heard

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog).to_be_visible()
    desk.sound()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.locator("main")).to_be_focused()


def test_invited_managed_and_out(desk_at: Open) -> None:
    admin, newcomer = desk_at(), desk_at(390, 844)
    admin.come_in("Ada")
    admin.go("/staff/people")
    page = admin.page
    page.get_by_role("button", name="Invite somebody").click()
    page.get_by_label("E-mail").fill("kim@people.example")
    page.get_by_label("Name, as customers see it").fill("Sam")
    page.get_by_role("button", name="Send the invitation").click()
    expect(page.get_by_role("alert")).to_contain_text("give another name")
    page.get_by_label("Name, as customers see it").fill("Kim")
    page.get_by_role("button", name="Send the invitation").click()
    expect(page.get_by_role("status")).to_contain_text("Kim is invited.")
    kim = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="Kim"))
    expect(kim).to_contain_text("Invited")

    newcomer.page.goto(letter_to(newcomer.url, "kim@people.example", r"(http\S+/staff/join\?\S+)"))
    newcomer.sound()
    newcomer.page.get_by_role("button", name="Come in").click()
    expect(newcomer.page.locator(".st-me summary")).to_be_visible()
    expect(newcomer.page.get_by_role("link", name="People")).to_have_count(0)

    page.get_by_role("button", name="Disable: Kim").click()
    page.get_by_role("button", name="Disable", exact=True).click()
    expect(kim).to_contain_text("Disabled")
    outside = newcomer.visit.page()  # the one that is open leads to the door by itself
    outside.goto(f"{newcomer.url}/staff")
    expect(outside.get_by_role("heading", level=1)).to_have_text("Sign in to the console")


def test_light_dark_or_as_the_system(desk_at: Open) -> None:
    desk = desk_at(color_scheme="light")
    desk.come_in("Sam")
    page = desk.page
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.locator(".st-me summary").click()
    page.get_by_label("Dark").check()
    dark = page.evaluate(ground)
    assert dark != light
    desk.sound()
    page.reload()
    assert page.evaluate(ground) == dark
    page.emulate_media(color_scheme="dark")
    page.locator(".st-me summary").click()
    page.get_by_label("Light").check()
    assert page.evaluate(ground) == light
    desk.sound()
    page.get_by_label("As the system").check()
    assert page.evaluate(ground) == dark
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in to the console")
    desk.go("/staff")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in to the console")


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"
