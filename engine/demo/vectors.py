"""The demo shops' vectors, shipped: making them is most of what a first start would compute.

``python -m engine.demo.vectors`` writes them anew after the shops' texts or the model have changed (a test tells).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from engine.catalog.embedder import MiniLM
from engine.catalog.models import Product
from engine.catalog.remembered import write_down
from engine.catalog.searchtext import embedding_text
from engine.catalog.shop_file import read_catalog
from engine.demo.seed import demo_files

FILE: Final = Path(__file__).with_name("vectors.npz")


def demo_texts() -> list[str]:
    """What each product of the demo shops is embedded as."""
    rows = [row for folder in demo_files() for row in read_catalog(folder).products]
    return [
        embedding_text(
            Product(
                category=row.category,
                title=row.title,
                description=row.description,
                facts={"synonyms": row.synonyms},
            )
        )
        for row in rows
    ]


def main() -> None:
    from engine.migrate import load_models

    load_models()
    write_down(FILE, MiniLM(), demo_texts())


if __name__ == "__main__":
    main()
