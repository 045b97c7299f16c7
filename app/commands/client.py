"""The public HTTP contract as a small client: what the terminal speaks to the shop."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from engine.kit.errors import DomainError, Unavailable

_TIMEOUT: Final = httpx.Timeout(30, connect=5)
_LISTEN: Final = httpx.Timeout(60, connect=5)
_ENDS: Final = frozenset({"RUN_FINISHED", "RUN_ERROR"})


class Refused(DomainError):
    """The shop answered with a problem; the message is its own words."""

    code = "refused"


@dataclass
class Conversation:
    """One conversation at ``endpoint``. Raises ``Unavailable`` when nobody answers, ``Refused`` for a problem."""

    endpoint: str
    tenant: str | None = None
    thread_id: str = ""
    last: int = 0
    _http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self._http = httpx.Client(base_url=self.endpoint, timeout=_TIMEOUT)

    def start(self) -> None:
        started = self._post("/v1/threads", {"tenant": self.tenant} if self.tenant else {})
        self.thread_id = started["id"]

    def say(self, message: str) -> str:
        """Queue a message; returns the run's id."""
        return str(self._post(f"/v1/threads/{self.thread_id}/runs", {"message": message})["run_id"])

    def decide(self, interrupt_id: str, answer: dict[str, Any]) -> str:
        """Answer a card; returns the run's id. A repeat after a lost answer decides nothing twice."""
        entry = {"interruptId": interrupt_id, "status": "resolved", "payload": answer}
        return str(self._post(f"/v1/threads/{self.thread_id}/runs", {"resume": [entry]})["run_id"])

    def events(self, run_id: str) -> Iterator[dict[str, Any]]:
        """Events from where we are to the end of ``run_id``; a lost connection is taken up again."""
        while True:
            try:
                for seq, event in self._listen():
                    self.last = seq
                    yield event
                    if event["type"] in _ENDS and event.get("runId") == run_id:
                        return
            except httpx.ReadTimeout:
                continue
            except httpx.TransportError as error:
                raise Unavailable(f"The connection to {self.endpoint} was lost.") from error

    def _listen(self) -> Iterator[tuple[int, dict[str, Any]]]:
        path = f"/v1/threads/{self.thread_id}/events"
        with self._http.stream("GET", path, params={"after": self.last}, timeout=_LISTEN) as response:
            _check(response)
            seq = 0
            for line in response.iter_lines():
                if line.startswith("id:"):
                    seq = int(line[3:])
                elif line.startswith("data:"):
                    yield seq, json.loads(line[5:])

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        try:
            try:
                response = self._http.post(path, json=body, headers=headers)
            except httpx.ReadTimeout:
                response = self._http.post(path, json=body, headers=headers)
        except httpx.TransportError as error:
            raise Unavailable(f"Nothing answers at {self.endpoint}. Start it with `icommerce serve`.") from error
        _check(response)
        answer: dict[str, Any] = response.json()
        return answer


def _check(response: httpx.Response) -> None:
    if response.is_success:
        return
    response.read()
    try:
        problem = response.json()
        words = str(problem.get("detail") or problem.get("title"))
    except ValueError:
        words = f"HTTP {response.status_code}"
    if response.status_code == 503:
        raise Unavailable(words)
    raise Refused(words)


class Api:
    """The HTTP API with a merchant's key. Raises ``Unavailable`` when nobody answers, ``Refused`` for a problem."""

    def __init__(self, endpoint: str, key: str) -> None:
        self._endpoint = endpoint
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=endpoint, timeout=_TIMEOUT, headers=headers)

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        return self._answer(lambda: self._http.get(path, params=params))

    def post(self, path: str, body: dict[str, Any], *, key: str) -> dict[str, Any]:
        """``key`` makes a repeat after a lost answer the same request."""
        return self._answer(lambda: self._http.post(path, json=body, headers={"Idempotency-Key": key}))

    def _answer(self, ask: Callable[[], httpx.Response]) -> dict[str, Any]:
        try:
            try:
                response = ask()
            except httpx.ReadTimeout:
                response = ask()
        except httpx.TransportError as error:
            raise Unavailable(f"Nothing answers at {self._endpoint}. Start it with `icommerce serve`.") from error
        _check(response)
        answer: dict[str, Any] = response.json()
        return answer
