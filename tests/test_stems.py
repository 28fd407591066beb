"""Words as full text sees them, whoever asks at the same time."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from sightline.stems import stemmer, stems

WORDS = [f"{start}{end}" for start in ("run", "nation", "happi", "organ", "relat") for end in ("ing", "alized", "ness")]


@pytest.fixture
def hasty() -> object:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_a_number_is_its_own_stem() -> None:
    numbers = [str(number) for number in (*range(0, 3_000, 7), 10**12)]
    assert [stemmer()(number) for number in numbers] == numbers
    assert stems(" ".join(numbers)) == numbers


def test_threads_that_stem_at_the_same_time_get_what_one_gets_alone(hasty: object) -> None:
    alone = [stemmer()(word) for word in WORDS]
    with ThreadPoolExecutor(8) as pool:
        together = pool.map(lambda _: [stemmer()(word) for word in WORDS], range(200))
    assert all(stems == alone for stems in together)
