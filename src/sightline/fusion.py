"""fuse(): what each channel found -> candidates, best first, each knowing what it owes to which channel.

Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009) with one change: where a channel's scores say how much
better its first is than the others, a row's share is scaled by its score relative to that first (decisions/0004).
Arithmetic over ranks and scores alone; knows nothing of stores, encoders or queries.

    python -c "from sightline.fusion import VOICES; print(VOICES)"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sightline.rows import Found
from sightline.schema import Channel

RRF_K = 60


@dataclass(frozen=True, slots=True)
class Voice:
    """How much a channel has to say: the weight of its rows; `relative`: each also counts by its score / best score."""

    weight: float
    relative: bool = False


VOICES: Mapping[str, Voice] = {"vector": Voice(1.0), "text": Voice(4.0, relative=True)}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row that some channel found, before it is a hit. `score` is the cosine, `fused` what the order is made by.

    The shares in `why` add up to 1.
    """

    found: Found
    score: float
    fused: float
    why: Mapping[str, Channel]
    relevance: float | None = None
    group: str | None = None

    @property
    def id(self) -> str:
        return self.found.id


def fuse(channels: Mapping[str, Sequence[Found]], voices: Mapping[str, Voice] = VOICES) -> list[Candidate]:
    """All rows that any of `channels` (name -> rows, best first) found, by falling sum of what each adds to them.

    Rows of equal sum stand in the order of their cosine, then of their id, so that a query is always answered alike.
    """
    seen: dict[str, dict[str, tuple[Found, Channel]]] = {}
    for name, rows in channels.items():
        voice, best = voices[name], rows[0].score if rows else 0.0
        for rank, found in enumerate(rows, start=1):
            worth = voice.weight / (RRF_K + rank)
            if voice.relative and best > 0:
                worth *= found.score / best
            seen.setdefault(found.id, {})[name] = found, Channel(rank, found.score, worth)
    candidates = [_candidate(by_channel) for by_channel in seen.values()]
    return sorted(candidates, key=lambda one: (-one.fused, -one.score, one.id))


def _candidate(by_channel: Mapping[str, tuple[Found, Channel]]) -> Candidate:
    """`by_channel` holds worths where shares belong."""
    fused = sum(channel.share for _, channel in by_channel.values())
    first = next(iter(by_channel.values()))[0]
    why = {name: replace(one, share=one.share / fused if fused else 0.0) for name, (_, one) in by_channel.items()}
    return Candidate(first, first.cosine if first.cosine is not None else 0.0, fused, why)
