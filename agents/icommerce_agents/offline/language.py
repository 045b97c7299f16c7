"""From what somebody typed to plain lower-case English: contractions, spelling, slips, number words."""

from __future__ import annotations

import re
import unicodedata
from difflib import SequenceMatcher
from functools import cache, lru_cache

from rapidfuzz import process
from rapidfuzz.distance import OSA

from icommerce_agents.offline import lexicon, semantics

_WORD = re.compile(r"[a-z][a-z'\-]*[a-z]|[a-z]")
_QUOTES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": " - "})
_NUMBER_WORDS = "|".join(lexicon.table("numbers"))
_KEEP_ONE = re.compile(r"\b(?:one|a single)(?= (?:of|x|each)\b)|(?<=\bnumber )one\b|(?<=\boption )one\b")
_COUPLE = re.compile(r"\ba (?:couple|pair)(?: of)?\b(?! (?:boots|shoes|socks|pants|gloves|poles|sandals))")
_ENGLISH = lexicon.words("english")


@lru_cache(maxsize=512)
def plain(text: str) -> str:
    """Lower case, American spelling, contractions opened, small slips mended, number words as digits."""
    low = unicodedata.normalize("NFKC", text).translate(_QUOTES).lower()
    low = re.sub(r"\bcheck-?out\b", "check out", low)
    low = _WORD.sub(lambda found: _mend(found.group()), low)
    low = re.sub(rf"\b({_NUMBER_WORDS})\b", lambda found: str(lexicon.table("numbers")[found.group()]), low)
    low = re.sub(r"\b(\d{1,2}) 100\b", lambda found: str(int(found.group(1)) * 100), low)
    low = re.sub(r"\b([2-9]0)[ -]([1-9])\b(?! (?:of|x)\b)", lambda found: str(int(found[1]) + int(found[2])), low)
    low = re.sub(r"\ba (?=100\b)", "", low)
    low = _COUPLE.sub("2", _KEEP_ONE.sub("1", low))
    return re.sub(r"\s+", " ", low).strip()


def _mend(word: str) -> str:
    swaps = lexicon.table("contractions")
    if word in swaps:
        return str(swaps[word])
    if word.endswith("'s"):
        return word
    short = lexicon.table("abbreviations")
    if word in short:
        return str(short[word])
    return _respell(word)


@lru_cache(maxsize=4096)
def _respell(word: str) -> str:
    """The vocabulary word that ``word`` is a slip of, or ``word``."""
    if len(word) < 4 or "-" in word or word in _vocabulary() or semantics.is_word(word):
        return word
    limit = 1 if len(word) < 8 else 2
    found = process.extractOne(word, _vocabulary(), scorer=OSA.distance, score_cutoff=limit)
    if found is None or found[0][0] != word[0] or _same_stem(word, found[0]):
        return word
    return str(found[0])


def _same_stem(word: str, known: str) -> bool:
    """``lightest`` is no slip of ``lighter``."""
    length = next(
        (place for place, pair in enumerate(zip(word, known, strict=False)) if len(set(pair)) > 1),
        min(len(word), len(known)),
    )
    stem = word[:length]
    return len(stem) >= 4 and word[len(stem) :] in _ENDINGS and known[len(stem) :] in _ENDINGS


_ENDINGS = frozenset({"", "s", "es", "ed", "d", "er", "r", "est", "st", "ing", "ly", "y", "t"})


@cache
def _vocabulary() -> tuple[str, ...]:
    spoken = (sentence for sentences in lexicon.load("examples").values() for sentence in sentences)
    known = {word for sentence in spoken for word in _WORD.findall(sentence.lower()) if len(word) > 3}
    phrases = [*lexicon.table("qualities"), *lexicon.table("comparatives"), *lexicon.table("superlatives")]
    known |= {word for phrase in phrases for word in _WORD.findall(phrase)}
    return tuple(sorted(known | lexicon.words("nouns") | lexicon.words("colors")))


def as_typed(clause: str, text: str) -> str:
    """The part of ``text`` that ``clause`` is the plain form of, letter by letter; the clause where it is not in it."""
    spans = [found.span() for found in re.finditer(r"\S+", text)]
    told = [(word, span) for span in spans for word in words_of(plain(text[slice(*span)]))]
    wanted = words_of(clause)
    same = SequenceMatcher(None, [word for word, _ in told], wanted, autojunk=False).get_matching_blocks()[:-1]
    if not wanted or sum(block.size for block in same) * 3 < len(wanted) * 2:
        return clause
    first, last = told[same[0].a][1], told[same[-1].a + same[-1].size - 1][1]
    return text[first[0] : last[1]].strip(" ,.;")


def foreign_language(text: str) -> str | None:
    """Which other language this seems to be in; ``""`` when it is not clear which, ``None`` for English."""
    letters = [char for char in text if char.isalpha()]
    if letters and sum(not _is_latin(char) for char in letters) > len(letters) / 2:
        return ""
    tokens = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", text.translate(_QUOTES).lower())
    english = sum(token in _ENGLISH or token in lexicon.words("nouns") for token in tokens)
    counts = {name: sum(token in set(marks) for token in tokens) for name, marks in lexicon.table("foreign").items()}
    name = max(counts, key=lambda language: counts[language])
    enough = 1 if len(tokens) <= 2 else 2
    return name if counts[name] >= enough and counts[name] > english else None


@lru_cache(maxsize=2048)
def _is_latin(char: str) -> bool:
    return "LATIN" in unicodedata.name(char, "")


def words_of(text: str) -> list[str]:
    """The tokens of an already plain text."""
    return re.findall(r"[a-z0-9][a-z0-9'\-\.]*[a-z0-9]|[a-z0-9]", text)
