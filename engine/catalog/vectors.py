"""Where the vectors are: one Chroma collection a tenant, rebuildable from PostgreSQL at any time.

Only the serving process opens the folder: a second one was measured to leave the first reading stale data.
Everyone else writes PostgreSQL and the outbox. More than one process needs a Chroma server (``CHROMA_URL``).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

from engine.catalog.embedder import Vector
from engine.catalog.errors import IndexUnavailable

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.models.Collection import Collection
    from chromadb.config import Settings

BATCH: Final = 1000


@dataclass(frozen=True, slots=True)
class Hit:
    """A product and the cosine between it and the query."""

    product_id: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Entry:
    """A product's vector and the fingerprint of the text it was made from."""

    product_id: str
    vector: Vector
    fingerprint: str


class VectorIndex(Protocol):
    """Raises ``IndexUnavailable`` when it cannot be reached. ``open`` says whether there is one at all."""

    @property
    def open(self) -> bool: ...

    def nearest(self, tenant_id: str, vector: Vector, *, limit: int) -> list[Hit]: ...

    def fingerprints(self, tenant_id: str, product_ids: Sequence[str] | None = None) -> Mapping[str, str]: ...

    def put(self, tenant_id: str, entries: Sequence[Entry]) -> None: ...

    def remove(self, tenant_id: str, product_ids: Sequence[str]) -> None: ...

    def clear(self, tenant_id: str) -> None: ...


class NoIndex:
    """No index: search goes by words alone (the command line beside a server)."""

    open = False

    def nearest(self, tenant_id: str, vector: Vector, *, limit: int) -> list[Hit]:  # noqa: ARG002 (the port's shape)
        return []

    def fingerprints(self, tenant_id: str, product_ids: Sequence[str] | None = None) -> Mapping[str, str]:  # noqa: ARG002
        return {}

    def put(self, tenant_id: str, entries: Sequence[Entry]) -> None:
        """Nothing to keep."""

    def remove(self, tenant_id: str, product_ids: Sequence[str]) -> None:
        """Nothing to drop."""

    def clear(self, tenant_id: str) -> None:
        """Nothing to drop."""


class ChromaIndex:
    """Vectors of one embedder in Chroma. A collection that another embedder made is dropped and made anew."""

    open = True

    def __init__(self, client: ClientAPI, *, embedder: str) -> None:
        self._client = client
        self._embedder = embedder
        self._collections: dict[str, Collection] = {}
        self._lock = threading.Lock()

    def nearest(self, tenant_id: str, vector: Vector, *, limit: int) -> list[Hit]:
        """The ``limit`` nearest products, nearest first, ties by id."""
        with self._asking(tenant_id) as collection:
            answer = collection.query(query_embeddings=[vector], n_results=limit, include=["distances"])
        distances = (answer["distances"] or [[]])[0]
        hits = [Hit(key, 1.0 - float(far)) for key, far in zip(answer["ids"][0], distances, strict=True)]
        return sorted(hits, key=lambda hit: (-hit.similarity, hit.product_id))

    def fingerprints(self, tenant_id: str, product_ids: Sequence[str] | None = None) -> Mapping[str, str]:
        """Product id → fingerprint of what is indexed; of everything when no ids are given."""
        if product_ids is not None and not product_ids:
            return {}
        wanted = list(product_ids) if product_ids is not None else None
        with self._asking(tenant_id) as collection:
            found = collection.get(ids=wanted, include=["metadatas"])
        metadatas = found["metadatas"] or []
        return {key: str(data["fingerprint"]) for key, data in zip(found["ids"], metadatas, strict=True)}

    def put(self, tenant_id: str, entries: Sequence[Entry]) -> None:
        for start in range(0, len(entries), BATCH):
            batch = entries[start : start + BATCH]
            vectors: list[Sequence[float] | Sequence[int]] = [entry.vector for entry in batch]
            with self._asking(tenant_id) as collection:
                collection.upsert(
                    ids=[entry.product_id for entry in batch],
                    embeddings=vectors,
                    metadatas=[{"fingerprint": entry.fingerprint} for entry in batch],
                )

    def remove(self, tenant_id: str, product_ids: Sequence[str]) -> None:
        for start in range(0, len(product_ids), BATCH):
            with self._asking(tenant_id) as collection:
                collection.delete(ids=list(product_ids[start : start + BATCH]))

    def clear(self, tenant_id: str) -> None:
        with _told(), self._lock:
            self._drop(tenant_id)

    @contextmanager
    def _asking(self, tenant_id: str) -> Iterator[Collection]:
        """The tenant's collection; a handle that failed is opened again the next time."""
        try:
            with _told():
                with self._lock:
                    if tenant_id not in self._collections:
                        self._collections[tenant_id] = self._opened(tenant_id)
                    collection = self._collections[tenant_id]
                yield collection
        except IndexUnavailable:
            self._collections.pop(tenant_id, None)
            raise

    def _opened(self, tenant_id: str) -> Collection:
        found = self._made(tenant_id)
        if (found.metadata or {}).get("embedder") == self._embedder:
            return found
        self._drop(tenant_id)
        return self._made(tenant_id)

    def _made(self, tenant_id: str) -> Collection:
        return self._client.get_or_create_collection(
            tenant_id,
            embedding_function=None,
            configuration={"hnsw": {"space": "cosine"}},
            metadata={"embedder": self._embedder},
        )

    def _drop(self, tenant_id: str) -> None:
        self._collections.pop(tenant_id, None)
        if tenant_id in {collection.name for collection in self._client.list_collections()}:
            self._client.delete_collection(tenant_id)


def open_folder(folder: Path, *, embedder: str) -> ChromaIndex:
    """The index in a folder of this machine. For the serving process alone."""
    import chromadb

    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _told():
        client = chromadb.PersistentClient(path=str(folder), settings=_settings())
    return ChromaIndex(client, embedder=embedder)


def open_server(url: str, *, embedder: str) -> ChromaIndex:
    """The index on a Chroma server, ``http[s]://host[:port]``.

    Raises ``IndexUnavailable`` when it does not answer.
    """
    import chromadb

    parts = urlsplit(url)
    secure = parts.scheme == "https"
    host, port = parts.hostname or "localhost", parts.port or (443 if secure else 8000)
    try:
        with _told():
            client = chromadb.HttpClient(host=host, port=port, ssl=secure, settings=_settings())
    except ValueError as error:  # what Chroma's client says when nothing listens
        raise IndexUnavailable(f"No Chroma server answers at {host}:{port}.") from error
    return ChromaIndex(client, embedder=embedder)


def _settings() -> Settings:
    from chromadb.config import Settings

    return Settings(anonymized_telemetry=False)


@contextmanager
def _told() -> Iterator[None]:
    """Chroma's and the network's errors as ours."""
    import httpx
    from chromadb.errors import ChromaError

    try:
        yield
    except (ChromaError, httpx.HTTPError) as error:
        raise IndexUnavailable("The product index does not answer.") from error
