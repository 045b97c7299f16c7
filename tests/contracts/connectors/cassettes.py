"""What a connector says to a vendor, recorded once and played back with nobody at the other end.

``ICOMMERCE_RECORD=1 pytest -n 0 tests/contracts/connectors/test_calls.py`` records everything anew from the emulated
vendors; ``-k shopify`` one of them. No secret is kept: headers that say who we are, tokens and every credential of the
merchant are taken out of addresses, bodies and answers before anything is written.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, quote_plus

import httpx
import vcr
import yaml

FOLDER: Final = Path(__file__).parent / "cassettes"
SCRUBBED: Final = "scrubbed"
_SAID: Final = frozenset({"content-type", "prefer", "idempotency-key"})
_ANSWERED: Final = frozenset(
    {"content-type", "link", "location", "preference-applied", "retry-after", "x-sandbox-assumed", "x-wp-total"}
    | {"x-wp-totalpages", "x-shopify-api-version"}
)
_TOKEN: Final = re.compile(r'("(?:access|refresh)_?token"\s*:\s*")[^"]+', re.IGNORECASE)
STRICT: Final = ("method", "scheme", "host", "path", "query", "body")
Reach = Callable[[httpx.Request], httpx.Response]


def recording() -> bool:
    return bool(os.environ.get("ICOMMERCE_RECORD"))


@dataclass(frozen=True)
class Tape:
    """What a run inside ``played`` is given: the line, and what was kept beside the calls."""

    line: httpx.BaseTransport
    cassette: Any

    def keep(self, name: str, found: Any) -> Any:
        """What was kept under a name when it was recorded; of a run that records, ``found``."""
        return self.cassette.get_metadata(name, json.loads(json.dumps(found)))


def kept(name: str, what: str) -> Any:
    """What was kept beside the calls of a cassette."""
    return yaml.safe_load((FOLDER / f"{name}.yaml").read_text())["metadata"][what]


@contextmanager
def played(name: str, reach: Reach, secrets: Iterable[str]) -> Iterator[Tape]:
    """Every call inside comes from ``cassettes/<name>.yaml``, each to the letter and all of them; or is recorded there
    from ``reach`` when everything went well.
    """
    path = FOLDER / f"{name}.yaml"
    if recording():
        path.unlink(missing_ok=True)
    scrub = _Scrub(secrets)
    recorder = vcr.VCR(
        record_mode=vcr.mode.ALL if recording() else vcr.mode.NONE,
        match_on=STRICT,
        before_record_request=scrub.request,
        before_record_response=scrub.answer,
        record_on_exception=False,
    )
    with recorder.use_cassette(str(path)) as cassette:
        yield Tape(httpx.MockTransport(reach), cassette)
        assert recording() or cassette.all_played, f"{name}: fewer calls than were recorded"


def nobody(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"{request.method} {request.url.path} was not recorded")


def spellings(secret: str) -> set[str]:
    """As it stands in text, in JSON and in an address."""
    return {secret, json.dumps(secret)[1:-1], quote(secret, safe=""), quote_plus(secret)}


class _Scrub:
    """Takes out whatever must not be written down."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._words = sorted({word for one in secrets for word in spellings(one)}, key=len, reverse=True)

    def request(self, request: Any) -> Any:
        request.headers = {name: value for name, value in request.headers.items() if name.lower() in _SAID}
        request.uri = self._text(request.uri)
        if request.path.endswith("/token"):
            request.body = SCRUBBED.encode()  # an assertion, signed and dated: another every time
        elif request.body:
            request.body = self._text(bytes(request.body).decode()).encode()
        return request

    def answer(self, answer: dict[str, Any]) -> dict[str, Any]:
        kept: Mapping[str, list[str]] = answer["headers"]
        body = answer["body"]["string"]
        text = body.decode() if isinstance(body, bytes) else body
        return answer | {
            "headers": {name: values for name, values in kept.items() if name.lower() in _ANSWERED},
            "body": {"string": _TOKEN.sub(rf"\g<1>{SCRUBBED}", self._text(text)).encode()},
        }

    def _text(self, text: str) -> str:
        for word in self._words:
            text = text.replace(word, SCRUBBED)
        return text
