"""Fits the coefficients of the cutoff.

    python benchmarks/fit_cutoff.py --data DIR --scenes SCENES [--model pocket] [--write]

DIR holds train/flickr8k_dev.parquet (pictures with five captions; research use, not in this repository), SCENES the
small street scenes that pocket learnt from (pocket/README.md). Nothing that it learnt from is asked here: of its own
pictures an encoder knows too much, and would be believed too much. What is fitted on:

1. *Street scenes, the valid ones of SCENES.* The bundled kinds of question (streets/queries.py), judged on those 400;
   unanswerable are `cutoff_absent.txt` and pairs of things that no picture of them shows together.
   None of the unanswerable ones is among those that `eval --cutoff` asks.
2. *Flickr8k dev, from the 501st picture on* (the first 500 judge: bench_cutoff.py). Four captions of a picture are its
   text, the fifth is asked; captions of pictures that are not in the collection are unanswerable.

Questions about numbers are left out: words and vectors cannot tell two buses from three. Each hit among the first ten
by vector and by words is one example. Three of four queries are taken to have an answer, as people mostly look for what
they have; the streets weigh six times as much as the photographs, where one picture alone counts as right though others
fit as well. The fit: logistic regression, every weight at least 0. For counts there is a head of its own (`seen`): all
pictures of the streets are its examples, as many as there are.

`any` is for encoders that were never seen here. No stronger one can be had without a network, so it is fitted on
stronger ones that are made of this one, on the streets, by mixing into each picture's vector the mean of its captions'
(1 and 2 parts): this encoder alone would teach that vectors are not to be believed. It is fitted only with --any, and
was with the bundled encoder of commit 2ad96e4: the one since is so sure of street scenes that what is made of it
believes near misses (docs/LOG.md). To give another encoder coefficients of its own, run this with --model and --write.
Without --write the numbers are shown, no more.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from pocket.data import Sources, load
from streets import queries

from sightline import background as backgrounds
from sightline.background import Background
from sightline.calibrate import NAMES, Calibration, Evidence, gather
from sightline.config import settings
from sightline.encoders import POCKET, load_encoder
from sightline.facts import is_said
from sightline.media import upright
from sightline.stems import stems

PACKAGE = Path(__file__).parents[1] / "src" / "sightline" / "data"
ABSENT = Path(__file__).with_name("cutoff_absent.txt")
CACHE = Path(".cache/pocket")
"""Where the training keeps its decoded pictures."""
FIRST = 10
JUDGED = 500
"""Pictures of flickr8k_dev that bench_cutoff.py judges with."""
MIXED = (0.0, 1.0, 2.0)
HEADS = {"vector": ("rise", "pull"), "text": ("told", "pairs")}
RIDGE = 1e-3
STREETS, PHOTOS = 6.0, 1.0
ANSWERED = 0.75
BESIDE = 0.5
"""The share of relevant hits, of each set, of which the vector alone has to be sure before it may speak at all."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """A collection in memory: vectors (n, dim) and the text of each picture."""

    names: list[str]
    vectors: NDArray[np.float32]
    texts: list[str]


@dataclass(frozen=True, eq=False)
class Asked:
    """A question with its vector (dim,); `relevant` and `doubtful` are names. Without relevant ones: unanswerable."""

    words: str
    relevant: frozenset[str]
    doubtful: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class Set:
    """Pictures with their captions apart, questions about them, and how much all of it weighs."""

    pictures: Pictures
    captions: NDArray[np.float32]  # (n, dim), the mean of each picture's own
    asked: list[Asked]
    queries: NDArray[np.float32]  # (asked, dim)
    weight: float


Judged = tuple[Asked, Evidence, list[str]]
"""A question, the evidence for its candidates, and their names."""


@dataclass(frozen=True, eq=False)
class Examples:
    """`x[name]` (m,) evidence, `y` (m,) relevant or not, `w` (m,) weights that add up to 1."""

    x: dict[str, NDArray[np.float64]]
    y: NDArray[np.float64]
    w: NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with train/flickr8k_dev.parquet")
    parser.add_argument("--scenes", type=Path, required=True, help="folder of small street scenes, described")
    parser.add_argument("--model", default="pocket", help="name or folder of the encoder")
    parser.add_argument("--photos", type=int, default=400, help="photographs in the collection")
    parser.add_argument("--questions", type=int, default=100, help="captions asked, and as many unanswerable ones")
    parser.add_argument("--any", action="store_true", help="fit the coefficients for unknown encoders as well")
    parser.add_argument("--work", type=Path, help="keep vectors here between runs")
    parser.add_argument("--write", action="store_true", help="write data/cutoff/cutoff.json")
    given = parser.parse_args()
    encoder = load_encoder(given.model, models_dir=settings().models_dir, cache_dir=settings().cache)
    sentences = backgrounds.encode(encoder)
    streets, asked_streets = of_streets(encoder, Sources(given.data, given.scenes), given.work)
    photos, lines, asked_photos = of_photos(encoder, given.data, given.photos, given.questions, given.work)
    sets = {
        name: Set(
            pictures,
            kept(
                given.work,
                f"{name}-{len(pictures.names)}-{encoder.fingerprint[:8]}-captions",
                partial(mean_of_lines, encoder, lines),
            ),
            asked,
            encode_texts(encoder, [one.words for one in asked]),
            weight,
        )
        for name, pictures, lines, asked, weight in (
            ("streets valid", streets, [text.split("\n") for text in streets.texts], asked_streets, STREETS),
            ("flickr8k_dev", photos, lines, asked_photos, PHOTOS),
        )
    }
    found = {(name, share): list(each(sentences, one, share)) for name, one in sets.items() for share in MIXED}
    parts = {key: (examples(rows), examples(by_words(rows)), sets[key[0]].weight) for key, rows in found.items()}
    path = PACKAGE / "cutoff" / "cutoff.json"
    former = json.loads(path.read_text("utf-8"))
    simulated = [part for (name, share), part in parts.items() if share and name == "streets valid"]
    told = {
        "any": fitted(simulated) if given.any else former["any"],
        "encoders": {
            encoder.fingerprint: {
                **fitted([part for (_, share), part in parts.items() if not share]),
                **fitted_for_counting(sentences, sets["streets valid"]),
            }
        },
        "provenance": {
            "command": "python benchmarks/fit_cutoff.py --data DIR --scenes SCENES --write",
            "encoder": encoder.name,
            "any": {"encoder": encoder.fingerprint, "mixed": [share for share in MIXED if share]}
            if given.any
            else former["provenance"]["any"],
            "pictures": {name: len(one.pictures.names) for name, one in sets.items()},
            "answerable": {name: sum(bool(each.relevant) for each in one.asked) for name, one in sets.items()},
            "unanswerable": {name: sum(not each.relevant for each in one.asked) for name, one in sets.items()},
        },
    }
    print(json.dumps(told, indent=2))
    for (name, share), rows in found.items():
        for judge in ("any", "own") if not share else ("any",):
            coefficients = told["any"] if judge == "any" else told["encoders"][encoder.fingerprint]
            show(f"{name}, {share:g} mixed in, coefficients {judge}", rows, Calibration.from_json(coefficients))
    if given.write:
        if given.model != POCKET:  # what was fitted with the bundled one stays
            told = former | {"encoders": former["encoders"] | told["encoders"]}
        path.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        print(f"written to {path.name}")


# ---- pictures and questions -----------------------------------------------------------------------------------


def of_streets(encoder: Any, sources: Sources, work: Path | None) -> tuple[Pictures, list[Asked]]:
    held_out = load(sources, CACHE, "streets", "valid")
    rows, images = held_out.records, [Image.fromarray(pixels) for pixels in held_out.pixels]
    names = [f"streets:{row['seed']}" for row in rows]
    vectors = kept(work, f"streets-valid-{encoder.fingerprint[:8]}", lambda: encoded(encoder, images))
    pictures = [(row["seed"], set(row["attributes"]), set(row["doubtful"])) for row in rows]
    asked = []
    for query in queries.every():
        judged = queries.judged(query, pictures) if query.kind not in (queries.NONE, queries.COUNT) else None
        if judged:
            asked.append(Asked(judged["query"], frozenset(judged["relevant"]), frozenset(judged["doubtful"])))
    absent = [*ABSENT.read_text("utf-8").splitlines(), *never_together(pictures)]
    asked += [Asked(words, frozenset()) for words in absent]
    return Pictures(names, vectors, ["\n".join(row["captions"]) for row in rows]), asked


def never_together(pictures: Sequence[tuple[int, set[str], set[str]]]) -> list[str]:
    """Near misses: two things that the split has, and no picture of it both, not even doubtfully."""
    bundled = {one.words for one in queries.every()}
    nouns = (
        "bus",
        "taxi",
        "police car",
        "ambulance",
        "van",
        "motorcycle",
        "bicycle",
        "dog",
        "helicopter",
        "fire hydrant",
    )
    nouns += ("boat", "billboard", "lifeguard hut", "crosswalk", "cacti", "bench", "dump truck", "sports car", "plane")
    places = {"setting:desert": "in the desert", "setting:beach": "at the beach", "setting:highway": "on a freeway"}
    places |= {"setting:hillside": "in the mountains", "setting:downtown": "downtown", "light:night": "after dark"}
    colours = ("red", "blue", "green", "orange", "yellow", "white", "black")
    pairs = [(f"a {noun} {said}", (noun, place)) for noun in nouns for place, said in places.items()]
    pairs += [(f"a {colour} {noun}", (f"{colour} {noun}",)) for colour in colours for noun in nouns[:7]]
    pairs += [(f"a {a} and a {b}", (a, b)) for a, b in itertools.combinations(nouns, 2)]
    common = [words for words, needs in pairs if not any(set(needs) <= true | maybe for _, true, maybe in pictures)]
    return [words for words in common if words not in bundled][:60]


def of_photos(
    encoder: Any, data: Path, many: int, questions: int, work: Path | None
) -> tuple[Pictures, list[list[str]], list[Asked]]:
    rows = pq.read_table(data / "train" / "flickr8k_dev.parquet").slice(JUDGED, many + questions).to_pylist()
    shown, foreign = rows[:many], rows[many:]
    images = [upright(row["image"]["bytes"]) for row in shown]
    vectors = kept(work, f"photos-{many}-{encoder.fingerprint[:8]}", lambda: encoded(encoder, images))
    names = [f"photo:{at}" for at in range(many)]
    lines = [row["captions"][:4] for row in shown]
    asked = [Asked(row["captions"][4], frozenset({names[at]})) for at, row in enumerate(shown[:questions])]
    asked += [Asked(row["captions"][4], frozenset()) for row in foreign]
    return Pictures(names, vectors, ["\n".join(one) for one in lines]), lines, asked


def encoded(encoder: Any, images: Sequence[Image.Image]) -> NDArray[np.float32]:
    return np.concatenate([encoder.encode_image(images[at : at + 64]) for at in range(0, len(images), 64)])


def kept(work: Path | None, name: str, make: Any) -> NDArray[np.float32]:
    path = work / f"{name}.npy" if work else None
    if path is not None and path.exists():
        stored: NDArray[np.float32] = np.load(path)
        return stored
    made: NDArray[np.float32] = make()
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, made)
    return made


# ---- evidence -------------------------------------------------------------------------------------------------


def fitted(parts: Sequence[tuple[Examples, Examples, float]]) -> dict[str, Any]:
    """The vector's head on all candidates, the text's on those that words found: what a better encoder finds besides
    would teach it that captions need not say much.
    """
    heads = {}
    for place, (head, names) in enumerate(HEADS.items()):
        x = {name: np.concatenate([part[place].x[name] for part in parts]) for name in names}
        y = np.concatenate([part[place].y for part in parts])
        w = np.concatenate([part[place].w * part[-1] for part in parts])
        heads[head] = logistic(x, y, w / w.sum())
    return heads | {"beside": all(sure_of(heads["vector"], part[0]) >= BESIDE for part in parts)}


def by_words(rows: Sequence[Judged]) -> list[Judged]:
    """With the candidates that were found by words alone: the first ones, see `each`."""
    found = []
    for one, evidence, names in rows:
        some = {field.name: getattr(evidence, field.name)[:FIRST] for field in fields(evidence)}
        found.append((one, Evidence(**some), names[:FIRST]))
    return found


def fitted_for_counting(sentences: NDArray[np.float32], one: Set) -> dict[str, Any]:
    """By `rise` and `pull`, over all pictures and not the first ones alone, how likely one shows what is asked for when
    its captions do not say so; and from which probability on as many are counted as there are.
    """
    background = Background.of(sentences, one.pictures.vectors, one.pictures.texts)
    rise, pull, said, right = [], [], [], []
    for question, vector in zip(one.asked, one.queries, strict=True):
        if question.relevant:
            usable = np.array([name not in question.doubtful for name in one.pictures.names])
            evidence = gather(question.words, vector, one.pictures.vectors, one.pictures.texts, background)
            rise.append(evidence.rise[usable])
            pull.append(evidence.pull[usable])
            said.append(np.array([is_said(text, question.words) for text in one.pictures.texts], float)[usable])
            right.append(np.array([name in question.relevant for name in one.pictures.names], float)[usable])
    y = np.concatenate(right)
    x = {"rise": np.concatenate(rise), "pull": np.concatenate(pull), "said": np.concatenate(said)}
    head = logistic(x, y, np.full(len(y), 1 / len(y)), ridge=RIDGE / 100)  # few show it: their share is small
    head.pop("said", None)
    silent = x["said"] == 0
    odds = head["bias"] + sum(weight * x[name] for name, weight in head.items() if name != "bias")
    chances = np.sort((1 / (1 + np.exp(-odds)))[silent])[::-1]
    return {"seen": head, "counted_from": round(float(chances[int(y[silent].sum()) - 1]), 4)}


def sure_of(vector: dict[str, float], part: Examples) -> float:
    """The share of the relevant hits of a set of which the vector alone is sure."""
    odds = vector["bias"] + sum(weight * part.x[name] for name, weight in vector.items() if name != "bias")
    return float(np.average(odds >= 0, weights=part.w * part.y))


def examples(rows: Sequence[Judged]) -> Examples:
    rows = sorted(rows, key=lambda row: not row[0].relevant)
    right = [np.array([name in one.relevant for name in names], float) for one, _, names in rows]
    counts = {
        answered: sum(len(names) for one, _, names in rows if bool(one.relevant) is answered)
        for answered in (True, False)
    }
    shares = {True: ANSWERED / counts[True], False: (1 - ANSWERED) / counts[False]}
    w = [np.full(len(names), shares[bool(one.relevant)]) for one, _, names in rows]
    x = {name: np.concatenate([getattr(evidence, name) for _, evidence, _ in rows]) for name in NAMES}
    return Examples(x, np.concatenate(right), np.concatenate(w))


def each(sentences: NDArray[np.float32], one: Set, share: float) -> Iterator[Judged]:
    """Each question with the evidence for its candidates: the first by vector and the first by words.

    `share`: how much of the captions is mixed into the pictures' vectors.
    """
    pictures = one.pictures
    vectors = pictures.vectors
    if share:
        vectors = vectors + share * one.captions
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    background = Background.of(sentences, vectors, pictures.texts)
    said = [frozenset(stems(text)) for text in pictures.texts]
    for question, vector in zip(one.asked, one.queries, strict=True):
        usable = np.array([name not in question.doubtful for name in pictures.names])
        cosines = vectors @ vector
        worth = {stem: 1 / (1 + background.frequencies.get(stem, 0)) ** 0.5 for stem in stems(question.words)}
        held = np.array([sum(value for stem, value in worth.items() if stem in own) for own in said])
        near = np.argsort(-np.where(usable, cosines, -np.inf), kind="stable")[:FIRST]
        told = np.argsort(-np.where(usable, held + 1e-3 * cosines, -np.inf), kind="stable")[:FIRST]
        places = list(dict.fromkeys([*told.tolist(), *near.tolist()]))
        texts = [pictures.texts[at] for at in places]
        evidence = gather(question.words, vector, vectors[places], texts, background)
        yield question, evidence, [pictures.names[at] for at in places]


def mean_of_lines(encoder: Any, lines: Sequence[Sequence[str]]) -> NDArray[np.float32]:
    every = list(dict.fromkeys(itertools.chain.from_iterable(lines)))
    vectors = encode_texts(encoder, every)
    places = {line: at for at, line in enumerate(every)}
    return np.stack([vectors[[places[line] for line in own]].mean(axis=0) for own in lines]).astype(np.float32)


def encode_texts(encoder: Any, texts: Sequence[str]) -> NDArray[np.float32]:
    return np.concatenate([encoder.encode_text(texts[at : at + 64]) for at in range(0, len(texts), 64)])


def show(name: str, rows: Sequence[Judged], judge: Calibration) -> None:
    """How it does on what it was fitted on; what counts is `sightline eval --cutoff` on what it was not."""
    for channels in (("vector", "text"), ("vector",), ("text",)):
        nothing, lost, unanswerable, answerable = 0, 0, 0, 0
        for one, evidence, names in rows:
            stays = judge(evidence, channels) >= 0.5
            right = [at for at, name in enumerate(names[:FIRST]) if name in one.relevant]
            if not one.relevant:
                unanswerable, nothing = unanswerable + 1, nothing + (not stays.any())
            elif right:
                answerable, lost = answerable + 1, lost + (not stays[right[0]])
        print(f"{name}, {'+'.join(channels)}: {nothing} of {unanswerable} unanswerable return nothing, ", end="")
        print(f"{lost} of {answerable} answerable lose their first")


# ---- logistic regression --------------------------------------------------------------------------------------


def logistic(
    x: dict[str, NDArray[np.float64]], y: NDArray[np.float64], w: NDArray[np.float64], *, ridge: float = RIDGE
) -> dict[str, float]:
    """Newton's method with a small ridge; a weight that would go below 0 is left out, the worst first."""
    names = list(x)
    while True:
        columns = np.column_stack([np.ones_like(y), *(x[name] for name in names)])  # (m, 1 + names)
        theta = np.zeros(columns.shape[1])
        shrink = np.diag([0.0, *([2 * ridge] * len(names))])
        for _ in range(50):
            p = 1 / (1 + np.exp(-columns @ theta))
            gradient = columns.T @ (w * (p - y)) + shrink @ theta
            step = np.linalg.solve(columns.T @ (columns * (w * p * (1 - p))[:, None]) + shrink, gradient)
            theta -= step
            if np.abs(step).max() < 1e-8:
                break
        if not names or theta[1:].min() >= 0:
            return {"bias": round(float(theta[0]), 4), **dict(zip(names, np.round(theta[1:], 4).tolist(), strict=True))}
        names.pop(int(theta[1:].argmin()))


if __name__ == "__main__":
    main()
