"""The cards of what comes after a purchase: each is seen, in light and dark, on a phone, a tablet and a desk."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser import fake_after as after
from tests.browser.looks import sound

pytestmark = pytest.mark.browser

RED = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC")
PHOTO = {"name": "pole.png", "mimeType": "image/png", "buffer": RED}


def show(chat: Any, kind: str, content: Any, message_id: str) -> None:
    """News that no request caused."""
    thread = chat.shop.newest()
    chat.shop.do(lambda: thread.card(kind, content, message_id))


def test_every_card_is_seen(new_shopper: Any) -> None:
    chat = new_shopper(reduced_motion="reduce").open()
    chat.ask("hello")
    cards = after.everything()
    for message_id, kind, content in cards:
        show(chat, kind, content, message_id)
    chat.shop.do(lambda: setattr(chat.shop.newest(), "mode", "waiting_human"))
    mode = {"mode": "waiting_human", "reference": "HND-2201"}
    chat.shop.do(lambda: chat.shop.newest().add("CUSTOM", name="conversation.mode", value=mode))
    shown = chat.page.locator(".ic-log > .ic-entry[data-role=card]")
    expect(shown).to_have_count(len(cards))
    for one in shown.all():
        expect(one.locator("> .ic-card")).not_to_be_empty()
    expect(chat.page.locator("ic-handoff")).to_contain_text("You are number 3 in line")
    chat.page.evaluate("document.fonts.ready")
    sound(chat.page, "chat/after", full_page=True)


def test_parcels_and_returns_are_lanes_of_their_own(chat: Any) -> None:
    chat.ask("hello")
    show(chat, "order_timeline", after.split_order(), "ord_1")
    lanes = chat.page.locator("ic-timeline .lane")
    expect(lanes).to_have_count(4)
    names = [lane.get_by_role("heading").inner_text() for lane in lanes.all()]
    assert names == ["Parcel 1 of 2", "Parcel 2 of 2", "Return SP-1042-R1", "Refund"]
    first = lanes.nth(0)
    expect(first.get_by_role("link")).to_have_attribute("href", re.compile(r"^https://www\.ups\.com/track\?"))
    expect(first.get_by_role("link")).to_have_attribute("rel", "noopener noreferrer")
    expect(first).to_contain_text("Expected Tue, Dec 1")
    expect(first.locator("li .name").first).to_have_text("Arrived at the Portland depot")
    told = first.locator("time").first
    local = chat.page.evaluate(
        "at => new Intl.DateTimeFormat('en-US', {dateStyle: 'medium', timeStyle: 'short'}).format(new Date(at))",
        told.get_attribute("datetime"),
    )
    expect(told).to_have_text(local)
    expect(lanes.nth(2).locator("li .name").first).to_have_text("At the Reno depot")


def test_a_sign_of_a_parcel_appears_in_the_card_without_a_reload(chat: Any) -> None:
    chat.ask("hello")
    order = after.split_order()
    show(chat, "order_timeline", order, "ord_1")
    expect(chat.page.locator("ic-timeline .lane")).to_have_count(4)
    sign = {"at": "2026-11-26T03:00:00Z", "status": "out_for_delivery", "text": "In the van"}
    order["shipments"][0]["events"].append(sign)
    show(chat, "order_timeline", order, "ord_1")
    expect(chat.page.locator("ic-timeline .lane").first).to_contain_text("In the van")


def test_pictures_are_picked_made_small_and_sent_one_by_one(chat: Any, shop: Any) -> None:
    chat.ask("hello")
    show(chat, "return", after.return_card(), "ret_1")
    card = chat.page.locator("ic-return")
    expect(card).to_contain_text("up to 20 MB each")
    card.locator("input[type=file]").set_input_files([PHOTO, PHOTO | {"name": "tear.png"}])
    expect(card.locator(".shots img")).to_have_count(2)
    expect(card.get_by_role("status")).to_have_text("pole.png is with the shop. tear.png is with the shop.")
    assert sorted((path, body["name"]) for path, body in shop.pictures) == [
        ("/v1/returns/ret_1/evidence", "pole.png"),
        ("/v1/returns/ret_1/evidence", "tear.png"),
    ]
    for _, body in shop.pictures:
        assert base64.b64decode(body["content"]).startswith(b"\xff\xd8\xff")


def test_a_large_photo_is_shrunk_and_forgets_where_it_was_taken(chat: Any, shop: Any) -> None:
    chat.ask("hello")
    show(chat, "claim", after.claim_card(), "clm_1")
    made = chat.page.evaluate(
        """async () => {
          const canvas = Object.assign(document.createElement('canvas'), {width: 3000, height: 2000});
          const paper = canvas.getContext('2d');
          for (let x = 0; x < 3000; x += 20) {
            paper.fillStyle = `hsl(${x} 60% 50%)`;
            paper.fillRect(x, x % 700, 20, 900);
          }
          return canvas.toDataURL('image/jpeg', 1).split(',')[1];
        }"""
    )
    raw = base64.b64decode(made)
    told = b"\xff\xe1" + (2 + 6 + 22).to_bytes(2, "big") + b"Exif\0\0" + b"GPS 47.3769 N 8.5417 E"
    photo = {"name": "home.jpg", "mimeType": "image/jpeg", "buffer": raw[:2] + told + raw[2:]}
    chat.page.locator("ic-claim input[type=file]").set_input_files([photo])
    expect(chat.page.locator("ic-claim").get_by_role("status")).to_contain_text("home.jpg is with the shop.")
    sent = base64.b64decode(shop.pictures[0][1]["content"])
    assert b"GPS" not in sent
    size = chat.page.evaluate(
        """async text => { const image = new Image(); image.src = `data:image/jpeg;base64,${text}`;
        await image.decode(); return [image.width, image.height]; }""",
        shop.pictures[0][1]["content"],
    )
    assert size == [2048, 1365]


def test_a_picture_can_be_pasted_or_dropped_on_the_message_box(chat: Any, shop: Any) -> None:
    chat.ask("hello")
    show(chat, "return", after.return_card(), "ret_1")
    expect(chat.page.locator("ic-evidence input")).to_be_attached()
    given = """([selector, type, made]) => {
      const bytes = Uint8Array.from(atob(made), c => c.charCodeAt(0));
      const held = new DataTransfer();
      held.items.add(new File([bytes], `${type}.png`, {type: 'image/png'}));
      const more = type === 'paste' ? {clipboardData: held} : {dataTransfer: held};
      const kind = type === 'paste' ? ClipboardEvent : DragEvent;
      document.querySelector(selector).dispatchEvent(new kind(type, {bubbles: true, cancelable: true, ...more}));
    }"""
    text = base64.b64encode(RED).decode()
    for selector, kind in (("#composer", "paste"), ("#composer", "drop"), ("ic-evidence .drop", "drop")):
        before = len(shop.pictures)
        chat.page.evaluate(given, [selector, kind, text])
        expect(chat.page.locator("ic-return .shots img")).to_have_count(before + 1)
        chat.until(lambda before=before: len(shop.pictures) > before)
    assert [body["name"] for _, body in shop.pictures] == ["paste.png", "drop.png", "drop.png"]
    with chat.page.expect_file_chooser():
        chat.page.locator(".ic-composer").get_by_role("button", name="Add pictures").click()


def test_what_is_refused_or_lost_says_so_and_is_sent_again_under_the_same_key(chat: Any, shop: Any) -> None:
    chat.ask("hello")
    show(chat, "return", after.return_card(), "ret_1")
    card = chat.page.locator("ic-return")
    keys: list[str | None] = []

    def note(asked: Any) -> None:
        if asked.method == "POST":
            keys.append(asked.headers.get("idempotency-key"))

    chat.page.on("request", note)
    shop.refuse_pictures = 1
    card.locator("input[type=file]").set_input_files([PHOTO])
    expect(card.locator(".failed")).to_contain_text("At most 10 files are taken.")
    card.get_by_role("button", name="Try again").click()
    expect(card.get_by_role("status")).to_have_text("pole.png is with the shop.")
    assert (len(keys), len(set(keys)), len(shop.pictures)) == (2, 1, 1)
    page = {"name": "page.html", "mimeType": "text/html", "buffer": b"<script>alert(1)</script>"}
    fake = {"name": "fake.png", "mimeType": "image/png", "buffer": b"<svg onload=alert(1)>"}
    card.locator("input[type=file]").set_input_files([page, fake])
    expect(card.locator(".failed")).to_have_count(2)
    expect(card.locator(".failed").first).to_contain_text("Only PNG, JPEG and WebP pictures are taken.")
    card.get_by_role("button", name="Remove").first.click()
    expect(card.locator(".failed")).to_have_count(1)
    assert len(shop.pictures) == 1


def test_only_the_newest_card_of_a_return_asks_for_pictures(chat: Any) -> None:
    chat.ask("hello")
    show(chat, "return", after.return_card(), "ret_1-a")
    show(chat, "return", after.return_card(), "ret_1-b")
    expect(chat.page.locator("ic-return")).to_have_count(2)
    expect(chat.page.locator("ic-evidence")).to_have_count(1)
    expect(chat.page.get_by_role("link", name="Print the label")).to_have_count(1)
    assert chat.page.locator("ic-evidence").evaluate("e => e.closest('.ic-entry').dataset.id") == "ret_1-b"


def test_one_of_several_offers_is_chosen_with_one_press(chat: Any, shop: Any) -> None:
    chat.ask("hello")
    shop.hold_at = "decision"
    show(chat, "claim_choice", after.claim_choice(), "cnf_9")
    card = chat.page.locator("ic-claim-choice")
    expect(card.get_by_role("heading", level=2)).to_be_focused()
    with chat.page.expect_response("**/runs"):
        card.get_by_role("button", name="Money back · $279.00").dblclick()
        expect(card).to_contain_text("Working on it")
    shop.hold_at = None
    chosen = [(key, body["resume"][0]["payload"]) for key, body in shop.posts if "resume" in body]
    assert chosen == [("cnf_9:approve:refund", {"approved": True, "choice": "refund"})]


def test_a_request_for_a_person_says_its_place_and_when_nobody_is_there(chat: Any, shop: Any) -> None:
    chat.page.clock.install()
    chat.ask("hello")
    chat.page.get_by_role("button", name="Talk to a person").first.click()
    card = chat.page.locator("ic-handoff")
    expect(card).to_contain_text("We asked a person to join")
    expect(card).to_contain_text("HND-2201")
    opens = "2026-11-30T17:00:00Z"
    shop.handoff = after.handoff(position=1, opens_at=opens)
    chat.page.clock.run_for(16_000)
    expect(card).to_contain_text("You are next")
    expect(card).to_contain_text("Nobody is here right now. We are back Nov 30, 2026, 9:00\u202fAM")
    expect(card).to_contain_text("Monday to Friday, 9 to 5")
    shop.do(lambda: shop.newest().add("CUSTOM", name="conversation.mode", value={"mode": "human"}))
    expect(card.get_by_role("heading")).to_have_text("A person is here")
    expect(card).not_to_contain_text("You are next")


STATES = [
    "empty",
    "answered",
    "checkout",
    "card open",
    "card ran out",
    "declined",
    "failed turn",
    "cart open",
    "card entry",
]


@pytest.mark.parametrize("state", STATES)
def test_a_person_is_one_press_away(new_shopper: Any, shop: Any, state: str) -> None:
    chat = new_shopper(viewport={"width": 390, "height": 844}).open()
    page = chat.page
    said = {"answered": "a tent", "checkout": "check out", "declined": "decline", "failed turn": "break it"}
    if state in said:
        chat.ask(said[state])
    if state in {"card open", "card ran out", "card entry"}:
        card = chat.checkout()
        if state == "card ran out":
            chat.wait(shop.expires_seconds)
            expect(card.get_by_role("heading")).to_have_text("This offer ran out")
        if state == "card entry":
            card.get_by_role("button", name="Use another card").click()
    if state == "cart open":
        page.get_by_role("button", name="Open cart").click()
    scope = page.locator("dialog[open]") if state in {"cart open", "card entry"} else page.locator(".ic-composer")
    scope.get_by_role("button", name="Talk to a person").click()
    expect(page.locator("ic-handoff")).to_contain_text("HND-2201")
    expect(page.locator("dialog[open]")).to_have_count(0)
    assert shop.posts[-1][1] == {"action": {"name": "request_human", "args": {}}}


HOSTILE = [
    "<script>window.hacked=1</script>", "<img src=x onerror=window.hacked=1>", "![x](https://evil.example/x.png)",
    "[a](javascript:window.hacked=1)", "[a](JaVaScRiPt:window.hacked=1)", "[a](data:text/html,<script>1</script>)",
    "[a](//evil.example/x)", "[a](https://user:pass@evil.example/)", '[a](https://x.example/"onclick="hacked=1)',
    "[a](/ok' onmouseover='hacked=1)", "**<svg onload=window.hacked=1>**", "`</code><script>hacked=1</script>`",
    "[![x](/y.png)](javascript:1)", "<a href='javascript:1'>x</a>", "# <iframe src=javascript:1>",
    "* [b](vbscript:1) <b>x</b>", "1. <style>*{display:none}</style>", "[x](blob:https://a/b) [x](file:///etc/passwd)",
    "\u202e[x](https:\\\\evil.example)", "[x]( javascript:1)", "[" * 400 + "a" + "](x)" * 400, "*" * 3000,
]  # fmt: skip
LOOK = """() => [...document.querySelectorAll('.ic-words *')].flatMap(e => [
  ['STRONG','EM','CODE','A','P','UL','OL','LI','BR'].includes(e.tagName) ? null : e.tagName,
  ...[...e.attributes].map(a => ['href','rel','target','start'].includes(a.name) ? null : a.name),
  e.tagName === 'A' && !/^(https:\\/\\/|\\/(?!\\/))/.test(e.getAttribute('href')) ? e.outerHTML : null,
  e.tagName === 'A' && e.origin !== location.origin && !e.rel.includes('noopener') ? e.outerHTML : null,
].filter(Boolean))"""


def test_hostile_words_stay_words(chat: Any, shop: Any) -> None:
    """Every sample alone, and pairs of them woven into each other."""
    chat.ask("hello")
    woven = [one[: len(one) // 2] + two + one[len(one) // 2 :] for one in HOSTILE[:20] for two in HOSTILE[:20:3]]
    for number, text in enumerate([*HOSTILE, *woven]):
        fields = {"messageId": f"bad-{number}"}

        def say(text: str = text, fields: Any = fields) -> None:
            shop.newest().add("TEXT_MESSAGE_START", role="assistant", **fields)
            shop.newest().add("TEXT_MESSAGE_CONTENT", delta=text, **fields)
            shop.newest().add("TEXT_MESSAGE_END", **fields)

        shop.do(say)
    last = chat.page.locator(f'[data-id="bad-{len(HOSTILE) + len(woven) - 1}"]')
    expect(last).to_be_visible()
    assert chat.page.evaluate(LOOK) == []
    assert chat.page.evaluate("window.hacked") is None
    assert json.dumps(shop.posts).count("hacked") == 0


def test_links_go_to_our_own_pages_or_out_by_https(chat: Any, shop: Any) -> None:
    chat.ask("hello")
    text = "[order](/order/SP-1) [out](https://example.com/a?b=1) [plain](http://example.com/)"
    shop.do(lambda: shop.newest().add("TEXT_MESSAGE_START", role="assistant", messageId="m1"))
    shop.do(lambda: shop.newest().add("TEXT_MESSAGE_CONTENT", messageId="m1", delta=text))
    words = chat.page.locator('[data-id="m1"] .ic-words')
    expect(words.get_by_role("link")).to_have_count(2)
    expect(words.get_by_role("link", name="order")).to_have_attribute("href", "/order/SP-1")
    out = words.get_by_role("link", name="out")
    expect(out).to_have_attribute("href", "https://example.com/a?b=1")
    expect(out).to_have_attribute("rel", "noopener noreferrer")
    expect(out).to_have_attribute("target", "_blank")
