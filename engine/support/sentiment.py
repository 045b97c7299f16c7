"""How a shopper's last words sound, by a small list of words: no model, and the same answer every time.

``docs/domains/support.md`` has the rule: points of a message are those of its words and of shouting, the newest counts
whole and the two before it half.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from engine.support.models import Sentiment

MESSAGES: Final = 3
"""How many of the newest messages count."""
UNHAPPY_FROM: Final = 2.0
ANGRY_FROM: Final = 4.0
_MOST: Final = 6.0
_SHOUTED: Final = re.compile(r"\b[A-ZÁÉÍÓÚÑ]{4,}\b")
_MARKS: Final = re.compile(r"[!¡]{2,}|\?{2,}|\?!|!\?")
_NOT_A_WORD: Final = re.compile(r"[^\w']+")
POINTS: Final[dict[int, str]] = {
    3: "furious outraged scam scammers fraud thieves robbery lawyer sue lawsuit chargeback disgusting disgrace hate"
    " estafa ladrones abogado denuncia furioso furiosa vergüenza"
    " محتالون احتيال محامي غاضب",
    2: "terrible awful horrible unacceptable ridiculous useless worst angry annoyed pathetic joke incompetent damn"
    " horribles inaceptable ridículo inútil peor enfadado enfadada enojado enojada indignante"
    " سيء مقرف فظيع",
    1: "broken wrong late missing damaged disappointed disappointing unhappy upset frustrated frustrating complain"
    " complaint fed unfortunately problem again waiting never still"
    " roto rota mal tarde falta dañado dañada decepcionado decepcionada queja problema nunca"
    " مكسور متأخر مشكلة شكوى",
    -2: "thanks thank great perfect lovely excellent appreciate gracias perfecto genial شكرا ممتاز",
}
"""Points → words."""
PHRASES: Final[dict[str, int]] = {
    "not happy": 2,
    "not acceptable": 3,
    "not good enough": 2,
    "fed up": 2,
    "how many times": 2,
    "waste of time": 3,
    "waste of money": 3,
    "rip off": 3,
    "money back": 1,
    "last time": 1,
    "never again": 3,
    "no problem": -2,
    "no rush": -2,
    "estoy harto": 3,
    "estoy harta": 3,
    "muy mal": 1,
}
_WORTH: Final = {word: points for points, words in POINTS.items() for word in words.split()}


def of(messages: Sequence[str]) -> Sentiment:
    """How the newest messages (oldest first) sound together."""
    newest = list(reversed(messages))[:MESSAGES]
    total = sum(points(words) * (1 if place == 0 else 0.5) for place, words in enumerate(newest))
    if total >= ANGRY_FROM:
        return Sentiment.ANGRY
    return Sentiment.UNHAPPY if total >= UNHAPPY_FROM else Sentiment.CALM


def points(message: str) -> float:
    """The more, the angrier; between -2 (content) and 6."""
    words = [word for word in _NOT_A_WORD.split(message.casefold()) if word]
    plain = f" {' '.join(words)} "
    total = float(sum(_WORTH.get(word, 0) for word in set(words)))
    total += sum(worth for phrase, worth in PHRASES.items() if f" {phrase} " in plain)
    total += 2 * (len(_SHOUTED.findall(message)) >= 2) + bool(_MARKS.search(message))
    return max(-2.0, min(_MOST, total))
