"""What words a shop's catalog is written in: to weigh the rare ones, mend typing errors and read filters.

Kept in memory per tenant and read again when the catalog has changed (looked at once a second at most, less often
where looking takes long). A word that is not here yet is searched for all the same.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import Any, Final

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from engine.catalog.models import Product
from engine.catalog.repository import SOLD
from engine.kit.tenancy import Tenant

LOOK_AGAIN_SECONDS: Final = 1.0
REST: Final = 20
"""At least this many times what the last look took passes before the next: 5 % of the time at most goes into it."""

_LEXEMES: Final = text("""
    SELECT word, ndoc FROM ts_stat(format(
        'SELECT search FROM app.products WHERE tenant_id = %L AND status = ''active''', CAST(:tenant AS text)))
""")
_WORDS: Final = text("""
    SELECT DISTINCT word FROM app.products, regexp_split_to_table(search_strong, '\\s+') AS word
    WHERE tenant_id = :tenant AND status = 'active' AND length(word) > 2
""")
_OPTIONS: Final = text("""
    SELECT DISTINCT option.key, option.value FROM app.variants, jsonb_each_text(options) AS option
    WHERE tenant_id = :tenant AND sellable ORDER BY 1, 2
""")


@dataclass(frozen=True, slots=True)
class Lexicon:
    """A shop's words as of one state of its catalog."""

    products: int
    country: str
    lexemes: Mapping[str, int]
    """Stem → in how many products it occurs."""
    words: dict[str, None]
    """Whole words of titles, brands, categories, synonyms and options: what a typing error is mended to."""
    categories: tuple[str, ...]
    options: Mapping[str, tuple[str, ...]]

    def rarity(self, lexeme: str) -> float:
        """Inverse document frequency: 0.1 for a word in everything, growing with rarity; most for an unknown one."""
        return max(0.1, log((self.products + 1) / (self.lexemes.get(lexeme, 0) + 0.5)))


class Lexicons:
    """The lexicons of all tenants of this process. Safe to share between threads."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Any, Lexicon]] = {}
        self._look_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def of(self, session: Session, tenant_id: str) -> Lexicon:
        """The tenant's lexicon, a second or so behind its catalog. One thread looks, the others take what is known."""
        began = time.monotonic()
        with self._lock:
            known = self._known.get(tenant_id)
            if known and began < self._look_at.get(tenant_id, 0.0):
                return known[1]
            self._look_at[tenant_id] = began + LOOK_AGAIN_SECONDS
        state = _state(session, tenant_id)
        lexicon = known[1] if known and known[0] == state else read(session, tenant_id)
        ended = time.monotonic()
        with self._lock:
            self._known[tenant_id] = (state, lexicon)
            self._look_at[tenant_id] = ended + max(LOOK_AGAIN_SECONDS, REST * (ended - began))
        return lexicon

    def forget(self, tenant_id: str) -> None:
        """Read again at the next use."""
        with self._lock:
            self._look_at.pop(tenant_id, None)


def _state(session: Session, tenant_id: str) -> tuple[Any, ...]:
    row = session.execute(
        select(func.count(), func.max(Product.updated_at)).where(Product.tenant_id == tenant_id, Product.status == SOLD)
    ).one()
    return tuple(row)


def read(session: Session, tenant_id: str) -> Lexicon:
    """Read a tenant's lexicon from its catalog."""
    tenant = {"tenant": tenant_id}
    counted = session.execute(
        select(Product.category, func.count())
        .where(Product.tenant_id == tenant_id, Product.status == SOLD)
        .group_by(Product.category)
        .order_by(Product.category)
    ).all()
    options: dict[str, list[str]] = {}
    for name, value in session.execute(_OPTIONS, tenant):
        options.setdefault(name, []).append(value)
    return Lexicon(
        products=sum(count for _, count in counted),
        country=session.scalars(select(Tenant.country).where(Tenant.id == tenant_id)).one(),
        lexemes=dict(session.execute(_LEXEMES, tenant).all()),
        words=dict.fromkeys(sorted(session.scalars(_WORDS, tenant))),
        categories=tuple(category for category, _ in counted),
        options={name: tuple(values) for name, values in options.items()},
    )
