"""Figures of this process for Prometheus."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY: Final = CollectorRegistry()
REQUESTS: Final = Counter(
    "ic_http_requests_total", "HTTP requests by route and status.", ("method", "route", "status"), registry=REGISTRY
)
SECONDS: Final = Histogram(
    "ic_http_request_seconds", "Seconds until the response began.", ("route",), registry=REGISTRY
)
SSE_CLIENTS: Final = Gauge("ic_sse_clients", "Open event streams.", registry=REGISTRY)
JOB_FAILURES: Final = Counter("ic_job_failures_total", "Background jobs that failed.", ("job",), registry=REGISTRY)
EVENTS_SENT: Final = Counter("ic_platform_events_total", "Order events that platforms took.", registry=REGISTRY)
