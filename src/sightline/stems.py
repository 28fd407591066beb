"""Words as full text sees them: lower case, without accents, stemmed, stop words left out.

The index keeps its words to itself, so they are made again here, by the rules that `index.py` gives to LanceDB (icu,
English, `STOP_WORDS`); `tests/test_calibrate.py` holds both to the same answers. Pure; knows no table.

    python -c "from sightline.stems import stems; print(stems('Two dogs, running'))"
"""

from __future__ import annotations

import functools
import re
import threading
import unicodedata
from typing import TYPE_CHECKING

from sightline.rows import STOP_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST = 40
"""Characters of a word; the index leaves out what is longer."""

# Han, kana, Thai and the like are written without spaces: each character is a word here. icu has a dictionary, so this
# asks for more characters in common than the index does for words, and never for less.
_WORD = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]|[^\W_]+(?:['’.][^\W_]+)*")
_STOPS = frozenset(STOP_WORDS)


def stems(text: str) -> list[str]:
    """The words of `text` in their order, as the full-text index would store them."""
    found = [_stem(word) for word in _WORD.findall(text.lower()) if len(word) <= LONGEST]
    return [stem for stem in found if stem and stem not in _STOPS]


@functools.lru_cache(maxsize=50_000)
def _stem(word: str) -> str:
    if word.isascii() and word.isdigit():  # captions hold many numbers, each once, and none has another stem
        return word
    folded = "".join(one for one in unicodedata.normalize("NFKD", word) if not unicodedata.combining(one))
    return "" if word in _STOPS else stemmer()(folded.replace("’", "'"))


def stemmer() -> Callable[[str], str]:
    """Snowball's English stemmer: a word in lower case -> its stem. One for each thread: it holds what it works on."""
    if not hasattr(_own, "stem"):
        import snowballstemmer

        _own.stem = snowballstemmer.stemmer("english").stemWord
    stem: Callable[[str], str] = _own.stem
    return stem


_own = threading.local()
