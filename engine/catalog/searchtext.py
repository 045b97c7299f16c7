"""The words a product is found by, made from its row of the catalog file or of the table."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from engine.catalog.models import Product

_LISTS: Final = ("features", "materials", "compatibility", "constraints", "safety")
_APOSTROPHES: Final = str.maketrans("", "", "'\u2019")


def words_of(text: str) -> list[str]:
    """Lower-case words and numbers, in order: ``"USB-C, 1.5 m"`` → ``usb c 1.5 m``."""
    return re.findall(r"[^\W_]+(?:\.\d+)?", text.casefold().translate(_APOSTROPHES))


def strong(title: str, brand: str, category: str, synonyms: Iterable[str], options: Mapping[str, Sequence[str]]) -> str:
    """Weight A. The title and the category come twice: the ranking counts a word's occurrences."""
    values = [value for offered in options.values() for value in offered]
    return " ".join(words_of(" ".join([title, title, category, category, brand, *synonyms, *values])))


def weak(description: str, facts: Mapping[str, Any]) -> str:
    """Weight C: what is said about it."""
    lists = [item for key in _LISTS for item in facts.get(key, [])]
    units = facts.get("units", {})
    said = [
        f"{attribute_text(name, value)} {units.get(name, '')}" for name, value in facts.get("attributes", {}).items()
    ]
    asked = [f"{faq['question']} {faq['answer']}" for faq in facts.get("faqs", [])]
    return " ".join(words_of(" ".join([description, *lists, *said, facts.get("care", ""), *asked])))


def attribute_text(name: str, value: str | int | bool) -> str:
    """``waterproof, True`` → ``waterproof``; ``sleeps, 2`` → ``sleeps 2``; what it is not, is not said."""
    label = name.replace("_", " ")
    if isinstance(value, bool):
        return label if value else ""
    return f"{label} {value}"


def embedding_text(product: Product) -> str:
    """What the vector stands for: what kind of thing it is, then its title and what is said of it.

    Kind before title, because titles are often invented names; no attributes, because numbers blur a vector (both
    measured in ``evals/search``).
    """
    kind = f"{product.category}: {', '.join(product.facts.get('synonyms', []))}"
    return f"{kind}. {product.title}. {product.description}"


def variant_title(title: str, values: Iterable[str]) -> str:
    """``Ridgeline 2 Tent (green)``; the bare title when there is nothing to choose."""
    said = ", ".join(values)
    return f"{title} ({said})" if said else title


def fingerprint(text: str) -> str:
    """A short digest that changes when the text does."""
    return hashlib.sha256(text.encode()).hexdigest()[:20]
