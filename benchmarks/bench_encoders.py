"""How fast is a CLIP model on this machine, by runtime? torch as in the tutorial against the sessions of Sightline.

    python benchmarks/bench_encoders.py --architecture ViT-B-32 --rounds 3 --pictures 32 --out results.json

All ways take turns within each round, so that a slow minute of the machine hits all of them; each is judged by its best
round, since other programs can only make it slower. Read the ratios, not the absolute numbers. Model only: pictures are
decoded and resized beforehand. Prints a table to stderr, JSON to stdout.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from architectures import ARCHITECTURES, random_folder, random_torch
from model_folders import MEAN, STD

from sightline.encoders import load_encoder
from sightline.encoders.folder import VISUAL
from sightline.encoders.sessions import Session, open_session

QUERY = "a road with a stop sign"


def main() -> None:
    args = arguments()
    folder = random_folder(args.architecture, args.cache)
    pictures, queries = ways(args.architecture, folder, args.pictures)
    seconds: dict[str, list[float]] = {name: [] for name in (*pictures, *queries)}
    vectors = {name: way() for name, way in (pictures | queries).items()}  # also warms up
    for _ in range(args.rounds):
        for name, way in (pictures | queries).items():
            start = time.perf_counter()
            for _ in range(5 if name in queries else 1):
                way()
            seconds[name].append((time.perf_counter() - start) / (5 if name in queries else 1))
    report = {
        "command": " ".join(["python", "benchmarks/bench_encoders.py", *sys.argv[1:]]),
        "machine": machine(),
        "architecture": args.architecture,
        "pictures": args.pictures,
        "rounds": args.rounds,
        "images": rows(pictures, seconds, vectors, args.pictures),
        "texts": rows(queries, seconds, vectors, 1),
    }
    show(report)
    text = json.dumps(report, indent=2)
    print(text)
    if args.out is not None:
        args.out.write_text(text + "\n", encoding="utf-8")


def ways(
    architecture: str, folder: Path, n: int
) -> tuple[dict[str, Callable[[], np.ndarray]], dict[str, Callable[[], np.ndarray]]]:
    """Name -> a call that encodes the same `n` pictures, or the same query; the first of each is the baseline."""
    import torch

    model = random_torch(architecture)
    encoders = {runtime: load_encoder(folder, models_dir=folder.parent, runtime=runtime) for runtime in runtimes()}
    size = next(iter(encoders.values())).image_target
    pixels = np.random.default_rng(0).integers(0, 256, (n, size, size, 3), dtype=np.uint8)
    floats = torch.from_numpy(((pixels / 255 - MEAN) / STD).astype(np.float32).transpose(0, 3, 1, 2).copy())

    def torch_images(batch: int) -> np.ndarray:
        with torch.inference_mode():
            parts = [
                model.get_image_features(pixel_values=floats[i : i + batch]).pooler_output for i in range(0, n, batch)
            ]
            return torch.cat(parts).numpy()

    def torch_text(ids: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return model.get_text_features(input_ids=torch.from_numpy(ids)).pooler_output.numpy()

    ids = next(iter(encoders.values())).tokenize([QUERY])[0]  # (1, 77)
    short = ids[:, : int((ids != ids[0, -1]).sum()) + 1]  # up to the end token: exact, since attention is causal
    images: dict[str, Callable[[], np.ndarray]] = {
        "torch f32, one at a time": lambda: torch_images(1),
        "torch f32, batch 16": lambda: torch_images(16),
    }
    texts: dict[str, Callable[[], np.ndarray]] = {
        f"torch f32, {ids.shape[1]} tokens": lambda: torch_text(ids),
        f"torch f32, {short.shape[1]} tokens": lambda: torch_text(short),
    }
    for runtime, encoder in encoders.items():
        session = encoder.image_session()
        streams = getattr(session, "streams", 1)
        images[f"{runtime} {session.precision}, batch 16, {streams} at once"] = by_session(
            session, pixels, 16 * streams
        )
        if streams > 1:
            one = open_session(folder / VISUAL, runtime=runtime, mode="latency", normalise=(MEAN, STD))
            images[f"{runtime} {one.precision}, batch 16, 1 at once"] = by_session(one, pixels, 16)
        text = encoder.text_session()
        texts[f"{runtime} {text.precision}, {ids.shape[1]} tokens"] = lambda text=text: text.run({"text": ids})
    return images, texts


def by_session(session: Session, pixels: np.ndarray, batch: int) -> Callable[[], np.ndarray]:
    return lambda: np.concatenate([session.run({"image": pixels[i : i + batch]}) for i in range(0, len(pixels), batch)])


def runtimes() -> list[str]:
    from importlib.util import find_spec

    return [name for name in ("onnxruntime", "openvino") if find_spec(name)]


def rows(
    named: dict[str, Callable[[], np.ndarray]], seconds: dict[str, list[float]], vectors: dict[str, np.ndarray], n: int
) -> list[dict[str, Any]]:
    first = next(iter(named))
    best = {name: min(seconds[name]) for name in named}
    return [
        {
            "way": name,
            "per_second": round(n / best[name], 2),
            "per_second_rounds": [round(n / second, 2) for second in seconds[name]],
            "milliseconds": round(1000 * best[name] / n, 1),
            "times_faster": round(best[first] / best[name], 2),
            "times_faster_median": round(statistics.median(seconds[first]) / statistics.median(seconds[name]), 2),
            "smallest_cosine": round(float(cosines(vectors[first], vectors[name]).min()), 6),
        }
        for name in named
    ]


def cosines(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return (left * right).sum(1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)


def machine() -> dict[str, Any]:
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    units = [unit for unit in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if unit in flags]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return {
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "units": units,
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "versions": versions(),
        "commit": commit.stdout.strip() or None,
    }


def versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("torch", "transformers", *runtimes())}


def show(report: dict[str, Any]) -> None:
    for kind, unit in (("images", "pictures/s"), ("texts", "queries/s")):
        print(f"\n{report['architecture']}, {kind}  ({unit}, times the first, smallest cosine)", file=sys.stderr)
        for row in report[kind]:
            numbers = f"{row['per_second']:8.1f} {row['times_faster']:6.2f} {row['smallest_cosine']:9.5f}"
            print(f"  {row['way']:<44} {numbers}   {row['milliseconds']} ms", file=sys.stderr)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", choices=sorted(ARCHITECTURES), default="ViT-B-32")
    parser.add_argument("--pictures", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cache", type=Path, default=Path(".cache/bench"), help="where exported folders are kept")
    parser.add_argument("--out", type=Path, help="also write the JSON here")
    return parser.parse_args()


if __name__ == "__main__":
    main()
