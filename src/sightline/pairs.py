"""Pairs of pictures and captions for training: who is held out, what an epoch draws, which captions are the same.

Knows ids and texts; pixels only in `decode_all`, vectors not at all. Everything is drawn from the seed and the number
of the epoch, so that a run that goes on draws what an unbroken one would have drawn.

    python -c "from sightline.pairs import part_of; print(part_of('00ff' * 8, held_out=0.2))"
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import string
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sightline.decoding import Decoders, Preparation, take_apart
from sightline.errors import NoDecoder, SourceError
from sightline.executors import TakeApart, skip_for
from sightline.judgements import Named
from sightline.schema import Item, Skipped, SkipReason
from sightline.sources import Source

Places: TypeAlias = NDArray[np.int64]
"""Places of pictures or of lines, (n,)."""

TRAIN, CHOOSE, JUDGE = "train", "choose", "judge"
LEAST_TRAIN, LEAST_HELD = 8, 4
"""Pictures: with fewer there is nothing to learn from, or nothing to say whether it was learnt."""


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Pictures with captions. `lines` holds each caption once; lines_of[i] are the places of picture i's own in it.

    Lines that differ in case, spaces and punctuation only are one line: they must not push each other away.
    """

    ids: tuple[str, ...]
    lines: tuple[str, ...]
    lines_of: tuple[tuple[int, ...], ...]
    train: Places
    choose: Places
    judge: Places

    @property
    def digest(self) -> str:
        """What a run that goes on must find again: pictures, captions and parts."""
        parts = [
            self.ids,
            self.lines,
            self.lines_of,
            *(part.tolist() for part in (self.train, self.choose, self.judge)),
        ]
        return hashlib.sha256(json.dumps(parts).encode("utf-8", "surrogatepass")).hexdigest()

    def epoch(self, number: int, *, seed: int) -> tuple[Places, Places]:
        """The training pictures in this epoch's order, and the line that is drawn for each of them; both (n,)."""
        rng = np.random.default_rng((seed, number))
        items = rng.permutation(self.train)
        drawn = rng.random(len(items))
        own = [self.lines_of[at] for at in items]
        return items, np.array([lines[int(share * len(lines))] for lines, share in zip(own, drawn, strict=True)])

    def same(self, items: Places, lines: Places) -> NDArray[np.bool_]:
        """same[i, j]: line j is a caption of picture i, (n, n); true for each pair itself."""
        places: dict[int, list[int]] = {}
        for at, line in enumerate(lines.tolist()):
            places.setdefault(line, []).append(at)
        same = np.zeros((len(items), len(lines)), np.bool_)
        for row, item in enumerate(items.tolist()):
            for line in self.lines_of[item]:
                same[row, places.get(line, [])] = True
        return same

    def part(self, items: Places) -> tuple[Places, list[tuple[int, ...]]]:
        """The lines of these pictures (m,), and for each picture the places of its own among them."""
        lines = list(dict.fromkeys(line for at in items for line in self.lines_of[at]))
        places = {line: at for at, line in enumerate(lines)}
        return np.array(lines, np.int64), [tuple(places[line] for line in self.lines_of[at]) for at in items]


def pair_up(items: Sequence[Named], *, held_out: float) -> Pairs:
    """The pictures that have captions, in the order of their ids, with their parts.

    Raises SourceError when no picture has a caption, or when a part would be too small to mean anything.
    """
    known: dict[str, int] = {}
    lines: list[str] = []
    ids: list[str] = []
    lines_of: list[tuple[int, ...]] = []
    for item in sorted({item.id: item for item in items}.values(), key=lambda item: item.id):
        own = []
        for line in item.captions:
            key = " ".join(line.casefold().translate(_NO_PUNCTUATION).split()) or line
            if key not in known:
                known[key] = len(lines)
                lines.append(line)
            own.append(known[key])
        if own:
            ids.append(item.id)
            lines_of.append(tuple(dict.fromkeys(own)))
    parts = np.array([part_of(ident, held_out=held_out) for ident in ids])
    pairs = Pairs(
        tuple(ids), tuple(lines), tuple(lines_of), *(np.flatnonzero(parts == part) for part in (TRAIN, CHOOSE, JUDGE))
    )
    _check_enough(pairs, len(items), held_out)
    return pairs


_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def part_of(ident: str, *, held_out: float) -> str:
    """Where an item belongs, by its id alone: `held_out` is the share of ids that are not trained on, half and half.

    A picture stays in its part whatever else the source holds, so that no later run trains on what an earlier judged.
    """
    place = int(ident[:13], 16) / 16**13
    return CHOOSE if place < held_out / 2 else JUDGE if place < held_out else TRAIN


def _check_enough(pairs: Pairs, listed: int, held_out: float) -> None:
    if not pairs.ids:
        raise SourceError(
            f"none of {listed} pictures has a caption, so there is nothing to learn from",
            hint="put a captions.csv (file,caption) beside the pictures",
        )
    sizes = len(pairs.train), len(pairs.choose), len(pairs.judge)
    if sizes[0] < LEAST_TRAIN or min(sizes[1:]) < LEAST_HELD:
        raise SourceError(
            f"{len(pairs.ids)} pictures with captions are too few: {sizes[0]} to train on, {sizes[1]} to choose the "
            f"epoch, {sizes[2]} to judge the result; at least {LEAST_TRAIN}, {LEAST_HELD} and {LEAST_HELD} are needed",
            hint=f"give more pictures, or hold out another share than --held-out {held_out:g}",
        )
    if len(pairs.lines) < 2:
        raise SourceError("all captions are the same: nothing tells one picture from another")


# ---- pixels ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """Decoded pictures on disk: `array` uint8 (n, S, S, 3), row `places[id]` for each usable item."""

    array: NDArray[np.uint8]
    places: dict[str, int]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """What a source lists, without the bytes: each picture once. `stamp` changes with uris, sizes, times, captions."""

    items: tuple[Named, ...]
    skipped: tuple[Skipped, ...]
    stamp: str


def listing(source: Source) -> Listing:
    items: dict[str, Named] = {}
    lost: list[Skipped] = []
    stamp = hashlib.sha256()
    for one in source:
        if isinstance(one, Skipped):
            lost.append(one)
        elif one.id not in items:
            items[one.id] = Named(one.id, one.uri, one.name, one.text)
            stamp.update(json.dumps([one.uri, one.size, one.mtime_ns, one.text]).encode("utf-8", "surrogatepass"))
    return Listing(tuple(items.values()), tuple(lost), stamp.hexdigest())


def decode_all(
    source: Source,
    listed: Listing,
    preparation: Preparation,
    folder: Path,
    *,
    kind: str,
    threads: int,
    tell: Callable[[int, int], None] | None = None,
) -> Pixels:
    """Every picture with a caption decoded once into a file in `folder`, as the model sees it; read from there when it
    is there and was made from the same listing. `kind` names the preparation.

    What cannot be decoded is Skipped. Where the system can, decoders run in limited processes. Raises NoDecoder when
    those cannot be started.
    """
    stamp = f"{listed.stamp} {kind}"
    facts, file = folder / "pixels.json", folder / "pixels.npy"
    if facts.exists():
        known = json.loads(facts.read_bytes())
        if known["stamp"] == stamp:
            skipped = tuple(Skipped(uri, SkipReason(reason), detail) for uri, reason, detail in known["skipped"])
            return Pixels(np.load(file, mmap_mode="r"), known["places"], skipped)
        facts.unlink()
    wanted = {item.id for item in listed.items if item.captions}
    side = preparation.target
    array = np.lib.format.open_memmap(file, "w+", np.uint8, (len(wanted), side, side, 3))
    lost: list[Skipped] = []
    places: dict[str, int] = {}
    done = 0
    with _decoder(preparation, threads) as apart, ThreadPoolExecutor(threads, "sightline-decode") as pool:
        for batch in _batches(source, wanted):
            for item, outcome in zip(batch, pool.map(functools.partial(_pixels, apart), batch), strict=True):
                if isinstance(outcome, Skipped):
                    lost.append(outcome)
                else:
                    array[len(places)] = outcome
                    places[item.id] = len(places)
            done += len(batch)
            if tell is not None:
                tell(done, len(array))
    array.flush()
    facts.write_text(
        json.dumps({"stamp": stamp, "places": places, "skipped": [(s.uri, s.reason, s.detail) for s in lost]})
    )
    return Pixels(np.load(file, mmap_mode="r"), places, tuple(lost))


def _batches(source: Source, wanted: set[str]) -> Iterator[list[Item]]:
    """The wanted items, each once, a few hundred at a time: an item may hold its picture's bytes."""
    left, batch = set(wanted), []
    for one in source:
        if isinstance(one, Item) and one.id in left:
            left.remove(one.id)
            batch.append(one)
        if len(batch) == 256:
            yield batch
            batch = []
    if batch:
        yield batch


class _Here:
    """Decoding in the threads of this process, where children cannot be limited."""

    def __init__(self, preparation: Preparation) -> None:
        self.take_apart: TakeApart = functools.partial(take_apart, preparation=preparation)


def _decoder(preparation: Preparation, threads: int) -> closing[Decoders] | nullcontext[_Here]:
    if os.name == "posix":
        return closing(Decoders(preparation, threads))
    return nullcontext(_Here(preparation))


def _pixels(apart: Decoders | _Here, item: Item) -> NDArray[np.uint8] | Skipped:
    try:
        pixels: NDArray[np.uint8] = apart.take_apart(item.read(), preview=False).prepared
    except NoDecoder:
        raise
    except Exception as error:  # a source's own read may raise anything; one picture never stops a run
        return skip_for(item, error)
    return pixels
