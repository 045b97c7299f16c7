"""One-to-one matching with the greatest sum (the Hungarian method, by shortest augmenting paths)."""

from __future__ import annotations

from typing import Any

import numpy as np

Matrix = np.ndarray[Any, np.dtype[np.float64]]


def best_pairs(scores: Matrix) -> list[tuple[int, int]]:
    """Row and column of each pair; every row or every column has one, whichever there are fewer of."""
    if not scores.size:
        return []
    if scores.shape[0] > scores.shape[1]:
        return sorted((row, column) for column, row in best_pairs(scores.T))
    cost = -scores
    rows, columns = cost.shape
    row_price, column_price = np.zeros(rows + 1), np.zeros(columns + 1)
    owner = np.zeros(columns + 1, dtype=int)
    for row in range(1, rows + 1):
        _augment(row, cost, row_price, column_price, owner)
    return sorted((int(owner[column]) - 1, column - 1) for column in range(1, columns + 1) if owner[column])


def _augment(row: int, cost: Matrix, row_price: Matrix, column_price: Matrix, owner: Any) -> None:
    """Give ``row`` a column, moving others along the cheapest path. Column 0 stands for "no column yet"."""
    columns = cost.shape[1]
    owner[0], at = row, 0
    least = np.full(columns + 1, np.inf)
    before = np.zeros(columns + 1, dtype=int)
    seen = np.zeros(columns + 1, dtype=bool)
    while owner[at]:
        seen[at] = True
        current = owner[at]
        reduced = cost[current - 1] - row_price[current] - column_price[1:]
        better = ~seen[1:] & (reduced < least[1:])
        least[1:][better], before[1:][better] = reduced[better], at
        following = int(np.argmin(np.where(seen[1:], np.inf, least[1:]))) + 1
        step = least[following]
        row_price[owner[seen]] += step
        column_price[seen] -= step
        least[~seen] -= step
        at = following
    while at:
        owner[at], at = owner[before[at]], before[at]
