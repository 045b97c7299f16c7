"""One id through everything that one request makes happen, as W3C Trace Context writes it: 32 hexadecimal digits.

It is in the context of whoever works at it, in what is told to others (the outbox), with a run, in the journal of calls
and in the ``traceparent`` of what we ask other systems. Where nobody said one it follows from what is worked at: the
same however often it is begun. Spans are OpenTelemetry's: where an installation sets up its SDK they are exported
under this id, else they cost nothing.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

KEY: Final = "trace_id"
"""Its name in a payload."""
_TRACE: Final = re.compile(r"[0-9a-f]{32}")
_PARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?")
_NOBODYS: Final = "0" * 32
_SAMPLED: Final = 1
_CURRENT: Final[ContextVar[str]] = ContextVar("trace_id", default="")


def of(name: str) -> str:
    """The trace of something that has a name: a request's id, a run's, an order's."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def current() -> str:
    """The trace that is being worked at; nothing outside of any."""
    return _CURRENT.get()


@contextmanager
def traced(trace_id: str) -> Iterator[None]:
    """Work at this trace while the block runs."""
    token = _CURRENT.set(trace_id)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def read(traceparent: str) -> str:
    """The trace of a ``traceparent`` header; nothing where it is none (W3C Trace Context 3.2.2: it is ignored)."""
    found = _PARENT.fullmatch(traceparent.strip()) if len(traceparent) <= 100 else None
    if found is None or traceparent.startswith("ff") or found[1] == _NOBODYS or found[2] == _NOBODYS[:16]:
        return ""
    return found[1]


def carried(payload: Mapping[str, Any]) -> dict[str, Any]:
    """What is told to others, with the trace that tells it."""
    trace_id = current()
    return {**payload, KEY: trace_id} if trace_id else dict(payload)


def told(payload: Mapping[str, Any], otherwise: str) -> str:
    """The trace of something that was told; where nobody said one, that of what it is about."""
    said = payload.get(KEY)
    return said if isinstance(said, str) and _TRACE.fullmatch(said) else of(otherwise)


@contextmanager
def span(name: str, trace_id: str, **attributes: str) -> Iterator[str]:
    """A span of this trace; the ``traceparent`` for whoever is asked within it, nothing without a trace."""
    if not _TRACE.fullmatch(trace_id) or trace_id == _NOBODYS:
        yield ""
        return
    from opentelemetry import trace

    number = secrets.randbits(64) or 1
    parent = trace.SpanContext(int(trace_id, 16), number, True, trace.TraceFlags(_SAMPLED))
    context = trace.set_span_in_context(trace.NonRecordingSpan(parent))
    tracer = trace.get_tracer("icommerce")
    with tracer.start_as_current_span(name, context=context, attributes=attributes) as opened:
        here = opened.get_span_context()
        yield f"00-{here.trace_id:032x}-{here.span_id:016x}-{int(here.trace_flags):02x}"
