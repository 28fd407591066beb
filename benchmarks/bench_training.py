"""Does training on streets lift a deliberately weak base, by how much, and again with another seed?

The weak base is a two-layer CLIP of the true architecture (transformers) with random weights: what the result finds,
this training taught it. It is trained with `--method full` on the training scenes, then base and result are asked for
the scenes of the test split by their captions, pictures alone. `--head` trains a head on pocket instead.

    python benchmarks/bench_training.py --epochs 30 --seeds 3 --json benchmarks/results/training.json
    python benchmarks/bench_training.py --epochs 1 --limit 200      a few steps, to see that it runs
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from model_folders import END, clip_model, clip_tokenizer

import sightline
from sightline.evaluate import Evaluation, compare
from sightline.schema import Item
from sightline.sources import open_source
from sightline.tune import Options, Tuned, as_model_folder, tune

WEAK: dict[str, Any] = {
    "text_config": {"hidden_size": 128, "intermediate_size": 256, "num_attention_heads": 4, "num_hidden_layers": 2},
    "vision_config": {
        "hidden_size": 128, "intermediate_size": 256, "num_attention_heads": 4, "num_hidden_layers": 2,
        "image_size": 96, "patch_size": 16,
    },
    "projection_dim": 64,
}  # fmt: skip
for part in ("text_config", "vision_config"):
    WEAK[part]["projection_dim"] = WEAK["projection_dim"]


def weak_base(folder: Path, lines: list[str]) -> Path:
    """A checkpoint folder as `save_pretrained` leaves it; its vocabulary is learnt from the captions."""
    tokenizer = clip_tokenizer(lines, vocabulary=1500)
    clip_model(WEAK, tokenizer).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"pad_token": END}))
    crop = {"size": {"shortest_edge": 96}, "crop_size": {"height": 96, "width": 96}, "do_center_crop": True}
    (folder / "preprocessor_config.json").write_text(json.dumps(crop))
    return folder


def evaluated(folder: Path, model: str | Path, spec: str, limit: int | None) -> Evaluation:
    collection = sightline.open(f"{folder}#t{len(list(folder.iterdir())) if folder.exists() else 0}", model=model)
    collection.ingest(items(spec, limit), keep="none")
    return collection.evaluate()


def items(spec: str, limit: int | None) -> list[Item]:
    return list(itertools.islice((item for item in open_source(spec) if isinstance(item, Item)), limit))


def train(given: argparse.Namespace, folder: Path, seed: int) -> tuple[Tuned, str | Path]:
    """The result, and the base as a model that can be indexed with."""
    listed = items(given.source, given.limit)
    if given.head:
        collection = sightline.open(f"{folder / 'vectors'}#items", model="pocket")
        collection.ingest(listed, keep="none")
        return collection.train_head(
            folder / "new", Options(epochs=given.epochs, seed=seed, threads=given.threads)
        ), "pocket"
    base = weak_base(folder / "weak", [line for item in listed for line in item.text.split("\n")])
    options = Options(
        method="full", epochs=given.epochs, batch_size=128, chunk=64, learning_rate=1e-3, patience=given.epochs,
        seed=seed, threads=given.threads,
    )  # fmt: skip
    return tune(open_source(listed), base, folder / "new", options, tell=say), as_model_folder(base, folder / "base")


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", default="streets:train")
    parser.add_argument("--test", default="streets:test")
    parser.add_argument("--head", action="store_true", help="a head on pocket instead of a weak base")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--limit", type=int, help="at most so many pictures of either split")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = []
    for seed in range(given.seeds):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            done, base = train(given, folder, seed)
            before, after = (
                evaluated(folder / "t", model, given.test, given.limit) for model in (base, folder / "new")
            )
            test = compare(before.runs[0], after.runs[0], names=("base", "new"), seed=seed)
            found.append({"seed": seed, "held_out": done.to_json()["comparisons"], "verdict": done.verdict,
                          "epochs": done.learnt.epochs, "best_epoch": done.learnt.best_epoch,
                          "base": before.to_json(), "new": after.to_json(),
                          "test": [one.to_json() for one in test]})  # fmt: skip
            print(f"seed {seed}: {done.sentence}")
            for one in test:
                low, high = one.interval
                print(
                    f"  {given.test} {one.metric}: {before[one.metric]:.4f} -> {after[one.metric]:.4f}, "
                    f"{one.difference:+.4f} ({low:+.4f} to {high:+.4f}), n {before.n}"
                )
    if given.json:
        asked = {name: value for name, value in vars(given).items() if name != "json"}
        given.json.write_text(json.dumps({"asked": asked, "runs": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
