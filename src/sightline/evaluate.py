"""evaluate(): how well a collection finds what it should, how sure that is, and how long it takes.

Questions come from the captions or from a file (`judgements.py`), what is measured from `metrics.py`. Words are put to
the collection by the road that a search takes; the other way round each picture is compared with every caption.

    sightline eval streets:test --model pocket
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

import numpy as np

from sightline import metrics
from sightline.encoders import Encoder
from sightline.errors import CollectionError, UsageError
from sightline.judgements import Judgements, Named, Question, from_captions, placed, read
from sightline.metrics import Ranked, Relevant, Values
from sightline.retrieve import CHANNELS, retrieve
from sightline.rows import is_in, matrix
from sightline.schema import Query, Term, Vectors
from sightline.store import Store

T = TypeVar("T")

METRICS = ("recall@1", "recall@5", "recall@10", "mrr", "ndcg@10")
JUDGED_METRICS = (*METRICS, "precision@5")
"""With judgements also this: a caption has one picture, so that more than a fifth could not be reached."""
WAYS = {"vector": ("vector",), "text": ("text",), "hybrid": CHANNELS}
"""What can be compared: the channels of a search, and all of them fused, as a search is by default."""
DEPTH = 100
"""How many hits are looked at; a relevant item below them counts as not found (of the MRR, less than 0.01)."""
TO_IMAGE, TO_TEXT = "text->image", "image->text"
_INDEXED = "captions are indexed and every query is one of them: text and hybrid measure the road, not the encoder"


@dataclass(frozen=True, slots=True)
class Kind:
    """The means over the questions of one kind; those of a kind that stands apart are in no other number."""

    name: str
    n: int
    means: Mapping[str, float]
    apart: bool

    def to_json(self) -> dict[str, Any]:
        rounded = {metric: round(mean, 6) for metric, mean in self.means.items()}
        return {"n": self.n, **rounded, "apart": self.apart}


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One way through all questions. `values` holds each metric's value per question (n,), in the order of `asked`.

    `kinds` holds the means over each kind of question, where the questions have kinds; also of those that stand apart
    and are not in `asked`.
    """

    model: str
    direction: str
    channel: str
    asked: tuple[str, ...]
    groups: tuple[str, ...]
    values: Mapping[str, Values]
    intervals: Mapping[str, tuple[float, float]]
    latency_ms: Mapping[str, float] | None
    kinds: tuple[Kind, ...] = ()

    @property
    def n(self) -> int:
        return len(self.asked)

    def mean(self, metric: str) -> float:
        return float(self.values[metric].mean())

    def to_json(self) -> dict[str, Any]:
        return {
            "direction": self.direction,
            "channel": self.channel,
            "n": self.n,
            **{metric: round(self.mean(metric), 6) for metric in self.values},
            "intervals": {metric: [round(end, 6) for end in ends] for metric, ends in self.intervals.items()},
            "latency_ms": None if self.latency_ms is None else dict(self.latency_ms),
            **({"kinds": {kind.name: kind.to_json() for kind in self.kinds}} if self.kinds else {}),
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """`b` minus `a` in one metric over the same questions; in `share_above` of the resamples it is above zero."""

    a: str
    b: str
    metric: str
    difference: float
    interval: tuple[float, float]
    share_above: float

    def to_json(self) -> dict[str, Any]:
        rounded = {"difference": round(self.difference, 6), "interval": [round(end, 6) for end in self.interval]}
        return {**asdict(self), **rounded}


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What was measured of one collection. The first run is the one that its numbers mean; `runs` has them all."""

    model: str
    relevance: str
    rows: int
    seed: int
    runs: tuple[Run, ...]
    comparisons: tuple[Comparison, ...]
    notices: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        return self.runs[0].n

    def __getitem__(self, metric: str) -> float:
        """The first run's mean, e.g. `evaluation["recall@10"]`."""
        return self.runs[0].mean(metric)

    def to_json(self) -> dict[str, Any]:
        return {
            **self.runs[0].to_json(),
            "model": self.model,
            "relevance": self.relevance,
            "rows": self.rows,
            "seed": self.seed,
            "runs": [run.to_json() for run in self.runs],
            "comparisons": [one.to_json() for one in self.comparisons],
            "notices": list(self.notices),
        }


def evaluate(
    store: Store,
    encoder: Encoder,
    *,
    qrels: Judgements | None = None,
    queries: str | os.PathLike[str] | None = None,
    channels: Sequence[str] | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> Evaluation:
    """Measure the collection in `store`. `qrels` None: each caption is a query for its own picture, and each picture
    one for its own captions.

    `channels` of WAYS, the first being the one that counts; None: `vector` for captions, hybrid first for judgements.
    `limit` draws that many questions at random. The same `seed` gives the same numbers, latencies apart. Raises
    UsageError, SourceError for a file that cannot be read, CollectionError for a collection with nothing to ask.
    """
    channels = check_channels(channels, captions=qrels is None)
    items = items_of(store)
    questions, notices = _questions(items, qrels, queries)
    asked = drawn(questions, limit, seed)
    wanted = METRICS if qrels is None else JUDGED_METRICS
    runs = [_to_image(store, encoder, asked, channel, wanted, seed) for channel in channels]
    if qrels is None:
        if "vector" in channels:
            runs.append(_to_text(store, encoder, items, limit, seed))
        if set(channels) - {"vector"}:
            notices.append(_INDEXED)
    pairs = itertools.combinations(runs[: len(channels)], 2)
    return Evaluation(
        model=encoder.name,
        relevance="captions" if qrels is None else "qrels",
        rows=len(items),
        seed=seed,
        runs=tuple(runs),
        comparisons=tuple(one for a, b in pairs for one in compare(a, b, names=(a.channel, b.channel), seed=seed)),
        notices=tuple(notices),
    )


def compare(a: Run, b: Run, *, names: tuple[str, str], seed: int = 0) -> list[Comparison]:
    """`b` against `a` in every metric, over the questions that both were asked. Raises UsageError when none was."""
    places = {one: at for at, one in enumerate(b.asked)}
    in_a = [at for at, one in enumerate(a.asked) if one in places]
    in_b = in_a if a.asked == b.asked else [places[a.asked[at]] for at in in_a]
    if not in_a:
        raise UsageError(f"{names[0]} and {names[1]} were asked nothing in common")
    groups = [a.groups[at] for at in in_a]
    found = []
    for metric in a.values:
        one = metrics.compare(a.values[metric][in_a], b.values[metric][in_b], groups=groups, seed=seed)
        found.append(Comparison(*names, metric, one.difference, (one.low, one.high), one.share_above))
    return found


def measure_vectors(
    model: str,
    ids: Sequence[str],
    images: Vectors,
    lines: Sequence[str],
    texts: Vectors,
    captions: Sequence[Sequence[int]],
    *,
    seed: int = 0,
) -> tuple[Run, Run]:
    """Vectors at hand measured as captions are: each line asks for its pictures, then each picture for its lines.

    ids (n,) with images (n, dim) unit vectors, lines (m,) with texts (m, dim); captions[i] are the places in `lines`
    of picture i's own, every line being somebody's. Queries are grouped by the first picture that has them.
    """
    owners: list[list[int]] = [[] for _ in lines]
    for at, own in enumerate(captions):
        for line in own:
            owners[line].append(at)
    to_image = _measured(
        model,
        TO_IMAGE,
        "vector",
        lines,
        [ids[own[0]] for own in owners],
        _nearest(texts, images),
        [dict.fromkeys(own, 1.0) for own in owners],
        None,
        seed,
    )
    relevant = [dict.fromkeys(own, 1.0) for own in captions]
    to_text = _measured(model, TO_TEXT, "vector", ids, ids, _nearest(images, texts), relevant, None, seed)
    return to_image, to_text


def check_channels(channels: Sequence[str] | None, *, captions: bool) -> list[str]:
    """The channels meant, `captions` saying where relevance comes from. Raises UsageError for one that is unknown."""
    if channels is None:
        return ["vector"] if captions else ["hybrid", "vector", "text"]
    unknown = [channel for channel in channels if channel not in WAYS]
    if unknown or not channels or isinstance(channels, str):
        raise UsageError(f"channels are {', '.join(WAYS)}; '{', '.join(unknown)}' was given")
    return list(dict.fromkeys(channels))


def items_of(store: Store) -> list[Named]:
    """Every item, in the order of the uris, whatever order the table has."""
    store.manifest  # noqa: B018  # missing and foreign tables are told apart before they are read
    columns = ["id", "uri", "name", "text"]
    rows = store.rows.stream(lambda table: table.search().select(columns).to_batches(batch_size=4096))
    found = [
        Named(*("" if one is None else one for one in row.values())) for chunk in rows for row in chunk.to_pylist()
    ]
    if not found:
        raise CollectionError(f"'{store.address}' is empty", hint="put pictures into it: sightline index FOLDER")
    return sorted(found, key=lambda item: item.uri)


def _questions(
    items: Sequence[Named], qrels: Judgements | None, queries: str | os.PathLike[str] | None
) -> tuple[list[Question], list[str]]:
    if isinstance(qrels, (str, os.PathLike)):
        return placed(read(qrels, queries), items)
    if queries is not None:
        raise UsageError("queries without judgements say nothing of what is relevant", hint="add --qrels FILE")
    return (from_captions(items), []) if qrels is None else placed(qrels, items)


def drawn(things: Sequence[T], limit: int | None, seed: int) -> list[T]:
    """At most `limit` of them at random, in their order."""
    if limit is not None and limit < 1:
        raise UsageError(f"limit is {limit}; at least 1 was expected")
    if limit is None or limit >= len(things):
        return list(things)
    chosen = np.random.default_rng(seed).choice(len(things), size=limit, replace=False)
    return [things[at] for at in np.sort(chosen)]


def _to_image(
    store: Store, encoder: Encoder, questions: Sequence[Question], channel: str, wanted: Sequence[str], seed: int
) -> Run:
    """Every question put as a search by words."""

    def ask(words: str) -> list[str]:
        query = Query(raw=words, terms=(Term(text=words),))
        hits = retrieve(store, lambda: encoder, query, DEPTH, load=_never, channels=WAYS[channel])
        return [hit.id for hit in hits]

    ask(questions[0].text)  # loads the model and opens the table
    ranked, seconds = [], []
    for question in questions:
        started = time.perf_counter()
        found = ask(question.text)
        seconds.append(time.perf_counter() - started)
        ranked.append([ident for ident in found if ident not in question.doubtful])
    p50, p95 = np.quantile(seconds, (0.5, 0.95)) * 1000
    latency = {"p50": round(float(p50), 3), "p95": round(float(p95), 3)}
    counted = [at for at, question in enumerate(questions) if not question.apart] or list(range(len(questions)))
    run = _measured(
        encoder.name,
        TO_IMAGE,
        channel,
        [questions[at].text for at in counted],
        [questions[at].group or f"question {at}" for at in counted],
        [ranked[at] for at in counted],
        [questions[at].relevant for at in counted],
        latency,
        seed,
        wanted,
    )
    return replace(run, kinds=_kinds(questions, ranked, wanted))


def _kinds(questions: Sequence[Question], ranked: Ranked, wanted: Sequence[str]) -> tuple[Kind, ...]:
    """The means by kind, in the order in which kinds first appear."""
    members: dict[tuple[str, bool], list[int]] = {}
    for at, question in enumerate(questions):
        if question.kind:
            members.setdefault((question.kind, question.apart), []).append(at)
    found = []
    for (name, apart), own in members.items():
        values = _values([ranked[at] for at in own], [questions[at].relevant for at in own], wanted)
        found.append(Kind(name, len(own), {metric: float(one.mean()) for metric, one in values.items()}, apart))
    return tuple(found)


def _to_text(store: Store, encoder: Encoder, items: Sequence[Named], limit: int | None, seed: int) -> Run:
    """Every picture with a caption as a query over all captions; lines that are the same are one caption."""
    lines = list(dict.fromkeys(line for item in items for line in item.captions))
    places = {line: at for at, line in enumerate(lines)}
    captions = np.concatenate([encoder.encode_text(lines[at : at + 256]) for at in range(0, len(lines), 256)])
    asked = drawn([item for item in items if item.captions], limit, seed)
    ranked = [
        row for at in range(0, len(asked), 256) for row in _nearest(_vectors(store, asked[at : at + 256]), captions)
    ]
    relevant = [{places[line]: 1.0 for line in item.captions} for item in asked]
    ids = [item.id for item in asked]
    return _measured(encoder.name, TO_TEXT, "vector", ids, ids, ranked, relevant, None, seed)


def _nearest(asked: Vectors, answers: Vectors) -> list[list[int]]:
    """The rows of `answers` by falling cosine, at most DEPTH, for each row of `asked`."""
    ranked: list[list[int]] = []
    for at in range(0, len(asked), 256):
        scores = asked[at : at + 256] @ answers.T  # (256, answers)
        ranked += np.argsort(-scores, axis=1, kind="stable")[:, :DEPTH].tolist()
    return ranked


def _vectors(store: Store, items: Sequence[Named]) -> Vectors:
    """The stored vectors (n, dim), in the order of the items."""
    where = is_in("id", [item.id for item in items])
    table = store.rows.read(lambda t: t.search().where(where).select(["id", "vector"]).to_arrow())
    places = {ident: at for at, ident in enumerate(table["id"].to_pylist())}
    return matrix(table["vector"], store.manifest.dim)[[places[item.id] for item in items]]


def _measured(
    model: str,
    direction: str,
    channel: str,
    asked: Sequence[str],
    groups: Sequence[str],
    ranked: Ranked,
    relevant: Relevant,
    latency: Mapping[str, float] | None,
    seed: int,
    wanted: Sequence[str] = METRICS,
) -> Run:
    values = _values(ranked, relevant, wanted)
    intervals = {metric: metrics.interval(values[metric], groups=groups, seed=seed) for metric in values}
    return Run(model, direction, channel, tuple(asked), tuple(groups), values, intervals, latency)


def _values(ranked: Ranked, relevant: Relevant, wanted: Sequence[str]) -> dict[str, Values]:
    """Each metric by its name, `name@k` being `name` of the first k."""
    of_all = {"mrr": metrics.reciprocal_rank}
    of_first = {"recall": metrics.recall, "ndcg": metrics.ndcg, "precision": metrics.precision}
    found = {}
    for metric in wanted:
        name, _, k = metric.partition("@")
        found[metric] = of_first[name](ranked, relevant, int(k)) if k else of_all[name](ranked, relevant)
    return found


def _never(ident: str) -> bytes:
    raise AssertionError(f"the picture of {ident} is not needed")
