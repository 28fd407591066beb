"""groups: which pictures are near-duplicates of each other, and how hits become various.

A re-save, another size, a slight crop, other light or the next frame of a burst is a near-duplicate; another picture of
the same place is not, nor is a mirrored one. Evidence is the bytes, how a picture looks (`looks.py`), and the camera
with the time; never an encoder's vectors, whose cosines mean something else with each model (docs/groups.md, measured).

A group is a star: each member is alike its first, which is what a person is shown or told to keep. So a long pan is cut
into pieces instead of being chained into one group.

    sightline dups -c data/tables#family
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from sightline import looks
from sightline.looks import Looks

ALIKE, NEAR = 0.94, 16
"""Least likeness, and most bits of the hash that may differ."""
FAR_ALIKE, FAR = 0.97, 22
"""Where up to FAR bits differ the likeness has to be greater: the view has moved."""
BURST_ALIKE, BURST_SECONDS = 0.85, 2.0
"""Enough for pictures of one camera taken at most so many seconds apart: things move, and chance is unlikely."""
HOPELESS = 0.5
"""Looks that correlate less as they lie are not laid over each other; of a burst, half as much."""
TINT = 10.0
"""Two colourings of one picture (a shirt in red, a shirt in blue) differ by more levels than this."""
SMALL, BLOCK, TABLES = 2048, 512, 24
"""Up to SMALL portraits are all compared; of more, BLOCK at a time, those that one of TABLES brings together."""
AT_A_GLANCE = 512
"""So few are first compared by their hashes, each with each; of more that takes memory."""
BALANCE = 0.4
"""What being right counts for beside being different, in `various` (docs/groups.md, measured)."""

Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Portrait:
    """What is compared of one picture. `version` is empty where equal bytes do not mean equal pictures."""

    version: str
    look: bytes
    camera: str = ""
    taken: datetime | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Gallery:
    """Portraits as columns of n. `version` and `camera` are numbers, below zero where nothing is known."""

    looks: Looks
    hashes: NDArray[np.uint64]
    flat: NDArray[np.bool_]
    version: NDArray[np.intp]
    camera: NDArray[np.intp]
    taken: NDArray[np.float64]


def alike(one: Sequence[Portrait], other: Sequence[Portrait]) -> NDArray[np.bool_]:
    """Whether each pair (n,) is one of near-duplicates."""
    gallery = _gallery([*one, *other])
    return _alike(gallery, np.arange(len(one)), np.arange(len(one), len(gallery.hashes)))


def fold(portraits: Sequence[Portrait], most: int | None = None) -> list[list[int]]:
    """Places (0, 1, …) of portraits by group, in their order: the first that belongs to no group yet begins one.

    At most `most` groups; portraits that would begin a further one are left out.
    """
    gallery = _gallery(portraits)
    return _stars(gallery, np.arange(len(portraits)), most)


def groups_of(portraits: Sequence[Portrait]) -> list[list[int]]:
    """As `fold`, for a whole collection, and only groups of two or more. A portrait begins a group before later ones.

    More than SMALL portraits are compared only where their hashes agree in all bits of one of 24 drawings, so that the
    work does not grow with the square of their number. What that loses is in docs/groups.md.
    """
    gallery = _gallery(portraits)
    if len(portraits) <= SMALL:
        return [star for star in _stars(gallery, np.arange(len(portraits)), None) if len(star) > 1]
    keys = _keys(gallery.hashes)
    tables: list[dict[int, list[int]]] = [{} for _ in range(TABLES)]
    leader_of_version: dict[int, int] = {}
    stars: dict[int, list[int]] = {}
    for start in range(0, len(portraits), BLOCK):
        alone: list[int] = []
        for place, leader in enumerate(_leaders(gallery, start, keys, tables, leader_of_version), start=start):
            if leader < 0:
                alone.append(place)
            else:
                stars[leader].append(place)
                leader_of_version.setdefault(int(gallery.version[place]), leader)
        for star in _stars(gallery, np.asarray(alone, np.intp), None):
            leader = star[0]
            stars[leader] = star
            for place in star:
                leader_of_version.setdefault(int(gallery.version[place]), leader)
            if not gallery.flat[leader]:
                for table, key in zip(tables, keys[leader].tolist(), strict=True):
                    table.setdefault(key, []).append(leader)
    return [star for star in stars.values() if len(star) > 1]


def various(vectors: NDArray[np.float32], worth: NDArray[np.float32], k: int, balance: float = BALANCE) -> list[int]:
    """The order in which at most `k` of n rows are shown so that each is good and unlike those before it.

    Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998) over unit vectors (n, dim) and any falling `worth`
    (n,). Cosines and worths are stretched to 0..1 over these rows, so that `balance` means the same for each encoder.
    """
    if not len(vectors):
        return []
    near = _stretched(vectors @ vectors.T, apart=~np.eye(len(vectors), dtype=bool))
    good = _stretched(worth, apart=np.ones(len(worth), bool))
    nearest = np.zeros(len(vectors), np.float32)
    left = np.ones(len(vectors), bool)
    order: list[int] = []
    for _ in range(min(k, len(vectors))):
        marginal = np.where(left, balance * good - (1 - balance) * nearest, -np.inf)
        place = int(marginal.argmax())
        order.append(place)
        left[place] = False
        nearest = np.maximum(nearest, near[place])
    return order


def _stretched(values: NDArray[np.float32], *, apart: NDArray[np.bool_]) -> NDArray[np.float32]:
    """0 for the least and 1 for the largest of those that are `apart`; all 1 where they are the same."""
    low, high = values[apart].min(initial=np.inf), values[apart].max(initial=-np.inf)
    if not high > low:
        return np.ones_like(values)
    stretched: NDArray[np.float32] = ((values - low) / (high - low)).astype(np.float32)
    return stretched


def _gallery(portraits: Sequence[Portrait]) -> _Gallery:
    found = looks.stack([one.look for one in portraits])
    return _Gallery(
        looks=found,
        hashes=looks.hashes(found),
        flat=looks.flat(found),
        version=_numbered([one.version for one in portraits]),
        camera=_numbered([one.camera for one in portraits]),
        taken=np.array([one.taken.timestamp() if one.taken else np.nan for one in portraits], np.float64),
    )


def _numbered(words: Sequence[str]) -> Places:
    """Equal words get equal numbers; each empty one a number of its own below zero."""
    numbers: dict[str, int] = {}
    return np.array(
        [numbers.setdefault(word, len(numbers)) if word else -1 - at for at, word in enumerate(words)], np.intp
    )


def _stars(gallery: _Gallery, places: Places, most: int | None) -> list[list[int]]:
    stars: list[list[int]] = []
    may = _may_be_alike(gallery, places) if len(places) <= AT_A_GLANCE else None
    left = np.arange(len(places))  # of places
    while len(left) and (most is None or len(stars) < most):
        leader, rest = left[0], left[1:]
        looked = rest if may is None else rest[may[leader, rest]]
        alike = looked[_alike(gallery, np.full(len(looked), places[leader]), places[looked])] if len(looked) else looked
        stars.append(places[[leader, *alike]].tolist())
        left = rest if not len(alike) else np.setdiff1d(rest, alike, assume_unique=True)
    return stars


def _may_be_alike(gallery: _Gallery, places: Places) -> NDArray[np.bool_]:
    """Of each pair (n, n) of places whether it has to be looked at: most differ at a glance."""
    hashes, version, textured = gallery.hashes[places], gallery.version[places], ~gallery.flat[places]
    near = looks.apart(hashes[:, None], hashes[None, :]) <= FAR
    found: NDArray[np.bool_] = near & (textured[:, None] & textured[None, :])
    found |= version[:, None] == version[None, :]
    return found


def _alike(gallery: _Gallery, one: Places, other: Places) -> NDArray[np.bool_]:
    """Whether each pair (n,) of places is of near-duplicates."""
    same: NDArray[np.bool_] = gallery.version[one] == gallery.version[other]
    with np.errstate(invalid="ignore"):
        at_once = np.abs(gallery.taken[one] - gallery.taken[other]) <= BURST_SECONDS  # False for NaN
    burst = at_once & (gallery.camera[one] == gallery.camera[other])
    distance = looks.apart(gallery.hashes[one], gallery.hashes[other])
    bar = np.where(burst, BURST_ALIKE, np.where(distance <= NEAR, ALIKE, FAR_ALIKE)).astype(np.float32)
    hopeless = np.where(burst, HOPELESS / 2, HOPELESS).astype(np.float32)
    near = np.flatnonzero((distance <= FAR) & ~same & ~(gallery.flat[one] | gallery.flat[other]))
    if not len(near):  # as most often
        return same
    first, second = gallery.looks[one[near]], gallery.looks[other[near]]
    tinted = looks.tint(first, second) <= TINT
    near, first, second = near[tinted], first[tinted], second[tinted]
    alike = same.copy()
    alike[near] = looks.likeness(first, second, enough=bar[near], hopeless=hopeless[near]) >= bar[near]
    return alike


def _keys(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """(n, 24) numbers, each of some bits of a hash; of as many bits that a number means few hashes by chance."""
    bits = max(8, int(np.log2(max(len(hashes), 2))) - 4)
    rng = np.random.default_rng(1998)
    keys = np.zeros((len(hashes), TABLES), np.int64)
    for table in range(TABLES):
        for bit in rng.choice(64, size=bits, replace=False):
            keys[:, table] = keys[:, table] * 2 + ((hashes >> np.uint64(bit)) & np.uint64(1)).astype(np.int64)
    return keys


def _leaders(
    gallery: _Gallery,
    start: int,
    keys: NDArray[np.int64],
    tables: Sequence[dict[int, list[int]]],
    leader_of_version: dict[int, int],
) -> list[int]:
    """For each place of a block from `start`, the first leader that it is alike, or -1."""
    end = min(start + BLOCK, len(keys))
    found = [leader_of_version.get(int(version), -1) for version in gallery.version[start:end]]
    pairs: list[Places] = []
    for place in range(start, end):
        if found[place - start] >= 0 or gallery.flat[place]:
            continue
        pool: list[int] = []
        for table, key in zip(tables, keys[place].tolist(), strict=True):
            pool += table.get(key, ())
        leaders = np.unique(np.asarray(pool, np.intp))
        leaders = leaders[looks.apart(gallery.hashes[leaders], gallery.hashes[place]) <= FAR]
        pairs.append(np.stack([leaders, np.full(len(leaders), place)]))
    if pairs:
        leaders, places = np.concatenate(pairs, axis=1)
        for at in np.flatnonzero(_alike(gallery, leaders, places))[::-1]:  # so that the first leader is the last word
            found[places[at] - start] = int(leaders[at])
    return found
