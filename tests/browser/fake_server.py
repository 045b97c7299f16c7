"""A small shop that keeps the conversation contract with canned answers: the page is developed and tested on it.

Run it by hand with ``python -m tests.browser.fake_server`` and open the address it prints.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, Header, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response, StreamingResponse
from jinja2 import Environment, FileSystemLoader, select_autoescape

from app.pages import STATIC, VersionedFiles, embedded
from app.theme import look, style
from app.wording import Wording, chosen, languages, locale, remember, words
from engine.theme.policy import ThemePolicy
from tests.browser import fake_data as data
from tests.browser.fake_script import answer

APP = Path(__file__).parents[2] / "app"
PAGES = Environment(loader=FileSystemLoader(APP / "templates"), autoescape=select_autoescape())
PAGES.globals["static"] = "/static"
TEST_CARDS = [
    {"number": "4242424242424242", "brand": "Visa", "note": "pays"},
    {"number": "4000000000000002", "brand": "Visa", "note": "is declined"},
]
JSON = dict[str, Any]
LANGUAGES = [[tag, words(tag).name] for tag in languages()]


def of(wording: Wording) -> JSON:
    """What every template has."""
    return {"version": "test", "look": "", "t": wording.say, "lang": wording.language, "dir": wording.direction}


@dataclass
class Thread:
    """One conversation: its log, what the log boils down to, and its open cards."""

    id: str
    mode: str = "agent"
    log: list[JSON] = field(default_factory=list)
    messages: list[JSON] = field(default_factory=list)
    cart: dict[str, int] = field(default_factory=dict)
    grown: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, event_type: str, **fields: Any) -> None:
        self.log.append({"type": event_type, **fields})
        self._remember(event_type, fields)
        self.grown.set()
        self.grown = asyncio.Event()

    def card(self, activity_type: str, content: JSON, message_id: str | None = None) -> None:
        message_id = message_id or f"msg_{len(self.log)}"
        self.add("ACTIVITY_SNAPSHOT", messageId=message_id, activityType=activity_type, content=content, replace=True)

    def message(self, message_id: str) -> JSON | None:
        return next((one for one in self.messages if one["id"] == message_id), None)

    def open_cards(self) -> list[JSON]:
        cards = [one["data"] for one in self.messages if one.get("activity_type") == "confirmation"]
        return [card for card in cards if card["status"] == "open"]

    def snapshot(self) -> JSON:
        interrupts = [
            {"id": card["id"], "reason": "confirmation", "expires_at": card["expires_at"], "checkout": card["checkout"]}
            for card in self.open_cards()
        ]
        return {
            "id": self.id,
            "mode": self.mode,
            "messages": self.messages,
            "interrupts": interrupts,
            "cart": data.cart(self.cart),
            "last_event": len(self.log),
            "active_agent": None,
        }

    def _remember(self, event_type: str, fields: JSON) -> None:
        known = self.message(fields.get("messageId", ""))
        if event_type == "TEXT_MESSAGE_START":
            role, name = fields["role"], fields.get("name")
            self.messages.append({"id": fields["messageId"], "role": role, "content": "", "name": name})
        elif event_type == "TEXT_MESSAGE_CONTENT" and known:
            known["content"] += fields["delta"]
        elif event_type == "ACTIVITY_SNAPSHOT" and known:
            known["data"] = fields["content"]
        elif event_type == "ACTIVITY_SNAPSHOT":
            kept = {"id": fields["messageId"], "role": "activity", "content": "", "name": None}
            self.messages.append(kept | {"activity_type": fields["activityType"], "data": fields["content"]})


@dataclass
class FakeShop:
    """The server's memory, open to the tests."""

    threads: dict[str, Thread] = field(default_factory=dict)
    posts: list[tuple[str, JSON]] = field(default_factory=list)
    """(idempotency key, body) of every POST that arrived on a thread's runs, replays included."""
    answers: dict[str, JSON] = field(default_factory=dict)
    captures: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    expires_seconds: float = 600
    token_seconds: float = 0.004
    hold_at: str | None = None
    """The tool, the decision or the words (``in`` what was said so far) at which turns wait until this is ``None``."""
    lose_answers: int = 0
    """So many next answers to runs are lost after the work was done."""
    refuse_runs: int = 0
    handoff: JSON | None = None
    pictures: list[tuple[str, JSON]] = field(default_factory=list)
    """(path, body) of every picture that arrived."""
    refuse_pictures: int = 0
    drop_streams: bool = False
    streams: int = 0
    streams_opened: int = 0
    base: str = ""
    psp: str = ""
    loop: asyncio.AbstractEventLoop | None = None
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    turns: set[asyncio.Task[None]] = field(default_factory=set)
    """Those under way."""

    def clear(self) -> None:
        """As a new one, at the same address: nobody's conversation goes on."""
        self.do(self._end)
        for _ in range(500):
            if not self.streams:
                return
            time.sleep(0.01)
        raise RuntimeError("a stream goes on")

    def _end(self) -> None:
        former, fresh = list(self.threads.values()), FakeShop()
        for turn in self.turns:
            turn.cancel()
        for one in fields(self):
            if one.name not in {"base", "psp", "loop", "ids", "streams"}:
                setattr(self, one.name, getattr(fresh, one.name))
        for thread in former:
            thread.grown.set()

    async def going(self, at: str) -> None:
        while self.hold_at is not None and self.hold_at in at:  # noqa: ASYNC110 -- it is set by another thread
            await asyncio.sleep(self.token_seconds)

    def newest(self) -> Thread:
        return list(self.threads.values())[-1]

    def do(self, work: Callable[[], None]) -> None:
        """Runs ``work`` on the server's loop: for news that no request caused."""
        if self.loop is None:
            raise RuntimeError("not serving")
        asyncio.run_coroutine_threadsafe(_later(work), self.loop).result(5)


async def _later(work: Callable[[], None]) -> None:
    work()


def shop_app(shop: FakeShop) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        shop.loop = asyncio.get_running_loop()
        yield

    app = FastAPI(lifespan=lifespan)
    app.mount("/static", VersionedFiles(directory=STATIC))
    add_pages(app, shop)
    add_threads(app, shop)
    add_runs(app, shop)
    add_evidence(app, shop)
    return app


def add_pages(app: FastAPI, shop: FakeShop) -> None:
    @app.middleware("http")
    async def security_headers(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        response.headers["Content-Security-Policy"] = (
            "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
            f"frame-src {shop.psp}; require-trusted-types-for 'script'; trusted-types lit-html icommerce-worker"
        )
        if request.url.path.startswith("/static/"):
            response.headers["Cache-Control"] = "max-age=3600"  # a browser asks for each of fresh files again
        return response

    @app.get("/")
    async def page(request: Request) -> HTMLResponse:
        wording = chosen(request)
        told = {"locale": locale("en-US", wording.language), "languages": LANGUAGES, "theme": "/theme/summit-pine.css"}
        config = data.CONFIG | {"tenant": data.CONFIG["tenant"] | told}
        text = PAGES.get_template("chat.html").render(
            tenant=config["tenant"],
            config_json=json.dumps(config),
            **(of(wording) | {"look": look(request)}),
            texts_json=embedded(wording.page()),
        )
        answer = HTMLResponse(text)
        remember(request, answer, wording)
        return answer

    @app.get("/healthz")
    async def healthz() -> JSON:
        return {"status": "ok"}

    @app.get("/favicon.ico")
    async def favicon() -> Response:
        return FileResponse(APP / "static/favicon.svg")

    @app.get("/theme/{slug}.css")
    async def theme(slug: str) -> Response:
        accent = next((one.get("accent") for one in data.CONFIG["tenants"] if one["slug"] == slug), None)
        return Response(style(ThemePolicy(accent=accent), data.CONFIG["tenant"]), media_type="text/css")

    @app.get("/media/{number}.svg")
    async def media(number: int) -> Response:
        return Response(data.picture(number), media_type="image/svg+xml")


def add_threads(app: FastAPI, shop: FakeShop) -> None:
    @app.post("/v1/threads", status_code=201)
    async def start(response: Response) -> JSON:
        thread = Thread(f"thr_{next(shop.ids)}")
        shop.threads[thread.id] = thread
        response.set_cookie("ic_session", "guest", httponly=True, samesite="lax")
        return {"id": thread.id, "mode": thread.mode, "tenant": "summit-pine"}

    @app.get("/v1/threads/{thread_id}")
    async def snapshot(thread_id: str) -> Response:
        thread = shop.threads.get(thread_id)
        if thread is None:
            return problem(404, "not_found", "No such conversation.")
        return JSONResponse(thread.snapshot())

    @app.get("/v1/threads/{thread_id}/events")
    async def events(thread_id: str, after: int = 0) -> Response:
        if shop.drop_streams:
            return problem(503, "unavailable", "Try again.")
        return Stream(shop, shop.threads[thread_id], after)


def add_runs(app: FastAPI, shop: FakeShop) -> None:
    @app.post("/v1/threads/{thread_id}/runs", status_code=202)
    async def run(thread_id: str, body: dict[str, Any], idempotency_key: Annotated[str, Header()]) -> Response:
        shop.posts.append((idempotency_key, body))
        if shop.refuse_runs:
            shop.refuse_runs -= 1
            return problem(422, "refused", "This could not be done.")
        if idempotency_key not in shop.answers:
            shop.answers[idempotency_key] = {"run_id": f"run_{next(shop.ids)}"}
            turn = answer(shop, shop.threads[thread_id], shop.answers[idempotency_key]["run_id"], body)
            shop.turns.add(task := asyncio.create_task(turn))
            task.add_done_callback(shop.turns.discard)
        if shop.lose_answers:
            shop.lose_answers -= 1
            return problem(503, "unavailable", "Try again.")
        return JSONResponse(shop.answers[idempotency_key], status_code=202)

    @app.get("/v1/checkout/card-entry")
    async def card_entry() -> JSON:
        return {"url": f"{shop.psp}/card-entry?session=ces_1"}


def add_evidence(app: FastAPI, shop: FakeShop) -> None:
    @app.post("/v1/returns/{_thing}/evidence", status_code=201)
    @app.post("/v1/claims/{_thing}/evidence", status_code=201)
    async def keep(_thing: str, request: Request, body: dict[str, Any]) -> Response:
        if shop.refuse_pictures:
            shop.refuse_pictures -= 1
            return problem(422, "evidence_refused", "At most 10 files are taken.")
        shop.pictures.append((request.url.path, body))
        return JSONResponse({"id": f"evd_{len(shop.pictures)}", "name": body["name"]}, status_code=201)

    @app.get("/v1/threads/{thread_id}/handoff")
    async def handoff(thread_id: str) -> Response:
        return JSONResponse(shop.handoff) if shop.handoff else problem(404, "not_found", "Nobody was asked.")


class Stream(StreamingResponse):
    """A conversation's log, for as long as somebody listens and the conversation is there."""

    def __init__(self, shop: FakeShop, thread: Thread, after: int) -> None:
        super().__init__(log(shop, thread, after), media_type="text/event-stream")
        self._shop = shop

    async def __call__(self, *asgi: Any) -> None:
        self._shop.streams += 1
        self._shop.streams_opened += 1
        try:
            await super().__call__(*asgi)
        finally:
            self._shop.streams -= 1


async def log(shop: FakeShop, thread: Thread, after: int) -> AsyncIterator[str]:
    yield ": hello\n\n"
    while not shop.drop_streams and shop.threads.get(thread.id) is thread:
        grown = thread.grown
        for seq in range(after + 1, len(thread.log) + 1):
            yield f"id: {seq}\ndata: {json.dumps(thread.log[seq - 1])}\n\n"
            after = seq
        try:
            await asyncio.wait_for(grown.wait(), 0.2)
        except TimeoutError:
            continue


def psp_app(shop: FakeShop) -> FastAPI:
    app = FastAPI()
    app.mount("/static", VersionedFiles(directory=STATIC))

    @app.get("/card-entry")
    async def form(session: str, request: Request) -> HTMLResponse:
        wording = chosen(request)
        told = {"words": dict(wording.part("hosted.card"))}
        config = {"session": session, "parent_origin": shop.base, "test_cards": TEST_CARDS} | told
        text = PAGES.get_template("card_entry.html").render(
            merchant=data.MERCHANT, config_json=json.dumps(config), **of(wording)
        )
        policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
            f"form-action 'self'; frame-ancestors {shop.base}; require-trusted-types-for 'script'"
        )
        return HTMLResponse(text, headers={"Content-Security-Policy": policy})

    @app.post("/card-entry")
    async def exchange(body: dict[str, Any]) -> Response:
        if body["number"].endswith("0002"):
            return problem(402, "card_declined", "The card was declined.")
        shop.tokens.append(token := f"ctk_{next(shop.ids)}")
        return JSONResponse({"token": token, "brand": "Visa", "last4": body["number"][-4:]})

    return app


def problem(status: int, code: str, detail: str) -> JSONResponse:
    return JSONResponse(
        {"type": "about:blank", "title": code, "status": status, "detail": detail, "code": code},
        status_code=status,
        media_type="application/problem+json",
    )


@contextmanager
def serving(app: FastAPI, port: int = 0) -> Iterator[str]:
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    bound = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{bound}"
    finally:
        server.should_exit = True
        thread.join(5)


@contextmanager
def serving_shop(port: int = 0) -> Iterator[FakeShop]:
    shop = FakeShop()
    with serving(psp_app(shop)) as psp, serving(shop_app(shop), port) as base:
        shop.base, shop.psp = base, psp
        yield shop


if __name__ == "__main__":
    with serving_shop(port=8765) as running:
        print(running.base, flush=True)  # noqa: T201 -- started by hand, the address is the answer
        threading.Event().wait()
