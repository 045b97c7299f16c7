"""Keeping the vector index in step with PostgreSQL, which alone is the truth.

Prices and stock are never in the index, so a change of them is searchable at its commit; a change of text follows
through the outbox. Only the process that has the index open calls these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Final, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from engine.catalog import searchtext
from engine.catalog.embedder import Embedder
from engine.catalog.models import Product
from engine.catalog.repository import SOLD
from engine.catalog.vectors import Entry, VectorIndex
from engine.kit import outbox

CONSUMER: Final = "search"
BATCH: Final = 64
Progress = Callable[[int, int], None]
"""Called with how many texts are embedded and of how many."""


class Transactions(Protocol):
    """What is needed of ``engine.db.Store``."""

    def unit_of_work(self, tenant_id: str) -> AbstractContextManager[Session]: ...


def index_pending(
    store: Transactions, tenant_id: str, index: VectorIndex, embedder: Embedder, *, limit: int = 200
) -> int:
    """Index what the outbox says has changed; returns how many events were handled.

    Delivery is at least once and the work idempotent: a crash before the commit does it again. Texts that did not
    change are not embedded again. Raises ``IndexUnavailable``; the events then stay where they are.
    """
    with store.unit_of_work(tenant_id) as session:
        rows = outbox.claim_batch(session, tenant_id, CONSUMER, limit=limit)
        if not rows:
            return 0
        ids = sorted({row.subject_id for row in rows})
        texts = _texts(session, tenant_id, ids)
        _bring(index, embedder, tenant_id, texts, index.fingerprints(tenant_id, ids))
        index.remove(tenant_id, [key for key in ids if key not in texts])
        outbox.mark_delivered(rows)
        return len(rows)


def ensure(
    store: Transactions,
    tenant_id: str,
    index: VectorIndex,
    embedder: Embedder,
    *,
    progress: Progress | None = None,
) -> int:
    """Make the index hold exactly the products on sale, each with its present text; returns how many were embedded.

    Cheap when nothing changed: it compares fingerprints. For the start of the serving process.
    """
    with store.unit_of_work(tenant_id) as session:
        texts = _texts(session, tenant_id, None)
    indexed = index.fingerprints(tenant_id)
    index.remove(tenant_id, sorted(set(indexed) - set(texts)))
    return _bring(index, embedder, tenant_id, texts, indexed, progress)


def rebuild(
    store: Transactions,
    tenant_id: str,
    index: VectorIndex,
    embedder: Embedder,
    *,
    progress: Progress | None = None,
) -> int:
    """Throw the tenant's vectors away and make them anew; returns how many."""
    index.clear(tenant_id)
    return ensure(store, tenant_id, index, embedder, progress=progress)


def _texts(session: Session, tenant_id: str, ids: Sequence[str] | None) -> dict[str, str]:
    query = (
        select(Product)
        .where(Product.tenant_id == tenant_id, Product.status == SOLD)
        .options(defer(Product.search), defer(Product.search_strong), defer(Product.search_weak))
    )
    if ids is not None:
        query = query.where(Product.id.in_(ids))
    return {product.id: searchtext.embedding_text(product) for product in session.scalars(query)}


def _bring(
    index: VectorIndex,
    embedder: Embedder,
    tenant_id: str,
    texts: dict[str, str],
    indexed: Mapping[str, str],
    progress: Progress | None = None,
) -> int:
    prints = {key: searchtext.fingerprint(text) for key, text in texts.items()}
    stale = [key for key in texts if indexed.get(key) != prints[key]]
    for start in range(0, len(stale), BATCH):
        batch = stale[start : start + BATCH]
        vectors = embedder.embed([texts[key] for key in batch])
        entries = [Entry(key, vector, prints[key]) for key, vector in zip(batch, vectors, strict=True)]
        index.put(tenant_id, entries)
        if progress:
            progress(start + len(batch), len(stale))
    return len(stale)
