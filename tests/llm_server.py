"""A scripted model behind real HTTP: an OpenAI-compatible ``/v1/chat/completions`` on the loopback address.

Point LiteLLM at it with ``monkeypatch`` and ``LlmServer.env``; script it with ``add``; look at ``asked`` afterwards.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any, Final, Self, TypeAlias

from tests.scripted import Call, Say

KEY: Final = "sk-loopback-not-a-key"
PIECE: Final = 7
"""Characters of a tool call's arguments in one chunk."""
Body: TypeAlias = dict[str, Any]
_ids = count(1)


@dataclass(frozen=True)
class Status:
    """An HTTP error instead of an answer."""

    code: int
    retry_after: float | None = None
    message: str = "scripted failure"


@dataclass(frozen=True)
class Reset:
    """The connection breaks after ``text`` was streamed."""

    text: str = ""


@dataclass(frozen=True)
class Stall:
    """Nothing more comes after ``text``, and the connection stays open until the server is closed."""

    text: str = ""


@dataclass(frozen=True)
class Raw:
    """Chunks (or, unstreamed, the first of them as the whole answer) exactly as given; text is sent as it is."""

    chunks: Sequence[Body | str]


@dataclass(frozen=True)
class Tokens:
    """What the answers say they used."""

    input: int = 100
    output: int = 10
    cached: int = 0

    def as_json(self) -> Body:
        return {
            "prompt_tokens": self.input,
            "completion_tokens": self.output,
            "total_tokens": self.input + self.output,
            "prompt_tokens_details": {"cached_tokens": self.cached},
        }


Part: TypeAlias = Say | Call
Plain: TypeAlias = Say | Call | Sequence[Part] | Status | Reset | Stall | Raw
Answer: TypeAlias = Plain | Callable[[Body], "Plain"]


@dataclass
class LlmServer:
    """``answers`` are taken in order; one added ``to`` a model is for that model alone, and taken first.

    Questions with a response format are the supervisor's: they take ``routes`` (an agent's name, a JSON text, a JSON
    object or any answer), and ``default_route`` when those ran out.
    """

    answers: list[tuple[str | None, Answer]] = field(default_factory=list)
    routes: list[str | Body | Answer] = field(default_factory=list)
    default_route: str | Body = "commerce"
    tokens: Tokens = field(default_factory=Tokens)
    asked: list[Body] = field(default_factory=list)
    """The bodies of the agents' questions."""
    routed: list[Body] = field(default_factory=list)
    """The bodies of the supervisor's questions."""
    headers: list[Mapping[str, str]] = field(default_factory=list)
    _released: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, *answers: Answer, to: str | None = None) -> None:
        self.answers.extend((to, answer) for answer in answers)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def env(self, model: str = "scripted") -> dict[str, str]:
        """What to set to make ``model`` of this server the model of everybody."""
        return {"ICOMMERCE_MODEL": f"openai/{model}", "OPENAI_BASE_URL": self.url, "OPENAI_API_KEY": KEY}

    def __enter__(self) -> Self:
        self._http = _Http(self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), name="llm-server", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._released.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(5)

    def take(self, body: Body) -> Plain:
        """The answer to this question. An unscripted question is a 400 that says so."""
        with self._lock:
            if body.get("response_format"):
                self.routed.append(body)
                return _routed(self.routes.pop(0) if self.routes else self.default_route, body)
            self.asked.append(body)
            for to in (body["model"], None):
                for place, (whose, answer) in enumerate(self.answers):
                    if whose == to:
                        del self.answers[place]
                        return answer(body) if callable(answer) else answer
        return Status(400, message="the script has no answer left")

    def wait(self) -> None:
        """Until the server is closed."""
        self._released.wait(60)


def _routed(route: str | Body | Answer, body: Body) -> Plain:
    if isinstance(route, dict):
        return Say(json.dumps(route))
    if isinstance(route, str):
        return Say(json.dumps({"agent": route, "reason": "scripted"}) if route.isidentifier() else route)
    return route(body) if callable(route) else route


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, llm: LlmServer) -> None:
        self.llm = llm
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever asked may break the connection off at any time: no news."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    server: _Http
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.llm.headers.append({name.lower(): value for name, value in self.headers.items()})
        if not self.path.endswith("/chat/completions"):
            return self._fail(Status(404, message=self.path))
        answer = self.server.llm.take(body)
        match answer:
            case Status():
                return self._fail(answer)
            case _ if body.get("stream"):
                return self._stream(answer, body)
            case Reset():
                return self._break()
            case Stall():
                self.close_connection = True
                return self.server.llm.wait()
            case _:
                return self._send(200, _whole(answer, body, self.server.llm.tokens))

    def log_message(self, *_args: object) -> None:
        """Tests are quiet."""

    def _fail(self, status: Status) -> None:
        error = {"message": status.message, "type": "scripted", "code": str(status.code)}
        more = {} if status.retry_after is None else {"Retry-After": f"{status.retry_after:g}"}
        self._send(status.code, {"error": error}, more)

    def _send(self, code: int, content: Body | str, headers: Mapping[str, str] | None = None) -> None:
        data = (content if isinstance(content, str) else json.dumps(content)).encode()
        self.send_response(code)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, answer: Plain, body: Body) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for data in _chunks(answer, body, self.server.llm.tokens):
                self._chunk(f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n")
            if isinstance(answer, Reset):
                return self._break()
            if isinstance(answer, Stall):
                self.close_connection = True
                return self.server.llm.wait()
            self._chunk("data: [DONE]\n\n")
            self.wfile.write(b"0\r\n\r\n")
        except OSError:  # whoever asked has gone, as a timeout makes them
            self.close_connection = True

    def _chunk(self, text: str) -> None:
        data = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def _break(self) -> None:
        """A reset, not an end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RD)


def _parts(answer: Plain) -> Sequence[Part]:
    if isinstance(answer, Say | Call):
        return [answer]
    if isinstance(answer, Reset | Stall):
        return [Say(answer.text)]
    assert not isinstance(answer, Status | Raw)
    return answer


def _call(call: Call) -> Body:
    function = {"name": call.name, "arguments": call.text()}
    return {"id": call.id or f"call_{next(_ids)}", "type": "function", "function": function}


def _whole(answer: Plain, body: Body, tokens: Tokens) -> Body | str:
    if isinstance(answer, Raw):
        return answer.chunks[0]
    parts = _parts(answer)
    calls = [_call(part) for part in parts if isinstance(part, Call)]
    text = "".join(part.text for part in parts if isinstance(part, Say))
    message = {"role": "assistant", "content": text or None} | ({"tool_calls": calls} if calls else {})
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}
    return _head(body, "chat.completion") | {"choices": [choice], "usage": tokens.as_json()}


def _chunks(answer: Plain, body: Body, tokens: Tokens) -> Iterator[Body | str]:
    if isinstance(answer, Raw):
        yield from answer.chunks
        return
    head = _head(body, "chat.completion.chunk")
    yield head | _delta({"role": "assistant", "content": ""})
    place = 0
    for part in _parts(answer):
        if isinstance(part, Say):
            yield from (head | _delta({"content": piece}) for piece in _words(part))
        else:
            yield from (head | _delta({"tool_calls": [piece]}) for piece in _pieces(_call(part), place))
            place += 1
    if isinstance(answer, Reset | Stall):
        return
    yield head | _delta({}, finish="tool_calls" if place else "stop")
    if (body.get("stream_options") or {}).get("include_usage"):
        yield head | {"choices": [], "usage": tokens.as_json()}


def _words(said: Say) -> Iterator[str]:
    for place, word in enumerate(said.text.split(" ") if said.text else []):
        time.sleep(said.pause)
        yield f" {word}" if place else word


def _pieces(call: Body, place: int) -> Iterator[Body]:
    """A call as providers stream it: its name first, then its arguments bit by bit."""
    name, arguments = call["function"]["name"], call["function"]["arguments"]
    yield call | {"index": place, "function": {"name": name, "arguments": ""}}
    for start in range(0, len(arguments), PIECE if len(arguments) < 2_000 else 1_000):
        size = PIECE if len(arguments) < 2_000 else 1_000
        yield {"index": place, "function": {"arguments": arguments[start : start + size]}}


def _head(body: Body, kind: str) -> Body:
    return {"id": "chatcmpl-scripted", "object": kind, "created": 1, "model": body["model"]}


def _delta(delta: Body, *, finish: str | None = None) -> Body:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
