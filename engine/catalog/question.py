"""A shopper's words read against a shop's lexicon: stems with their weight, typing errors mended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from rapidfuzz import process
from rapidfuzz.distance import OSA
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.catalog.lexicon import Lexicon
from engine.catalog.searchtext import words_of

MAX_WORDS: Final = 24
_STEMS: Final = text("""
    SELECT word, tsvector_to_array(to_tsvector('english', word)) FROM unnest(CAST(:words AS text[])) AS word
""")


@dataclass(frozen=True, slots=True)
class Term:
    """One stem to look for; ``weight`` is its rarity in this shop."""

    stem: str
    weight: float
    prefix: bool = False

    @property
    def tsquery(self) -> str:
        """As ``to_tsquery('simple', …)`` reads it."""
        quoted = self.stem.replace("\\", "").replace("'", "''")
        return f"'{quoted}'" + (":*" if self.prefix else "")


@dataclass(frozen=True, slots=True)
class Question:
    """``terms`` for the full text, ``mended`` for the embedder, ``weight`` of all words, known or not.

    ``known`` says whether the shop uses any of the words.
    """

    terms: tuple[Term, ...]
    mended: str
    weight: float
    known: bool


def read_question(
    session: Session, query: str, lexicon: Lexicon, *, is_word: Callable[[str], bool] = lambda _: False
) -> Question:
    """Read what was typed. Words without meaning of their own (``the``, ``for``) weigh nothing.

    ``is_word`` keeps real words that this shop does not use (``coat``) from being taken for errors (``boat``).
    """
    words = words_of(query)[:MAX_WORDS]
    pairs = [first + second for first, second in pairwise(words)]
    stems = _stems(session, [*words, *pairs])
    spelled = [_spelled(word, stems[word], lexicon, is_word) for word in words]
    stems |= _stems(session, [part for text in spelled for part in text.split() if part not in stems])
    found = [stem for text in spelled for part in text.split() for stem in stems[part]]
    found += [stem for pair in pairs for stem in stems[pair] if stem in lexicon.lexemes and len(stem) > 3]
    weight = sum(max((lexicon.rarity(stem) for stem in stems[word]), default=0.0) for word in words)
    known = any(stem in lexicon.lexemes for stem in found)
    return Question(_terms(found, lexicon), " ".join(spelled), weight, known)


def _terms(stems: Iterable[str], lexicon: Lexicon) -> tuple[Term, ...]:
    """A stem the shop does not know is looked for as a beginning, and in case the lexicon is a moment behind."""
    return tuple(
        Term(stem, lexicon.rarity(stem), prefix=stem not in lexicon.lexemes and len(stem) > 2)
        for stem in dict.fromkeys(stems)
    )


def _spelled(word: str, stems: Sequence[str], lexicon: Lexicon, is_word: Callable[[str], bool]) -> str:
    """The word as this shop spells it; unknown ones stay as they are."""
    if not stems or any(stem in lexicon.lexemes for stem in stems):
        return word
    if halves := _two_words(word, lexicon):
        return halves
    if len(word) < 4 or any(letter.isdigit() for letter in word) or is_word(word):
        return word
    return _mended(word, lexicon)


def _two_words(word: str, lexicon: Lexicon) -> str:
    """``powerbank`` → ``power bank`` when the shop knows both halves."""
    for cut in range(3, len(word) - 2):
        if word[:cut] in lexicon.words and word[cut:] in lexicon.words:
            return f"{word[:cut]} {word[cut:]}"
    return ""


def _mended(word: str, lexicon: Lexicon) -> str:
    """The nearest word of the shop: one slip in four or five letters, two from six, three from ten."""
    slips = 1 if len(word) < 6 else 2 if len(word) < 10 else 3
    near = process.extract(word, lexicon.words.keys(), scorer=OSA.distance, score_cutoff=slips, limit=10)
    likely = [(found, far) for found, far, _ in near if found[0] == word[0] or len(word) > 5]
    if not likely:
        return word
    best = min(likely, key=lambda pair: (pair[1], pair[0][0] != word[0], abs(len(pair[0]) - len(word)), pair[0]))
    return best[0]


def _stems(session: Session, words: Sequence[str]) -> dict[str, list[str]]:
    """Word → its stems by PostgreSQL's English dictionary; none for a stop word."""
    if not words:
        return {}
    rows = session.execute(_STEMS, {"words": sorted(set(words))})
    return {word: list(stems or ()) for word, stems in rows}
