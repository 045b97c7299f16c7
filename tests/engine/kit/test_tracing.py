"""A trace is one id: read of whoever asks, worked at in a context, told on."""

from __future__ import annotations

import re

import pytest

from engine.kit import outbox, tracing

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_it_is_read_of_a_header_that_is_one() -> None:
    assert tracing.read(f"00-{TRACE}-00f067aa0ba902b7-01") == TRACE
    assert tracing.read(f" 01-{TRACE}-00f067aa0ba902b7-00-what-comes-later ") == TRACE


@pytest.mark.parametrize(
    "header",
    [
        "",
        TRACE,
        f"ff-{TRACE}-00f067aa0ba902b7-01",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-00f067aa0ba902b7-01",
        f"00-{TRACE}-00f067aa0ba902b7-01-{'x' * 200}",
    ],
)
def test_what_is_none_is_ignored(header: str) -> None:
    assert tracing.read(header) == ""


def test_it_follows_from_a_name() -> None:
    assert tracing.of("run_1") == tracing.of("run_1") != tracing.of("run_2")
    assert re.fullmatch(r"[0-9a-f]{32}", tracing.of("run_1"))


def test_a_span_says_whose_it_is_and_each_is_another() -> None:
    with tracing.span("GET shopify", TRACE, system="shopify") as first:
        pass
    with tracing.span("GET shopify", TRACE) as second:
        pass
    assert tracing.read(first) == tracing.read(second) == TRACE
    assert first != second


@pytest.mark.parametrize("trace_id", ["", "0" * 32, "x" * 32, TRACE[:-1], "trace of a test"])
def test_without_a_trace_nobody_is_told_of_one(trace_id: str) -> None:
    with tracing.span("GET shopify", trace_id) as traceparent:
        assert traceparent == ""


def test_spans_go_to_whoever_set_up_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)

    with tracing.span("GET shopify", TRACE, system="shopify") as traceparent:
        pass
    (span,) = kept.get_finished_spans()
    assert (span.name, dict(span.attributes or {})) == ("GET shopify", {"system": "shopify"})
    assert traceparent == f"00-{TRACE}-{span.context.span_id:016x}-01"


def test_what_is_told_carries_it(runtime, tenant) -> None:
    with runtime.unit_of_work(tenant.id) as session:
        with tracing.traced(TRACE):
            outbox.emit(session, tenant.id, "order.shipped", "ord_1", {"a": 1})
            outbox.emit_all(session, tenant.id, "shipment.moved", {"shi_1": {}})
        outbox.emit(session, tenant.id, "shipment.moved", "shi_2")
        rows = outbox.claim_batch(session, tenant.id, "conversation")
        told = {row.subject_id: (row.payload, tracing.told(row.payload, row.subject_id)) for row in rows}
    assert told == {
        "ord_1": ({"a": 1, "trace_id": TRACE}, TRACE),
        "shi_1": ({"trace_id": TRACE}, TRACE),
        "shi_2": ({}, tracing.of("shi_2")),
    }
    assert tracing.current() == ""


@pytest.mark.parametrize("said", [None, 7, "", "nonsense"])
def test_what_is_no_trace_is_not_believed(said: object) -> None:
    assert tracing.told({"trace_id": said}, "ord_1") == tracing.of("ord_1")
